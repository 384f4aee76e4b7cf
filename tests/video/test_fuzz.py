"""Damage in the middle of files: every one is read, flagged or named, and nothing crashes or hangs."""

from pathlib import Path
from random import Random

import pytest

from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from tests.video.decoding import loadable

SOURCES = ("h264-open-gop", "mpeg4-b-avi", "vp9", "ts", "hevc")
DAMAGES = ("flip bits", "overwrite", "cut", "remove", "swap")


def damaged(data: bytes, damage: str, rng: Random) -> bytes:
    """Return `data` with one kind of damage, anywhere but in its first 64 bytes."""
    content = bytearray(data)
    at, size = rng.randrange(64, len(content) - 600), rng.randrange(1, 500)
    if damage == "flip bits":
        for _ in range(rng.choice([1, 10, 100])):
            content[rng.randrange(64, len(content))] ^= 1 << rng.randrange(8)
    elif damage == "overwrite":
        content[at : at + size] = rng.randbytes(size)
    elif damage == "cut":
        del content[at:]
    elif damage == "remove":
        del content[at : at + size]
    else:
        half = size // 2 + 1
        content[at : at + half], content[at + half : at + 2 * half] = (
            content[at + half : at + 2 * half],
            content[at : at + half],
        )
    return bytes(content)


def write_damaged(folder: Path, matrix: dict[str, Path], count: int, seed: int) -> list[Video]:
    rng = Random(seed)
    videos = []
    for number in range(count):
        source = matrix[SOURCES[number % len(SOURCES)]]
        damage = DAMAGES[number // len(SOURCES) % len(DAMAGES)]
        path = folder / f"{number:03d} {damage}{source.suffix}"
        path.write_bytes(damaged(source.read_bytes(), damage, rng))
        videos.append(Video(path.name, path))
    return videos


def check(videos: list[Video], decoder: str) -> dict[str, int]:
    """Read all and count what became of them; a crash or a hang shows as such, since nothing is tried again."""
    options = VideoOptions(workers=2, decoder=decoder, timeout=20, retries=0)
    outcomes = {"whole": 0, "flagged": 0, "named": 0}
    results = list(read_videos(videos, {"clip": Sampling("middles", 8)}, options))
    assert [video for video, _ in results] == videos
    for video, answer in results:
        if isinstance(answer, Frames):
            assert answer["clip"].shape[0] == 8
            outcomes["flagged" if answer.flag else "whole"] += 1
        else:
            assert answer.error not in ("crash", "timeout", "memory"), (video.id, answer)
            assert answer.reason
            assert "\n" not in answer.reason
            outcomes["named"] += 1
    return outcomes


def assert_all_were_tried(outcomes: dict[str, int], decoder: str) -> None:
    """The damage is neither too weak nor too strong: every outcome occurs; all but pyav flag nothing but refuse."""
    expected = {"whole", "flagged", "named"} if decoder == "pyav" else {"whole", "named"}
    assert {outcome for outcome, count in outcomes.items() if count} == expected, outcomes


@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
def test_damaged_files_are_read_flagged_or_named(tmp_path: Path, matrix: dict[str, Path], decoder: str) -> None:
    loadable(decoder)
    outcomes = check(write_damaged(tmp_path, matrix, 50, seed=0), decoder)
    assert sum(outcomes.values()) == 50
    assert_all_were_tried(outcomes, decoder)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
def test_200_damaged_files_are_read_flagged_or_named(tmp_path: Path, matrix: dict[str, Path], decoder: str) -> None:
    loadable(decoder)
    outcomes = check(write_damaged(tmp_path, matrix, 200, seed=1), decoder)
    assert sum(outcomes.values()) == 200
    assert_all_were_tried(outcomes, decoder)


def test_what_is_given_of_a_damaged_file_does_not_depend_on_threads(tmp_path: Path, matrix: dict[str, Path]) -> None:
    wanted = {"clip": Sampling("middles", 8)}
    videos = write_damaged(tmp_path, matrix, 25, seed=2)
    alone, workers = (list(read_videos(videos, wanted, VideoOptions(workers=count))) for count in (0, 2))
    for (video, one), (_, other) in zip(alone, workers, strict=True):
        if isinstance(one, Frames) and isinstance(other, Frames):
            assert (one.found, one.indices) == (other.found, other.indices), video.id
            assert one["clip"].tobytes() == other["clip"].tobytes(), video.id
        else:
            assert one == other, video.id
