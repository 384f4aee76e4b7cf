import json
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_core import UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.testing import clip

TEST = [("a.mp4", "cut bread"), ("b.mp4", "pour tea"), ("c.mp4", "cut cheese")]


def maxi(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "maxi_cli", *map(str, words)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "home"))
    said = {part: [{"file": file, "class": name} for file, name in TEST] for part in ("test", "train")}
    (tmp_path / "kitchen.json").write_text(json.dumps(said))
    (tmp_path / "clips").mkdir()
    for shade, (file, _) in enumerate(TEST):
        clip(tmp_path / "clips" / file, 40 + 70 * shade)
    return tmp_path


def test_it_is_listed_and_counted_like_any_benchmark(folder: Path) -> None:
    assert "own-kitchen" in maxi("data", "list")
    (split,) = json.loads(
        maxi("data", "stats", "-b", "kitchen", "--annotations", folder, "--videos", folder / "clips", "--json")
    )["splits"]
    assert (split["split"], split["videos"], split["classes"], split["missing"]) == ("test", 3, 4, [])


def test_few_shot_lists_are_drawn_from_its_training_part(folder: Path) -> None:
    said = json.loads((folder / "kitchen.json").read_text())
    said["train"].append({"file": "d.mp4", "class": "pour milk"})
    (folder / "kitchen.json").write_text(json.dumps(said))
    maxi("data", "shots", "-b", "kitchen", "--annotations", folder, "--shots", 1, "--out", folder / "shots")
    assert sorted((folder / "shots" / "split.txt").read_text().split()) == sorted(
        ["a.mp4", "0", "c.mp4", "1", "d.mp4", "2", "b.mp4", "3"]
    )


def test_a_model_is_scored_by_its_own_metric_beside_the_others(folder: Path) -> None:
    shown = maxi(
        "eval", "sandbox", "-b", "own-kitchen", "--annotations", folder, "--videos", folder / "clips",
        "--out", folder / "eval", "--frames", 2, "--device", "cpu", "-o", "video.workers=0", "--quiet",
    )  # fmt: skip
    (record,) = json.loads((folder / "eval" / "sandbox" / "scores.json").read_text())
    assert record["metric"] == "verb"
    assert 0 <= record["metrics"]["top1"] <= record["metrics"]["verb"] <= 1
    assert f"own-kitchen:test: verb {100 * record['metrics']['verb']:.1f}" in shown
    assert "verb" in maxi("compare", folder / "eval" / "sandbox" / "scores.json", "--tables", "none")


def test_a_file_that_is_not_right_is_one_line(folder: Path) -> None:
    (folder / "kitchen.json").write_text("{}")
    with pytest.raises(UsageError, match=r"kitchen\.json is not of the form"):
        open_benchmark("own-kitchen", annotations=folder)
