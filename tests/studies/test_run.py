"""A study from its file to its table: whole, killed and continued, by several processes, and with a part that fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.studies.conftest import Mine

Record = dict[str, Any]


def words(mine: Mine, out: Path, *more: str) -> list[str]:
    return ["study", str(mine.study), "--config", str(mine.recipe), "--out", str(out), "--quiet", *more]


def study(out: Path, name: str = "mine") -> Record:
    found: Record = json.loads((out / name / "study.json").read_text())
    return found


def scores(out: Path) -> dict[str, list[float]]:
    return {line["name"]: line["cells"][0]["seeds"] for line in study(out)["lines"]}


def predictions(out: Path) -> dict[str, str]:
    """Return what each evaluation has predicted, by the name of its step's folder."""
    return {path.parent.name: path.read_text() for path in (out / "steps" / "scores").glob("*/predictions-*.jsonl")}


def weights(out: Path) -> dict[str, bytes]:
    folder = out / "steps" / "mix"
    return {path.parts[-4]: path.read_bytes() for path in folder.glob("*/checkpoints/*/model.safetensors")}


@pytest.fixture(scope="module")
def whole(mine: Mine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the study with two seeds, in one go, in a process of its own."""
    out = tmp_path_factory.mktemp("whole")
    done = run(words(mine, out, "--seeds", "2"), out / "home")
    assert (done.returncode, done.stderr) == (0, "")
    (out / "stdout").write_text(done.stdout)
    return out


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "MAXI_HOME": str(home), "COLUMNS": "80", "NO_COLOR": "1"}


def run(arguments: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maxi_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(home))


def test_each_variant_has_a_row_with_its_scores_over_seeds_and_its_difference_from_the_base(whole: Path) -> None:
    found = study(whole)
    lines = {line["name"]: line for line in found["lines"]}
    assert [line["state"] for line in lines.values()] == ["done"] * 8
    assert [len(lines[name]["cells"][0]["seeds"]) for name in ("raw", "matches", "vote")] == [1, 2, 1]
    assert lines["matches"]["cells"][0]["difference"] is None
    ce, base = lines["ce"]["cells"][0], lines["matches"]["cells"][0]
    assert ce["difference"] == pytest.approx(ce["mean"] - base["mean"])
    assert ce["low"] <= ce["difference"] <= ce["high"]
    assert lines["vote"]["cells"][0]["mean"] == pytest.approx(100 * (9 + 3 / 4) / 12)  # of "run fast" nobody speaks
    assert lines["matches"]["facts"]["right"] is not None


def test_what_variants_have_in_common_is_made_once(whole: Path) -> None:
    made = {kind.name: len(list(kind.iterdir())) for kind in (whole / "steps").iterdir()}
    # bags: matches, says, captions of the benchmark; trainings: matches (also alone and mean), ce, single, says
    assert made == {"bags": 3, "train": 4 * 2, "mix": 6 * 2, "scores": 1 + 6 * 2 + 1}


def test_the_table_is_written_in_each_form_and_shown(whole: Path) -> None:
    folder = whole / "mine"
    assert "| matches only | " in (folder / "table.md").read_text()
    assert r"\begin{tabular}" in (folder / "table.tex").read_text()
    assert (folder / "table.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "table.svg").read_text()
    shown = (whole / "stdout").read_text()
    assert "matches only" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80


def test_the_same_command_again_makes_nothing_and_shows_the_same(mine: Mine, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "steps").rglob("*.safetensors")}
    done = run(words(mine, whole, "--seeds", "2"), whole / "home")
    assert (done.returncode, done.stdout) == (0, (whole / "stdout").read_text())
    assert {path: path.stat().st_mtime_ns for path in (whole / "steps").rglob("*.safetensors")} == before


@pytest.mark.long
def test_a_study_that_was_killed_goes_on_and_ends_as_one_that_was_not(mine: Mine, whole: Path, tmp_path: Path) -> None:
    part = words(mine, tmp_path, "--seeds", "2", "--only", "raw,mean")
    command = [sys.executable, "-m", "maxi_cli", *part]
    for wanted in ("steps/train/*/checkpoints/*/DONE", "steps/scores/*/scores.json"):
        process = subprocess.Popen(command, env=environment(tmp_path / "home"), stderr=subprocess.DEVNULL)
        while process.poll() is None and not list(tmp_path.glob(wanted)):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert run(part, tmp_path / "home").returncode == 0
    assert scores(tmp_path).items() <= scores(whole).items()
    assert predictions(tmp_path).items() <= predictions(whole).items()
    assert weights(tmp_path).items() <= weights(whole).items()
    assert len(weights(tmp_path)) == 4


@pytest.mark.long
def test_several_processes_make_what_one_makes(mine: Mine, whole: Path, tmp_path: Path) -> None:
    part = words(mine, tmp_path, "--only", "raw,ce")
    done = run([*part, "--jobs", "2"], tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(study(tmp_path)) == set(study(whole))
    assert {name: found[:1] for name, found in scores(whole).items()}.items() >= scores(tmp_path).items()
    assert predictions(tmp_path).items() <= predictions(whole).items()


def test_shares_of_an_array_do_a_part_each_and_the_last_one_writes_the_table(mine: Mine, tmp_path: Path, maxi) -> None:
    share = ("--only", "raw,ce", "--index")
    first = maxi(*words(mine, tmp_path, *share, "1/2"))
    assert first.code == 0
    assert "the last one writes the table" in first.out
    assert not (tmp_path / "mine").joinpath("study.json").exists()
    assert maxi(*words(mine, tmp_path, *share, "2/2")).code == 0
    assert set(scores(tmp_path)) == {"raw", "matches", "ce"}


BROKEN = """
[variants.matches]
[variants.wrong]
sources = "silent"
[variants.ce]
train.loss = "ce"
[variants.large]
optional = true
train.batch_size = 500
"""
SILENT = '''
from maxi_core import Captioner, Failed, hookimpl


class Silent(Captioner):
    """Can say nothing."""

    name = "silent"
    frames = None

    def caption(self, clips):
        return [Failed("no voice") for _ in clips]


@hookimpl
def maxi_register_sources():
    return [Silent]
'''


def test_a_variant_that_fails_is_named_and_the_others_go_on(mine: Mine, tmp_path: Path, maxi) -> None:
    (tmp_path / "silent.py").write_text(SILENT)
    (tmp_path / "broken.toml").write_text(BROKEN)
    typed = words(mine, tmp_path / "out", "--plugin", str(tmp_path / "silent.py"))
    typed[1] = str(tmp_path / "broken.toml")
    done = maxi(*typed)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("maxi: error: variant wrong failed: source 'silent' said nothing")
    states = {line["name"]: line["state"] for line in study(tmp_path / "out", "broken")["lines"]}
    assert states == {"matches": "done", "wrong": "failed", "ce": "done", "large": "left out"}


def test_what_is_to_be_made_is_said_before_and_what_it_takes_once_one_is_known(mine: Mine, whole: Path, maxi) -> None:
    said = maxi(*words(mine, whole, "--seeds", "3", "--dry-run", "--json"))
    steps = json.loads(said.out)["steps"]
    assert (steps["train"]["steps"], steps["train"]["left"]) == (12, 4)
    assert steps["train"]["hours"] == pytest.approx(4 * steps["train"]["seconds"] / 3600)
    assert maxi(*words(mine, whole / "new", "--dry-run")).out.count("time unknown until one is done") == 4
    assert not (whole / "new").exists()
