import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "tiny"


def maxi(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "maxi_cli", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_name_is_videos_and_they_are_rendered_once(home: Path) -> None:
    videos = json.loads(maxi("check", "tiny", "--json", "-o", "video.workers=0"))["videos"]
    assert [video["video"] for video in videos] == ["moving.mp4", "still.mp4"]
    before = (home / "1" / "videos").stat().st_mtime_ns
    maxi("check", "tiny", "-o", "video.workers=0")
    assert (home / "1" / "videos").stat().st_mtime_ns == before


def test_its_name_is_a_recipe_in_which_the_names_stand() -> None:
    settings = json.loads(maxi("env", "--config", "tiny", "--json"))["settings"]
    assert settings["bags.videos"] == "tiny (tiny.toml)"
    assert settings["train.labels"] == "tiny (tiny.toml)"


def test_its_benchmark_scores_a_model() -> None:
    assert "of the world tiny: tiny-moves" in maxi("data", "list")
    maxi(
        "eval", "sandbox", "-b", "tiny-moves", "--dictionary", "tiny", "--out", "eval", "--frames", "2",
        "--device", "cpu", "-o", "video.workers=0", "--quiet",
    )  # fmt: skip
    (record,) = json.loads(Path("eval/sandbox/scores.json").read_text())
    assert (record["n"], record["classes"], record["skipped"]) == (2, 2, 0)


def test_its_labels_are_learned_from() -> None:
    maxi(
        "train", "--config", "tiny", "--out", "run", "--epochs", "1", "--batch-size", "2", "--frames", "2",
        "--device", "cpu", "-o", "video.workers=0", "-o", "train.freeze=both", "--quiet",
    )  # fmt: skip
    recipe = Path("run/recipe.toml").read_text()
    assert 'labels = "tiny"' in recipe
    assert 'model = "sandbox"' in recipe


def test_a_model_that_it_has_not_is_said_with_its_name() -> None:
    words = ("predict", "tiny", "tiny", "--labels", "a,b")
    done = subprocess.run([sys.executable, "-m", "maxi_cli", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the world 'tiny' has no clip; name another world, or a path" in " ".join(done.stderr.split())
