"""Weights with NaN or infinite numbers end every command before its work, and no output is JSON that nobody reads."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from maxi_core.clip.checkpoints import checkpoints_of
from maxi_core.system.files import to_json
from tests.training.runs import write_world
from tests.training.test_train_command import SMALL, arguments

Maxi = Callable[..., Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(params=["nan", "inf", "-inf"])
def broken(request: pytest.FixtureRequest, world: Path, tmp_path: Path) -> Path:
    """Return a copy of the model in which one number is not finite."""
    folder = shutil.copytree(world / "model", tmp_path / "broken")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"][0, 0] = float(request.param)
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def benchmark(world: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / "videos").symlink_to(world / "clips")
    (folder / "split.txt").write_text("videos/0.mp4 0\nvideos/1.mp4 1\n")
    (folder / "labels.csv").write_text("id,name\n0,juggling\n1,waving\n")
    return folder


def test_every_command_that_loads_a_model_refuses_it_before_the_work(
    maxi: Maxi, world: Path, broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "actions.txt").write_text("juggling\nwaving\n")
    out = str(tmp_path / "out")
    bags = ("--dictionary", str(tmp_path / "actions.txt"), "-o", f"dictionary.model={broken}", "--workers", "0")
    train = ("train", str(world / "run"), "--model", str(broken), *SMALL)
    for command in (
        ("predict", str(broken), str(world / "clips" / "0.mp4"), "--labels", "juggling, waving", "--json"),
        ("eval", str(broken), "-b", str(benchmark(world, tmp_path / "bench")), "--allow-outside-root", "--out", out),
        ("bags", str(world / "clips"), *bags, "--out", out),
        (*train, "--out", out),
        (*train, "--out", out, "--dry-run"),
    ):
        ran = maxi(*command)
        assert (ran.code, ran.out) == (1, ""), (command, ran.err)
        assert "NaN or infinite numbers: visual.proj" in ran.err.splitlines()[-1]
        assert not list(Path(out).glob("*/scores.json"))


def test_a_checkpoint_with_such_weights_is_neither_mixed_nor_gone_on_from(
    maxi: Maxi, world: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert maxi(*arguments(world, out, "--epochs", "1")).code == 0
    checkpoint = checkpoints_of(out)[-1]
    weights = load_file(checkpoint / "model.safetensors")
    weights["logit_scale"] = weights["logit_scale"] * math.nan
    save_file(weights, checkpoint / "model.safetensors")
    (checkpoint / "DONE").write_text("")  # as of a maxi that saved no checksums
    for command in (
        ("ensemble", str(world / "model"), str(out), "--out", str(tmp_path / "mixed")),
        ("ensemble", str(out), str(out), "--out", str(tmp_path / "mixed")),
        tuple(arguments(world, out, "--epochs", "1", "--resume", "latest")),
        ("predict", str(out), str(world / "clips" / "0.mp4"), "--labels", "juggling, waving"),
    ):
        ran = maxi(*command)
        assert (ran.code, ran.out) == (1, ""), (command, ran.err)
        assert "NaN or infinite numbers: logit_scale" in ran.err.splitlines()[-1]
    assert not (tmp_path / "mixed" / "checkpoints").exists()


def test_weights_that_overflow_give_no_share_that_is_no_number(maxi: Maxi, world: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(world / "model", tmp_path / "huge")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"][:] = 3e38
    save_file(weights, folder / "open_clip_model.safetensors")
    ran = maxi("predict", str(folder), str(world / "clips" / "0.mp4"), "--labels", "juggling, waving", "--json")
    assert ran.code == 1
    (said,) = json.loads(ran.out)["predictions"]
    assert (said["top"], "no finite feature" in said["skipped"]) == ([], True)


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    said = to_json({"a": [math.nan, (math.inf, 1.5)], "b": {"c": np.float64("-inf")}})
    assert json.loads(said, parse_constant=pytest.fail) == {"a": [None, [None, 1.5]], "b": {"c": None}}
