"""One decode for several consumers: each gets the pixels, to the bit, of a decode for it alone."""

import itertools
import json
import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job
from maxi_core.video.reader import read_jobs, read_videos
from maxi_core.video.sampling import MOST_OF_A_VIDEO, Sampling, at_rate
from maxi_core.video.skips import VideoFailed
from tests.video.clips import MATRIX, X264, Coding, Image, numbered, numbers_in, write, write_numbered
from tests.video.decoding import decode, loadable

MATCHER, CAPTIONER = Sampling("middles", 16, side=256), Sampling("uniform", 8, side=384)
FAULTY = "tests.video.faulty:decode"
WINDOWS = [(None, None), (0.5, 1.7), (1.0, None), (None, 1.2)]
CODECS = ["h264-open-gop", "hevc", "mpeg4-b-avi", "vp9", "ts"]
CANNOT = {"decord": {"ts", "vp9"}, "torchcodec": {"ts"}}  # decord says of this VP9 that it is damaged


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write clips larger than what anybody asks for, of small blocks that drift, so that ways to scale do not agree."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    blocks = np.repeat(np.repeat(rng.integers(0, 200, (64, 86, 3), dtype=np.uint8), 7, axis=0), 7, axis=1)
    images = [np.roll(blocks, (i, 3 * i), axis=(0, 1)) + np.uint8(i) for i in range(50)]  # (448, 602, 3)
    files = {name: write(folder / (name + MATRIX[name].suffix), images, MATRIX[name]) for name in CODECS}
    turned = Coding(options=X264, rotation=90)
    return {**files, "rotated": write(folder / "rotated.mp4", images, turned)}


def read(video: Video, options: VideoOptions, **wanted: Sampling) -> Frames:
    [(_, frames)] = read_videos([video], wanted, options)
    assert isinstance(frames, Frames), frames
    return frames


@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
@pytest.mark.parametrize(
    "name", [*("h264-open-gop", "rotated"), *(pytest.param(name, marks=pytest.mark.long) for name in CODECS[1:])]
)
def test_every_consumer_gets_to_the_bit_what_a_decode_for_it_alone_gives(
    large: dict[str, Path], name: str, decoder: str
) -> None:
    loadable(decoder)
    if name in CANNOT.get(decoder, ()):
        pytest.skip(f"{decoder} cannot read it")
    options = VideoOptions(workers=0, decoder=decoder)
    for start, end in WINDOWS:
        video = Video("clip", large[name], start, end)
        both = read(video, options, matcher=MATCHER, captioner=CAPTIONER)
        assert (both["matcher"].shape[0], min(both["matcher"].shape[1:3])) == (16, 256)
        assert (both["captioner"].shape[0], min(both["captioner"].shape[1:3])) == (8, 384)
        for consumer, sampling in {"matcher": MATCHER, "captioner": CAPTIONER}.items():
            alone = read(video, options, **{consumer: sampling})
            assert alone.indices[consumer] == both.indices[consumer]
            assert alone[consumer].tobytes() == both[consumer].tobytes(), (name, start, end, consumer)


@pytest.mark.parametrize("workers", [0, 2])
def test_consumers_of_one_size_and_of_others_share_a_pass_in_worker_processes_too(
    large: dict[str, Path], workers: int
) -> None:
    wanted = {
        "matcher": MATCHER,
        "captioner": CAPTIONER,
        "other": Sampling("uniform", 5, side=256),
        "every": Sampling("all", side=48),
        "slow": Sampling("rate", 3, side=384),
        "plain": Sampling("random", 4, seed="0/1"),
    }
    videos = [Video(name, large[name]) for name in ("h264-open-gop", "rotated")]
    options = VideoOptions(workers=workers, short_side=100)
    for video, frames in read_videos(videos, wanted, options):
        assert isinstance(frames, Frames)
        for name, sampling in wanted.items():
            alone = read(video, VideoOptions(workers=0, short_side=100), **{name: sampling})
            assert frames[name].tobytes() == alone[name].tobytes(), (video.id, name)
        assert len(frames["every"]) == frames.found == 50
        assert min(frames["plain"].shape[1:3]) == 100  # no size of its own: that of the run


def test_a_size_of_none_is_that_of_the_run_and_0_there_is_that_of_the_file(good: Path) -> None:
    video, wanted, own = Video("a", good), Sampling("uniform", 2), Sampling("uniform", 2, side=24)
    for short_side, shape in ((0, (96, 160)), (48, (48, 80)), (256, (96, 160))):
        frames = read(video, VideoOptions(workers=0, short_side=short_side), a=wanted, b=own)
        assert frames["a"].shape[1:3] == shape
        assert frames["b"].shape[1:3] == (24, 40)


@pytest.mark.parametrize("workers", [0, 1])
def test_every_frame_and_frames_at_a_rate_are_the_right_ones(matrix: dict[str, Path], workers: int) -> None:
    wanted = {"every": Sampling("all"), "slow": Sampling("rate", 5), "fast": Sampling("rate", 50)}
    options = VideoOptions(workers=workers)
    [(_, whole), (_, window)] = read_videos(
        [Video("a", matrix["h264"]), Video("b", matrix["h264"], 1.0, 2.0)], wanted, options
    )
    assert isinstance(whole, Frames)
    assert isinstance(window, Frames)
    assert numbers_in(whole["every"]) == list(range(90))
    assert numbers_in(whole["slow"]) == list(at_rate(90, 5, 25)) == list(range(2, 90, 5))
    assert numbers_in(whole["fast"]) == [i // 2 for i in range(180)]
    assert numbers_in(window["every"]) == list(range(25, 50))
    assert numbers_in(window["slow"]) == [27, 32, 37, 42, 47]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_rate_is_asked_of_a_video_that_has_none(workers: int) -> None:
    wanted = {"clip": Sampling("middles", 4), "slow": Sampling("rate", 2)}
    [(_, answer)] = read_videos([Video("a", Path("a"))], wanted, VideoOptions(decoder=FAULTY, workers=workers))
    assert isinstance(answer, VideoFailed)
    assert (answer.error, answer.decoder) == ("no-rate", FAULTY)
    assert answer.reason.startswith("the video does not say how many frames a second it has; ")


def test_a_request_for_more_frames_than_memory_holds_is_a_failed_video(good: Path) -> None:
    wanted = {"fast": Sampling("rate", 100_000)}
    [(_, answer)] = read_videos([Video("a", good)], wanted, VideoOptions(workers=0))
    assert isinstance(answer, VideoFailed)
    assert answer.error == "too-long"
    assert answer.reason.startswith(f"360000 frames of this video are wanted, and {MOST_OF_A_VIDEO} is the most; ")


def test_frames_that_memory_does_not_hold_when_they_are_handed_over_are_a_failed_video(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(self: Frames, name: str) -> None:
        raise MemoryError

    job = Job(Video("a", good), {"some": Sampling("uniform", 3)})
    [(_, frames)] = read_jobs([job], VideoOptions(workers=0))
    monkeypatch.setattr(Frames, "__getitem__", short)
    failed = job.clip("some", frames)
    assert isinstance(failed, VideoFailed)
    assert (failed.error, failed.reason) == (
        "memory",
        "not enough memory for 3 frames; ask for fewer or smaller frames",
    )


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("name", "did"),
    [
        ("leave", "called sys.exit(0)"),
        ("odd", "raised Odd: of an odd kind"),
        ("raise", "raised RuntimeError: a stranger's mistake; look at the file"),
    ],
)
def test_a_decoder_that_leaves_costs_one_video(workers: int, name: str, did: str) -> None:
    videos = [Video(one, Path(one)) for one in ("a", name, "b")]
    read = list(read_videos(videos, {"clip": Sampling("middles", 4)}, VideoOptions(decoder=FAULTY, workers=workers)))
    assert [isinstance(answer, VideoFailed) for _, answer in read] == [False, True, False]
    failed = read[1][1]
    assert isinstance(failed, VideoFailed)
    assert (failed.error, failed.decoder) == ("decoder", FAULTY)
    assert failed.reason.startswith(f"the decoder {did}")


def test_a_header_that_promises_billions_of_frames_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(write_numbered(tmp_path / "true.avi", 30, MATRIX["mpeg4-b-avi"]).read_bytes())
    at = content.index(b"strh") + 8 + 32  # the length in the stream's header
    assert struct.unpack("<I", content[at : at + 4]) == (30,)
    content[at : at + 4] = struct.pack("<I", 2**31 - 1)
    (tmp_path / "lying.avi").write_bytes(content)
    frames = read(Video("a", tmp_path / "lying.avi"), VideoOptions(workers=0), every=Sampling("all"))
    assert numbers_in(frames["every"]) == list(range(30))
    assert "only 30 of 2147483647" in frames.flag


def test_the_size_of_a_stream_that_changes_its_own_does_not_depend_on_who_else_asks(tmp_path: Path) -> None:
    """Its first frames are small, its last ones large: the first frame gives the size, whoever wants it or not."""
    parts = [
        write(tmp_path / f"{w}.ts", [numbered(first + i, w, h) for i in range(30)], Coding(".ts", options=X264))
        for first, w, h in ((0, 160, 96), (30, 320, 240))
    ]
    whole = tmp_path / "both.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    late = decode("pyav", whole, lambda n: (40, 50), 80).pixels
    both = decode("pyav", whole, lambda n: (0, 40, 50), 80).pixels
    assert late.shape == (2, 80, 133, 3)
    assert late.tobytes() == both[1:].tobytes()


def test_a_consumer_may_change_its_frames_and_nobody_sees_it(good: Path) -> None:
    both = read(Video("a", good), VideoOptions(workers=0), one=Sampling("uniform", 4), two=Sampling("uniform", 4))
    first, second = both["one"], both["two"]
    assert first.tobytes() == second.tobytes()
    first[:] = 0
    assert second.any()
    assert both["one"].tobytes() == second.tobytes()


def test_a_job_says_what_is_wanted_of_its_own_video_and_nothing_wanted_is_nothing_decoded(good: Path) -> None:
    video = Video("a", good)
    jobs = [
        Job(video, {"a": Sampling("uniform", 2)}),
        Job(Video("b", Path("/nowhere.mp4")), {}),
        Job(video, {"b": Sampling("middles", 3, side=24), "a": Sampling("uniform", 1)}),
        Job(Video("c", Path("/nowhere.mp4")), {"a": Sampling("uniform", 2)}),
        Job(video, {}),
    ]
    for workers in (0, 2):
        answers = list(read_jobs(jobs, VideoOptions(workers=workers)))
        assert [job for job, _ in answers] == jobs
        shapes = [
            {name: answer[name].shape for name in answer.indices} if isinstance(answer, Frames) else answer.error
            for _, answer in answers
        ]
        one = {"a": (2, 96, 160, 3)}
        assert shapes == [one, {}, {"b": (3, 24, 40, 3), "a": (1, 96, 160, 3)}, "missing", {}]


@pytest.mark.parametrize(("ahead", "taken"), [(0, 8), (3, 8), (40, 40)])
def test_four_videos_per_worker_are_decoded_ahead_or_as_many_as_are_asked_for(ahead: int, taken: int) -> None:
    count = itertools.count()
    wanted = {"clip": Sampling("middles", 2)}
    jobs = (Job(Video(str(next(count)), Path("a")), wanted) for _ in itertools.repeat(None))
    read = read_jobs(jobs, VideoOptions(decoder=FAULTY, workers=2), ahead)
    for _ in range(10):
        next(read)
    time.sleep(0.2)
    assert next(count) == 9 + taken
    read.close()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize(
    "sampling",
    [MATCHER, CAPTIONER, Sampling("all"), Sampling("rate", 2.5, side=64), Sampling("random", 4, seed="0/1")],
)
def test_a_job_travels_as_json(sampling: Sampling) -> None:
    job = Job(Video("caf\udce9.mp4", Path("caf\udce9.mp4"), 1.0, None), {"a": sampling})
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("old", "ndarray instead of a tuple of 2, one for each size"),
        ("few", "1 array instead of a tuple of 2, one for each size"),
        ("short", r"frames of shape \(3, 2, 2, 3\) where 4 with a side of 8 were asked for"),
        ("number", "numbers that are no plain Python numbers"),
        ("info", "a str instead of Info"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_strangers_decoder_answers_wrongly_is_said(name: str, what: str, workers: int) -> None:
    wanted = {"one": Sampling("uniform", 4, side=8), "two": Sampling("uniform", 4, side=9)}
    options = VideoOptions(decoder="tests.video.faulty:sloppy", workers=workers)
    [(_, answer)] = read_videos([Video("a", Path(name))], wanted, options)
    assert isinstance(answer, VideoFailed)
    assert answer.error == "decoder"
    assert re.match("the decoder returned (a )?" + what, answer.reason), answer.reason


def test_a_frame_is_scaled_from_the_full_frame_and_not_from_a_smaller_copy(large: dict[str, Path]) -> None:
    """A shrunk copy of the captioner's frame would be another picture."""
    from av.video.frame import VideoFrame

    small_too = Sampling("uniform", 8, side=256)
    frames = read(Video("a", large["hevc"]), VideoOptions(workers=0), big=CAPTIONER, small=small_too)
    big, small = frames["big"][0], frames["small"][0]
    again: Image = VideoFrame.from_ndarray(big, format="rgb24").reformat(small.shape[1], small.shape[0]).to_ndarray()
    assert np.abs(again.astype(int) - small).mean() > 1
