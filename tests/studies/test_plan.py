"""What a study is made of before anything is made: shared steps, counted settings, conditions, second trainings."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from maxi_core.evaluation.published import published
from maxi_core.studies.study import SHIPPED, read_study


@pytest.fixture
def plan(maxi, tmp_path: Path):
    """Return what `--dry-run` says of a study in the sandbox, its videos and models not looked at."""

    def of(study: str, *more: str) -> dict[str, Any]:
        done = maxi("study", study, "--dry-run", "--json", "--out", str(tmp_path / "out"), *more)
        assert (done.code, done.err) == (0, "")
        found: dict[str, Any] = json.loads(done.out)
        return found

    return of


@pytest.mark.long  # the sandbox's films are rendered, eight times
@pytest.mark.parametrize("name", SHIPPED)
def test_every_study_that_ships_is_planned_in_the_sandbox(name: str, plan) -> None:
    found = plan(name)
    assert found["left_out"] == {}
    assert found["variants"]


def test_every_published_row_that_a_study_names_is_there() -> None:
    rows = {(one.table, one.method, one.setting) for one in published()}
    for name in SHIPPED:
        study = read_study(name)
        for variant in study.variants:
            if said := variant.about.published:
                parts = said.split("/")
                table, row, setting = (study.head.table, said, "") if len(parts) == 1 else (*parts, "")[:3]
                assert (table, row, setting) in rows, (name, variant.name)


CHECKED = """
[variants.a]
[variants.noise]
sources.injector = "webvid"
webvid.captions = "FOLDER/noise.txt"
webvid.seed = 3
per_entry.webvid.noise = 1.0
[variants.here]
when.train.loss = "mil_nce"
train.lr = 1e-4
[variants.elsewhere]
when.train.loss = "ce"
[variants.again]
then.train.loss = "ce"
[variants.shots]
on = "nothing"
then.train.loss = "ce"
then.train.batch_size = 2
"""


def test_settings_are_counted_conditions_looked_at_and_second_trainings_begin_where_the_first_ended(
    mine, tmp_path: Path, maxi
) -> None:
    (tmp_path / "noise.txt").write_text("a man chopping wood\na woman surfing a wave\na child feeding pigeons\n")
    (tmp_path / "own.toml").write_text(CHECKED.replace("FOLDER", str(tmp_path)))
    bench = str(mine.folder / "bench")
    shots = ("--shots", bench, "--then", "train.epochs=1", "--benchmark", f"{bench},{bench}/split.txt")
    command = (
        "study",
        str(tmp_path / "own.toml"),
        "--config",
        str(mine.recipe),
        "--out",
        str(tmp_path / "out"),
        *shots,
    )
    planned = json.loads(maxi(*command, "--dry-run", "--json").out)
    assert planned["variants"] == ["a", "noise", "here", "again", "shots"]
    assert {kind: found["steps"] for kind, found in planned["steps"].items()} == {
        "bags": 2, "train": 5, "mix": 3, "scores": 5,
    }  # fmt: skip
    done = maxi(*command, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert f"{mine.folder / 'bench'} is not scored: its videos are the shots" in " ".join(done.out.split())
    found = json.loads((tmp_path / "out" / "own" / "study.json").read_text())
    facts = {line["name"]: line["facts"] for line in found["lines"]}
    assert facts["noise"]["entries"] == 6
    assert facts["noise"]["noise"]["words"] + facts["noise"]["noise"]["phrases"] == 3
    begun = {
        json.loads(path.read_text())["made_of"]["model"]
        for path in (tmp_path / "out/steps/train").glob("ce-*/step.json")
    }
    (first,) = (path.parent.name for path in (tmp_path / "out/steps/mix").glob("*/step.json") if _key(path) in begun)
    assert first.startswith("0.2-")
    assert str(mine.folder / "model") in begun


def _key(path: Path) -> str:
    return str(json.loads(path.read_text())["key"])


def test_videos_of_one_name_in_two_folders_are_not_taken_for_each_other(mine, tmp_path: Path, maxi) -> None:
    """Bags of `clips/0.mp4` are not those of another `clips/0.mp4`, whether of a run or of a benchmark's vote."""
    shutil.copytree(mine.folder / "clips", tmp_path / "clips")
    shutil.copytree(mine.folder / "bench", tmp_path / "other")
    vote = f'on = "vote"\nsources = "says,dictionary"\ndictionary.model = "{mine.folder / "model"}"\n'
    (tmp_path / "own.toml").write_text(f"[variants.vote]\n{vote}[variants.a]\n")
    command = ("study", str(tmp_path / "own.toml"), "--config", str(mine.recipe), "--out", str(tmp_path / "out"))
    both = ("--benchmark", f"{mine.folder / 'bench'},{tmp_path / 'other'}")

    def left(*more: str) -> dict[str, int]:
        planned = json.loads(maxi(*command, *more, "--dry-run", "--json").out)
        return {kind: found["left"] for kind, found in planned["steps"].items()}

    assert left(*both)["bags"] == 2 + 1
    assert maxi(*command, "--quiet").code == 0
    assert left()["bags"] == 0
    assert left("--videos", str(tmp_path / "clips"))["bags"] == 1
