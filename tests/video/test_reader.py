"""Reading many videos: order, failures, crashes, hangs, and nothing left behind."""

import gc
import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job
from maxi_core.video.reader import Pool, pools_kept, read_videos
from maxi_core.video.sampling import Sampling, segment_middles, uniform, union
from maxi_core.video.skips import VideoFailed
from tests.video.clips import numbers_in

WANTED = {"clip": Sampling("middles", 16), "captioner": Sampling("uniform", 8)}
FAULTY = "tests.video.faulty:decode"


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    gc.collect()
    files, threads, children = psutil.Process().num_fds(), threading.active_count(), psutil.Process().children()
    yield
    gc.collect()
    assert psutil.Process().children() == children
    assert psutil.Process().num_fds() == files
    assert threading.active_count() == threads


def fake(*names: str) -> list[Video]:
    return [Video(name, Path(name)) for name in names]


def reasons(results: list[tuple[Video, Frames | VideoFailed]]) -> dict[str, str]:
    return {video.id: answer.error for video, answer in results if isinstance(answer, VideoFailed)}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_one_pass_serves_all_consumers_in_order(matrix: dict[str, Path], workers: int) -> None:
    names = ["h264", "hevc", "vp9", "mpeg4-b-avi", "ts"] * 4
    videos = [Video(f"{i}", matrix[name]) for i, name in enumerate(names)]
    results = list(read_videos(videos, WANTED, VideoOptions(workers=workers)))
    assert [video for video, _ in results] == videos
    for _, frames in results:
        assert isinstance(frames, Frames)
        assert numbers_in(frames["clip"]) == list(segment_middles(90, 16)) == list(frames.indices["clip"])
        assert numbers_in(frames["captioner"]) == list(uniform(90, 8))
        assert frames["clip"].shape == (16, 96, 160, 3)
        assert frames.pixels["clip"] is frames.pixels["captioner"]  # of one size: each distinct frame is held once
        assert frames.places["clip"] == union([segment_middles(90, 16), uniform(90, 8)])


def test_random_frames_do_not_depend_on_the_number_of_workers(matrix: dict[str, Path]) -> None:
    videos = [Video(f"{i}", matrix["h264"]) for i in range(6)]
    wanted = {"train": Sampling("random", 8, seed="0/1")}

    def seen(workers: int) -> list[list[int]]:
        read = read_videos(videos, wanted, VideoOptions(workers=workers))
        return [numbers_in(frames["train"]) for _, frames in read if isinstance(frames, Frames)]

    assert seen(0) == seen(1) == seen(3)
    assert len({tuple(numbers) for numbers in seen(0)}) == 6


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_cannot_be_read_is_one_failed_answer_and_the_rest_is_as_without_it(
    tmp_path: Path, matrix: dict[str, Path], workers: int
) -> None:
    from tests.video.bad import bad_files

    bad = bad_files(tmp_path, matrix)
    good = [Video("good", matrix["h264"]), Video("other", matrix["hevc"])]
    mixed = [good[0], *(Video(kind, path) for kind, path in bad.items()), good[1]]
    results = list(read_videos(mixed, WANTED, VideoOptions(workers=workers)))
    assert [video for video, _ in results] == mixed
    assert reasons(results) == {kind: kind.partition("/")[0] for kind in bad}
    alone = dict(read_videos(good, WANTED, VideoOptions(workers=workers)))
    for video, answer in results:
        if isinstance(answer, Frames):
            clean = alone[video]
            assert isinstance(clean, Frames)
            assert all(answer[name].tobytes() == clean[name].tobytes() for name in WANTED)
        else:
            assert "\n" not in answer.reason
            assert answer.fix in answer.reason


def test_a_crash_costs_one_video_after_its_retries() -> None:
    videos = fake("a", "crash", "b", "c", "crash too", "d")
    results = list(read_videos(videos, WANTED, VideoOptions(decoder=FAULTY, workers=2, retries=2)))
    assert [video for video, _ in results] == videos
    assert reasons(results) == {"crash": "crash", "crash too": "crash"}
    [reason] = {answer.reason for _, answer in results if isinstance(answer, VideoFailed)}
    assert reason.startswith("it crashed the decoder (SIGSEGV) (3 times)")


def test_a_video_that_crashes_once_is_read_the_second_time(tmp_path: Path) -> None:
    video = Video("crash-once", tmp_path / "crash-once.mp4")
    options = VideoOptions(decoder=FAULTY, workers=1, retries=1)
    assert reasons(list(read_videos([video], WANTED, options))) == {}
    (tmp_path / "crash-once.tried").unlink()
    assert reasons(list(read_videos([video], WANTED, options.model_copy(update={"retries": 0})))) == {
        "crash-once": "crash"
    }


def test_a_hang_costs_one_video_and_the_time_it_was_given_and_each_try_is_said(logged: list[str]) -> None:
    videos = fake("a", "hang", "b", "c")
    began = time.monotonic()
    results = list(read_videos(videos, WANTED, VideoOptions(decoder=FAULTY, workers=2, timeout=1.5, retries=1)))
    assert 3.0 <= time.monotonic() - began < 30
    assert reasons(results) == {"hang": "timeout"}
    assert logged == ["hang: it took longer than 1.5 s; it is tried again"]
    assert "it took longer than 1.5 s (2 times); raise --video-timeout" in {
        answer.reason for _, answer in results if isinstance(answer, VideoFailed)
    }


def test_a_hang_at_the_very_first_video_does_not_get_the_time_a_process_may_take_to_start() -> None:
    began = time.monotonic()
    results = list(read_videos(fake("hang"), WANTED, VideoOptions(decoder=FAULTY, workers=1, timeout=1.0, retries=0)))
    assert 1.0 <= time.monotonic() - began < 30
    assert reasons(results) == {"hang": "timeout"}


def test_what_a_strangers_decoder_raises_prints_or_returns_wrongly_stays_with_one_video() -> None:
    videos = fake("raise", "wrong", "print", "a")
    results = list(read_videos(videos, WANTED, VideoOptions(decoder=FAULTY, workers=1)))
    assert reasons(results) == {"raise": "decoder", "wrong": "decoder"}
    said = {video.id: answer.reason for video, answer in results if isinstance(answer, VideoFailed)}
    assert said["raise"].startswith("the decoder raised RuntimeError: a stranger's mistake;")
    assert "float32" in said["wrong"]


@pytest.mark.parametrize(
    ("decoder", "what"),
    [
        ("pyva", r"no decoder is called 'pyva' \(did you mean 'pyav'\?\)"),
        ("no_such_module:decode", "cannot be loaded"),
        ("tests.video.faulty:nothing", "cannot be loaded"),
        ("tests.video.faulty:NOT_A_FUNCTION", "is neither a function nor a Decoder"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_decoder_that_does_not_exist_is_one_error_before_any_video(decoder: str, what: str, workers: int) -> None:
    with pytest.raises(UsageError, match=what):
        list(read_videos(fake("a"), WANTED, VideoOptions(decoder=decoder, workers=workers)))


def test_a_worker_that_cannot_start_is_an_error_and_not_a_failed_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maxi_core.video.workers.START", "raise SystemExit(3)")
    with pytest.raises(MaxiError, match=r"could not start \(exit code 3\)"):
        list(read_videos(fake("a"), WANTED, VideoOptions(workers=1)))


def test_videos_are_taken_a_few_ahead_and_no_more() -> None:
    taken = itertools.count()
    videos = (Video(str(next(taken)), Path("a")) for _ in itertools.repeat(None))
    read = read_videos(videos, WANTED, VideoOptions(decoder=FAULTY, workers=2))
    for _ in range(20):
        next(read)
    time.sleep(0.2)
    assert next(taken) <= 20 + 8
    read.close()  # type: ignore[attr-defined]  # it is a generator


def test_workers_go_on_while_nobody_asks() -> None:
    read = read_videos(fake(*(f"slow {i}" for i in range(7))), WANTED, VideoOptions(decoder=FAULTY, workers=2))
    next(read)
    time.sleep(2.5)  # seven at 0.3 s each on two workers
    began = time.monotonic()
    assert len(list(read)) == 6
    assert time.monotonic() - began < 0.8  # six at 0.3 s each on two workers would take 0.9 s from here


def test_closing_early_in_the_middle_of_a_hang_leaves_nothing() -> None:
    read = read_videos(fake("a", "hang", "hang"), WANTED, VideoOptions(decoder=FAULTY, workers=2))
    next(read)
    began = time.monotonic()
    read.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 20  # a hang lasts 600 s


def test_processes_are_kept_for_the_next_reader_unless_one_was_left_in_the_middle() -> None:
    def children() -> list[int]:
        return [child.pid for child in psutil.Process().children()]

    options, before = VideoOptions(decoder=FAULTY, workers=1), set(children())
    with pools_kept():
        seen = []
        for _ in range(2):
            assert len(list(read_videos(fake("a"), WANTED, options))) == 1
            seen.append(set(children()) - before)
        assert seen[0] == seen[1] != set()
        read = read_videos(fake("a", "hang"), WANTED, options)
        next(read)
        read.close()  # type: ignore[attr-defined]
        assert set(children()) == before
        assert len(list(read_videos(fake("crash", "a"), WANTED, options))) == 2
        assert len(list(read_videos(fake("a"), WANTED, options.model_copy(update={"retries": 0})))) == 1
        assert len(set(children()) - before) == 2, "other options, other processes"
    assert set(children()) == before


SCRIPT = """
    import os, signal, sys, psutil
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
    from pathlib import Path
    from maxi_core.types import Video
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.video.reader import read_videos
    from maxi_core.video.sampling import Sampling
    videos = [Video(name, Path(name)) for name in ("a", "hang", "hang")]
    options = VideoOptions(decoder="tests.video.faulty:decode", workers=2)
    for number, _ in enumerate(read_videos(videos, {"clip": Sampling("middles", 4)}, options)):
        print(*[child.pid for child in psutil.Process().children()], flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_a_reader_that_is_interrupted_or_killed(ending: signal.Signals) -> None:
    # A plain script without `if __name__ == "__main__"`, as people write them.
    script = textwrap.dedent(SCRIPT)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    os.killpg(process.pid, ending) if ending == signal.SIGINT else process.kill()
    try:
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == -ending
    assert (b"KeyboardInterrupt" in errors) == (ending == signal.SIGINT)
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_memory_files_and_threads_stay_flat_over_500_videos(matrix: dict[str, Path]) -> None:
    from tests.video.bad import CHEAP

    kinds = [matrix[name] for name in ("h264", "vp9", "mpeg4-b-avi", "cut-avi")] + [Path(CHEAP)]
    videos = [Video(str(i), kinds[i % len(kinds)]) for i in range(600)]
    here, others = psutil.Process(), psutil.Process().children()
    read = read_videos(videos, {"clip": Sampling("middles", 4)}, VideoOptions(workers=2))

    def usage() -> tuple[list[int], list[int], list[int]]:
        time.sleep(1.0)  # until the workers have read ahead and wait, with no file open
        workers = [process for process in here.children() if process not in others]
        all_of_us = [here, *sorted(workers, key=lambda process: process.pid)]
        return (
            [process.memory_info().rss for process in all_of_us],
            [process.num_fds() for process in all_of_us],
            [process.num_threads() for process in all_of_us],
        )

    for _ in range(100):
        next(read)
    before = usage()
    for _ in range(495):
        next(read)
    after = usage()
    assert len(before[0]) == len(after[0]) == 3
    growth = [b - a for a, b in zip(before[0], after[0], strict=True)]
    assert max(growth) < 20e6, growth
    assert (after[1], after[2]) == (before[1], before[2])
    read.close()  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_ctrl_c_reaches_no_worker_from_its_first_moment_on(tmp_path: Path) -> None:
    before = {one.pid for one in psutil.Process().children()}
    pool = Pool(VideoOptions(workers=1))
    try:
        pool.ask(Job(Video("a.mp4", tmp_path / "a.mp4"), {"test": Sampling("middles", 1)}))
        (child,) = [one for one in psutil.Process().children() if one.pid not in before]
        status = Path(f"/proc/{child.pid}/status").read_text()  # most likely before it has imported anything
        blocked, ignored = (int(re.search(rf"{name}:\t(\w+)", status)[1], 16) for name in ("SigBlk", "SigIgn"))
        assert (blocked | ignored) & 1 << (signal.SIGINT - 1)
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []), "this process hears it"
    finally:
        pool.close()
