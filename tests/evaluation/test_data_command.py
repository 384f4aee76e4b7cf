"""`maxi data`: known benchmarks, what is in their files and on the disk, converted lists, few-shot lists."""

import json
from collections import Counter
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Annotations, Listing, Row, read_list
from maxi_core.evaluation.benchmarks.opening import open_benchmark, training_split
from maxi_core.evaluation.survey import few_shot


def test_the_list_names_every_benchmark_in_80_columns(maxi) -> None:
    ran = maxi("data", "list")
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    document = json.loads(maxi("data", "list", "--json").out)
    assert [one["name"] for one in document["benchmarks"]][:3] == ["ucf101", "hmdb51", "kinetics600-novel"]
    assert document["benchmarks"][0]["videos"] == {"1": 3783, "2": 3734, "3": 3696}
    assert all(one["name"] in ran.out for one in document["benchmarks"])


def test_stats_count_videos_labels_missing_files_and_seconds(maxi, world) -> None:
    (world.benchmark / "list.txt").write_text("videos/00.mp4 0\nvideos/01.mp4 1\ngone.mp4 0\n")
    (world.benchmark / "bad.mp4").write_bytes(b"text")
    ran = maxi("data", "stats", "-b", str(world.benchmark / "list.txt"), "--durations", "--json")
    (split,) = json.loads(ran.out)["splits"]
    assert (split["videos"], split["classes"], split["missing"]) == (3, 4, ["gone.mp4"])
    assert split["videos_per_class"] == [0, 0.75, 2]
    assert split["seconds"] == pytest.approx([1.2] * 4)
    shown = maxi("data", "stats", "-b", str(world.benchmark / "list.txt"), "--durations").out
    assert "missing: gone.mp4" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_what_is_converted_is_the_same_benchmark(maxi, world, tmp_path: Path) -> None:
    ran = maxi("data", "convert", "-b", str(world.benchmark), "--out", str(tmp_path / "lists"))
    assert ran.code == 0
    before = open_benchmark(str(world.benchmark)).splits[0]
    after = open_benchmark(str(tmp_path / "lists"), videos=world.benchmark).splits[0]
    assert after.sha256 == before.sha256


def training(folder: Path) -> Listing:
    """Write HMDB51's official files of two classes with five training videos each."""
    for name in ("brush_hair", "wave"):
        lines = [f"{name}_{number}.avi 1 \n" for number in range(5)] + [f"{name}_test.avi 2 \n"]
        (folder / f"{name}_test_split1.txt").write_text("".join(lines))
    return training_split("hmdb51", Annotations(folder))


def test_few_shot_lists_hold_k_training_videos_of_each_class_and_grow_with_k(tmp_path: Path) -> None:
    listing = training(tmp_path)
    drawn = {shots: few_shot(listing, shots, seed=3) for shots in (2, 4)}
    for shots, found in drawn.items():
        assert Counter(row.names[0] for row in found.rows) == {"brush hair": shots, "wave": shots}
        assert not any("test" in row.path for row in found.rows)
    assert {row.path for row in drawn[2].rows} < {row.path for row in drawn[4].rows}
    assert few_shot(listing, 2, seed=3) == drawn[2]
    assert any(few_shot(listing, 2, seed=other) != drawn[2] for other in range(4, 9))


def test_the_training_videos_of_a_benchmark_are_never_those_it_is_scored_on(tmp_path: Path) -> None:
    trained = {row.stem for row in training(tmp_path).rows}
    scored = {sample.id for sample in open_benchmark("hmdb51:1", annotations=tmp_path).splits[0].samples}
    assert (len(scored), len(trained), scored & trained) == (2, 10, set())


def test_more_shots_than_videos_are_refused() -> None:
    listing = Listing(("a", "b"), (Row("x.mp4", ("a",)), Row("y.mp4", ("a",)), Row("z.mp4", ("b",))), ())
    with pytest.raises(UsageError, match="'b' has 1 video, and 2 are wanted"):
        few_shot(listing, 2)


def test_the_command_writes_a_few_shot_list_that_reads_back(maxi, tmp_path: Path) -> None:
    training(tmp_path)
    out = tmp_path / "few"
    ran = maxi("data", "shots", "-b", "hmdb51", "--annotations", str(tmp_path), "--shots", "2", "--out", str(out))
    assert ran.code == 0
    assert len(read_list(out / "split.txt", out / "labels.csv").rows) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stats"], "which benchmark?"),
        (["stats", "-b", "ucf102"], "did you mean 'ucf101'?"),
        (["convert", "-b", "ucf101"], "one benchmark goes into one folder"),
        (["shots", "-b", "uav-human", "--annotations", ".", "--out", "x"], "no training split is known of 'uav-human'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(maxi, arguments, said: str) -> None:
    ran = maxi("data", *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert said in ran.err
