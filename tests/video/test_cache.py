"""The frame cache: what is read back is what was decoded, and the folder never outgrows its cap."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frame_cache import SCHEMA, FrameCache
from maxi_core.video.frames import Decoded, Frames, Info
from maxi_core.video.jobs import Job
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling

MIDDLES = {"clip": Sampling("middles", 4)}


@pytest.fixture
def clip(tmp_path: Path, good: Path) -> Path:
    return Path(shutil.copy(good, tmp_path / "clip.mp4"))


def decoded(seed: int = 0, size: int = 32) -> Decoded:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    return Decoded((pixels,), 90, 100, "damaged frames: 1", Info("h264", "mp4", 32, 32, 25.0, None))


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_kept_comes_back_to_the_byte(tmp_path: Path, clip: Path) -> None:
    cache, job = FrameCache(tmp_path / "cache", 10**9, "pyav"), Job(Video("a", clip), MIDDLES)
    assert cache.get(job) is None
    cache.put(job, decoded())
    kept = FrameCache(tmp_path / "cache", 10**9, "pyav").get(job)
    assert kept is not None
    assert kept.pixels[0].tobytes() == decoded().pixels[0].tobytes()
    assert (kept.found, kept.declared, kept.damage, kept.info) == (90, 100, "damaged frames: 1", decoded().info)


def test_another_request_or_a_changed_file_is_a_miss(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "cache"
    job = Job(Video("a", clip), MIDDLES)
    FrameCache(folder, 10**9, "pyav/256").put(job, decoded())
    cache = FrameCache(folder, 10**9, "pyav/256")
    assert cache.get(Job(Video("another id", clip), {"same": Sampling("middles", 4)})) is not None
    assert cache.get(Job(Video("a", clip, 0.0, 1.0), MIDDLES)) is None
    assert cache.get(Job(Video("a", clip), {"clip": Sampling("middles", 8)})) is None
    assert cache.get(Job(Video("a", clip), {"clip": Sampling("uniform", 4)})) is None
    assert cache.get(Job(Video("a", clip), {"clip": Sampling("middles", 4, side=64)})) is None
    assert cache.get(Job(Video("a", clip), {**MIDDLES, "other": Sampling("middles", 4, side=64)})) is None
    assert FrameCache(folder, 10**9, "decord/256").get(job) is None
    os.utime(clip, ns=(1, 1))
    assert cache.get(job) is None


def test_what_is_kept_serves_whoever_wants_the_same_samplings_or_some_of_them_whatever_else_was_wanted(
    tmp_path: Path, clip: Path
) -> None:
    big, small, others = Sampling("uniform", 2, side=80), Sampling("middles", 4, side=16), Sampling("all", side=16)
    options = VideoOptions(workers=0, frame_cache=tmp_path / "cache")
    [(_, first)] = read_videos([Video("a", clip)], {"a": big, "b": small}, options)
    [(_, whole)] = read_videos([Video("a", clip)], {"c": others}, options)
    stamp = clip.stat().st_mtime_ns
    clip.write_bytes(b"x" * clip.stat().st_size)  # no video any more, but it looks unchanged
    os.utime(clip, ns=(stamp, stamp))
    [(_, again)] = read_videos(
        [Video("b", clip)], {"z": small, "y": big, "x": Sampling("middles", 4.0, side=16), "w": others}, options
    )
    assert isinstance(first, Frames)
    assert isinstance(whole, Frames)
    assert isinstance(again, Frames)
    assert again["w"].tobytes() == whole["c"].tobytes()
    assert again["y"].tobytes() == first["a"].tobytes()
    assert again["z"].tobytes() == again["x"].tobytes() == first["b"].tobytes()
    [(_, part)] = read_videos([Video("a", clip)], {"a": big}, options)
    assert isinstance(part, Frames)
    assert part["a"].tobytes() == first["a"].tobytes()
    [(_, more)] = read_videos([Video("a", clip)], {"a": big, "b": Sampling("middles", 5, side=16)}, options)
    assert not isinstance(more, Frames)  # of one sampling nothing was kept


def test_an_entry_of_an_older_format_is_a_miss(tmp_path: Path, clip: Path) -> None:
    from maxi_core.video.frame_cache import _digest

    cache, job = FrameCache(tmp_path / "cache", 10**9, "pyav"), Job(Video("a", clip), MIDDLES)
    cache.put(job, decoded())
    [entry] = entries(tmp_path / "cache")
    _, _, body = entry.read_bytes().partition(b"\n")
    old = body.replace(b'"schema": %d' % SCHEMA, b'"schema": 1', 1)
    assert old != body
    entry.write_bytes(_digest(old) + b"\n" + old)
    assert cache.get(job) is None


def test_random_frames_and_missing_files_are_not_kept(tmp_path: Path, clip: Path) -> None:
    cache = FrameCache(tmp_path / "cache", 10**9, "pyav")
    cache.put(Job(Video("a", clip), {"train": Sampling("random", 4, seed="0")}), decoded())
    cache.put(Job(Video("a", tmp_path / "vanished.mp4"), MIDDLES), decoded())
    assert entries(tmp_path / "cache") == []


@pytest.mark.parametrize("place", [0, 40, 200, -1])
def test_an_entry_with_one_wrong_byte_or_cut_short_is_a_miss(tmp_path: Path, clip: Path, place: int) -> None:
    cache, job = FrameCache(tmp_path / "cache", 10**9, "pyav"), Job(Video("a", clip), MIDDLES)
    cache.put(job, decoded())
    [entry] = entries(tmp_path / "cache")
    whole = entry.read_bytes()
    poisoned = bytearray(whole)
    poisoned[place] ^= 1
    entry.write_bytes(poisoned)
    assert cache.get(job) is None
    entry.write_bytes(whole[: len(whole) // 2])
    assert cache.get(job) is None
    cache.put(job, decoded())
    assert cache.get(job) is not None


def test_the_folder_never_outgrows_its_cap_and_the_entries_in_use_stay(tmp_path: Path) -> None:
    folder, cap = tmp_path / "cache", 400_000
    cache = FrameCache(folder, cap, "pyav", writers=1)
    jobs = []
    for number in range(60):  # of 12 kB each
        path = tmp_path / f"{number}.mp4"
        path.write_text("x")
        jobs.append(Job(Video(str(number), path), MIDDLES))
        cache.put(jobs[-1], decoded(number))
        for place, entry in enumerate(sorted(entries(folder), key=lambda entry: entry.stat().st_mtime_ns)):
            stamp = 10**9 * (place + 1)  # clocks of file systems are coarse; keep the order that it has
            os.utime(entry, ns=(stamp, stamp))
        assert cache.get(jobs[0]) is not None  # which makes it the newest
        assert sum(entry.stat().st_size for entry in entries(folder)) <= cap
    assert cache.get(jobs[59]) is not None
    assert cache.get(jobs[1]) is None
    assert len(entries(folder)) >= 25


def test_an_entry_too_large_for_the_cap_is_not_kept(tmp_path: Path, clip: Path) -> None:
    cache = FrameCache(tmp_path / "cache", 100_000, "pyav")
    cache.put(Job(Video("a", clip), MIDDLES), decoded())
    assert entries(tmp_path / "cache") == []


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "cache"
    (folder / "ab").mkdir(parents=True)
    (folder / "ab" / "tmp-old").write_text("half")
    os.utime(folder / "ab" / "tmp-old", (1, 1))
    (folder / "ab" / "tmp-new").write_text("half")
    FrameCache(folder, 10**9, "pyav").put(Job(Video("a", clip), MIDDLES), decoded())
    assert not (folder / "ab" / "tmp-old").exists()
    assert (folder / "ab" / "tmp-new").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_second_run_reads_the_cache_and_not_the_video(tmp_path: Path, clip: Path, workers: int) -> None:
    videos = [Video("clip.mp4", clip)]
    options = VideoOptions(workers=workers, frame_cache=tmp_path / "cache")
    [(_, first)] = read_videos(videos, MIDDLES, options)
    size, stamp = clip.stat().st_size, clip.stat().st_mtime_ns
    clip.write_bytes(b"x" * size)  # no video any more, but it looks unchanged
    os.utime(clip, ns=(stamp, stamp))
    [(_, second)] = read_videos(videos, MIDDLES, options)
    assert isinstance(first, Frames)
    assert isinstance(second, Frames)
    assert second["clip"].tobytes() == first["clip"].tobytes()
    assert (second.indices, second.found, second.declared) == (first.indices, first.found, first.declared)
    [(_, without)] = read_videos(videos, MIDDLES, VideoOptions(workers=workers))
    assert not isinstance(without, Frames)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cache_folder_that_cannot_be_used_is_one_error(tmp_path: Path, clip: Path, workers: int) -> None:
    (tmp_path / "file").write_text("x")
    options = VideoOptions(workers=workers, frame_cache=tmp_path / "file" / "cache")
    with pytest.raises(UsageError, match="frame cache .* cannot be used"):
        list(read_videos([Video("clip.mp4", clip)], MIDDLES, options))
