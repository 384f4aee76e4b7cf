"""Studies with a frozen image tower: their videos are encoded once for all trainings, killed or damaged or not."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from maxi_core.plugin.catalog import discover
from maxi_core.recipe.library import settling
from maxi_core.studies.plan import make_plan
from maxi_core.studies.run import Runner, cost
from maxi_core.studies.step import Place
from maxi_core.studies.steps import TrainStep
from maxi_core.studies.study import only, read_study
from tests.studies.conftest import Mine
from tests.studies.test_run import environment, run, scores, weights, words

FREEZE = {"train.freeze": "image", "train.epochs": 1}


def files(out: Path) -> list[Path]:
    return sorted((out / "steps" / "features").glob("*/*.safetensors"))


def test_trainings_with_a_frozen_image_tower_share_its_features_and_damaged_ones_are_made_anew(
    mine: Mine, tmp_path: Path
) -> None:
    catalog, study = discover(), read_study(str(mine.study))
    plan = make_plan(study, only(study, ["ce", "single"]), settling(catalog, FREEZE, mine.recipe), catalog)
    trainings = [step for step in plan.steps() if isinstance(step, TrainStep)]
    assert cost(plan, tmp_path)["features"]["steps"] == 1  # of three trainings
    assert replace(trainings[0], start=trainings[1]).features is None
    assert replace(trainings[0], data=(mine.folder / "true.csv", None)).features is None
    Runner(Place(tmp_path, catalog)).ensure(trainings[0])
    (file,) = files(tmp_path)  # no augmentation: all epochs see the same
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    Runner(Place(tmp_path, catalog)).ensure(trainings[1])
    assert file.read_bytes() == whole


@pytest.mark.long
def test_a_study_with_a_frozen_tower_that_was_killed_goes_on_and_ends_as_one_that_was_not(
    mine: Mine, tmp_path: Path
) -> None:
    shown = ("--only", "raw,ce", "-o", "train.freeze=image", "-o", "train.augmentation=paper", "-o", "train.epochs=2")
    assert run(words(mine, tmp_path / "whole", *shown), tmp_path / "home").returncode == 0
    part = words(mine, tmp_path / "part", *shown)
    command = [sys.executable, "-m", "maxi_cli", *part]
    for wanted in ("features/*/epoch-0000.safetensors", "train/*/checkpoints/*/DONE", "scores/*/scores.json"):
        process = subprocess.Popen(command, env=environment(tmp_path / "home"), stderr=subprocess.DEVNULL)
        while process.poll() is None and not list((tmp_path / "part" / "steps").glob(wanted)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert run([*part, "--jobs", "2"], tmp_path / "home").returncode == 0
    whole, found = tmp_path / "whole", tmp_path / "part"
    assert len(files(found)) == 2
    assert [path.read_bytes() for path in files(found)] == [path.read_bytes() for path in files(whole)]
    assert (scores(found), weights(found)) == (scores(whole), weights(whole))
