"""Videos that cannot be read: replaced by a stated rule, the same on every rank, counted, recorded once."""

import json
from pathlib import Path

import numpy as np
import pytest

from maxi_core.batches.bag_index import open_bags
from maxi_core.batches.batch import BatchPlan
from maxi_core.batches.loader import Batches
from maxi_core.errors import MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import TextBag
from maxi_core.video.skips import SkipLog, TooManySkippedError
from tests.batches.conftest import SIZE, VIDEOS, Maker, bags_of, digest
from tests.batches.runs import bag, write_run
from tests.video.clips import write

BROKEN = (2, 5, 6)


@pytest.fixture
def damaged(films: Path, tmp_path: Path) -> list[TextBag]:
    """Return bags of which some have videos that are text files, or are not there."""
    bags = bags_of(films)
    for number in BROKEN:
        path = tmp_path / f"broken {number}.mp4"
        if number != 5:
            path.write_text("no video at all\n")
        old = bags[number]
        bags[number] = bag(old.match.video.id, old.match.entry, old.match.score, ["said"], path=path)
    return bags


def test_a_broken_video_is_replaced_by_one_that_can_be_read_and_the_rest_stays(batches: Maker, damaged) -> None:
    whole, made = batches(batch_size=1), batches(damaged, batch_size=1)
    good = {batch.number: (batch.videos, digest(batch)) for batch in whole.epoch(0)}
    found = {batch.number: (batch.videos, digest(batch)) for batch in made.epoch(0)}
    lost = {number for number, (videos, _) in good.items() if videos[0] in {f"{n}.mp4" for n in BROKEN}}
    assert len(lost) == len(BROKEN)
    assert found.keys() == good.keys()
    assert {number for number in good if found[number] != good[number]} == lost
    assert not {videos[0] for videos, _ in found.values()} & {f"{n}.mp4" for n in BROKEN}
    assert made.counts.broken == len(BROKEN)


def test_whoever_comes_across_a_broken_video_replaces_it_alike(batches: Maker, damaged) -> None:
    expected = [[digest(batch) for batch in batches(damaged).epoch(epoch)] for epoch in (0, 1)]
    assert expected[0] != expected[1]
    once = batches(damaged, workers=2, hold_gb=1.0)
    assert [[digest(batch) for batch in once.epoch(epoch)] for epoch in (0, 1)] == expected
    for rank in (0, 1):
        own = [digest(batch) for batch in batches(damaged).epoch(1, rank=rank, world=2)]
        assert own == expected[1][rank::2]
    assert [digest(batch) for batch in batches(damaged).epoch(1, start=2)] == expected[1][2:]


def test_a_broken_video_is_recorded_once_with_its_reason_and_not_read_again(
    batches: Maker, damaged, tmp_path: Path
) -> None:
    log = tmp_path / "skipped.jsonl"
    made = batches(damaged, log=SkipLog(log, None, "train"), workers=1)
    for epoch in range(3):
        list(made.epoch(epoch))
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(r["video"], r["stage"], r["error"]) for r in records} == {
        ("2.mp4", "train", "not-a-video"),
        ("5.mp4", "train", "missing"),
        ("6.mp4", "train", "not-a-video"),
    }
    assert len(records) == 3


def test_a_video_that_was_broken_once_stays_so_while_the_process_lives(batches: Maker, damaged, tmp_path: Path) -> None:
    """Else one that hangs would cost its minute in every epoch."""
    made = batches(damaged)
    before = [digest(batch) for batch in made.epoch(0)]
    for number in BROKEN:
        (tmp_path / f"broken {number}.mp4").write_bytes((batches.films / f"{number}.mp4").read_bytes())
    assert [digest(batch) for batch in made.epoch(0)] == before
    assert [digest(batch) for batch in batches(damaged).epoch(0)] != before


def test_more_broken_videos_than_allowed_end_the_epoch(batches: Maker, damaged) -> None:
    for workers in (0, 1):
        made = batches(damaged, log=SkipLog(None, 1, "train"), workers=workers)
        with pytest.raises(TooManySkippedError, match="more .*than --max-skipped 1"):
            list(made.epoch(0))


def test_a_set_without_one_video_that_can_be_read_is_an_error_and_no_endless_search(batches: Maker, tmp_path) -> None:
    bags = [bag(f"{n}.mp4", "waving", 0.1, path=tmp_path / "nowhere.mp4") for n in range(5)]
    with pytest.raises(MaxiError, match=r"cannot be read, nor can 100 other videos.*no such file.*maxi check"):
        list(batches(bags).epoch(0))


def test_a_decoder_that_dies_or_hangs_costs_one_video(tmp_path: Path, films: Path, tokens) -> None:
    names = ["a.mp4", "crash.mp4", "c.mp4", "hang.mp4", "e.mp4", "f.mp4"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    run = write_run(tmp_path, [bag(name, "waving", 0.1, path=tmp_path / name) for name in names])
    reading = VideoOptions(decoder="tests.video.faulty:decode", workers=2, timeout=2.0, retries=0)
    made = Batches(open_bags(run), BatchPlan(2, 4, hold_gb=0.0), tokens, SIZE, reading)
    seen = [video for batch in made.epoch(0) for video in batch.videos]
    assert len(seen) == 6
    assert set(seen) <= {"a.mp4", "c.mp4", "e.mp4", "f.mp4"}
    assert made.counts.broken == 2


@pytest.mark.parametrize("augmentation", ["paper", "none"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_video_with_fewer_frames_than_wanted_repeats_them(
    batches: Maker, tmp_path: Path, length: int, augmentation: str
) -> None:
    path = write(tmp_path / "short.mp4", [np.full((48, 64, 3), 40 + 60 * place, np.uint8) for place in range(length)])
    bags = [bag("short.mp4", "waving", 0.1, path=path)]
    for held in (0.0, 1.0):
        (batch,) = batches(bags, batch_size=1, frames=8, augmentation=augmentation, hold_gb=held).epoch(0)
        assert batch.frames.shape == (1, 8, 3, SIZE, SIZE)
        assert len({frame.numpy().tobytes() for frame in batch.frames[0]}) == length


def test_a_video_that_is_longer_than_what_is_held_is_decoded_every_time(
    batches: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [digest(batch) for batch in batches().epoch(0)]
    monkeypatch.setattr("maxi_core.batches.clips.MOST_FRAMES", 12)
    made = batches(hold_gb=1.0)
    made._clips._holding = True
    assert [digest(batch) for batch in made.epoch(0)] == expected
    assert made._clips._held == {}
    assert VIDEOS > 12
