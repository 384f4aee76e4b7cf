"""The codec matrix: whatever decoder is chosen, the right frames come out, or a refusal that names what to use."""

from pathlib import Path

import av
import numpy as np
import pytest

from maxi_core.video.sampling import segment_middles, uniform, union
from maxi_core.video.skips import VideoError
from maxi_core.video.window import clock
from tests.video.clips import MATRIX, Coding, Image, number_in, numbers_in, write_numbered
from tests.video.decoding import decode, loadable

NAMES = [*MATRIX, "cut-mp4", "cut-avi", "cut-ts", "cut-webm", "cut-mpg", "variable-rate", "rotated", "one-frame"]
CUT = {"cut-mp4", "cut-avi", "cut-ts", "cut-webm", "cut-mpg"}
REFUSES = {"decord": {"av1", "mpeg2", "ts", *CUT}, "torchcodec": {"mpeg4-b-avi", "mpeg2", "ts", *CUT}}
WHOLE = {name: 90 for name in NAMES if not name.startswith("cut")} | {"variable-rate": 60, "one-frame": 1}


def sequential(path: Path) -> list[Image]:
    """Decode every frame in order, without any of maxi: what the file holds. Stop where it breaks."""
    frames: list[Image] = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                frames += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
            except av.error.FFmpegError:
                assert path.stem.startswith("cut")
    return frames


def choose(n: int) -> tuple[int, ...]:
    return union([segment_middles(n, 16), uniform(n, 8)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [0, 1])
def test_pyav_gives_the_very_frames_of_a_full_sequential_decode(
    matrix: dict[str, Path], name: str, threads: int
) -> None:
    reference = sequential(matrix[name])
    if name == "rotated":
        reference = [frame[::-1, ::-1] for frame in reference]
    decoded = decode("pyav", matrix[name], choose, threads=threads)
    assert decoded.found == len(reference) == WHOLE.get(name, decoded.found)
    expected = np.stack([reference[index] for index in choose(len(reference))])
    assert numbers_in(decoded.pixels) == numbers_in(expected)
    assert np.abs(decoded.pixels.astype(int) - expected).max() <= 1
    if name in WHOLE and name != "rotated":
        assert numbers_in(decoded.pixels) == list(choose(decoded.found))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", REFUSES)
def test_another_decoder_gives_the_same_frames_as_pyav_or_refuses_and_says_what_to_use(
    matrix: dict[str, Path], name: str, other: str
) -> None:
    loadable(other)
    if name in REFUSES[other]:
        with pytest.raises(VideoError, match=other) as refusal:
            decode(other, matrix[name], choose, threads=1)
        assert refusal.value.fix == "use --decoder pyav"
        return
    ours, theirs = decode("pyav", matrix[name], choose), decode(other, matrix[name], choose, threads=1)
    assert theirs.found == ours.found
    assert numbers_in(theirs.pixels) == numbers_in(ours.pixels)
    assert np.abs(theirs.pixels.astype(int) - ours.pixels).max() <= 1


@pytest.mark.parametrize(
    ("name", "declared"),
    [("cut-mp4", 90), ("cut-avi", 90), ("cut-webm", 90), ("h264", 90), ("vp8", 90), ("mpeg2", 90), ("ts", None)],
)
def test_frames_that_were_found_and_declared_are_both_told(
    matrix: dict[str, Path], name: str, declared: int | None
) -> None:
    decoded = decode("pyav", matrix[name], choose)
    assert decoded.declared == declared
    assert (declared is not None and decoded.found < declared) == name.startswith("cut")


def test_a_transport_stream_that_breaks_off_is_flagged_though_it_declares_nothing(matrix: dict[str, Path]) -> None:
    assert decode("pyav", matrix["ts"], choose).damage == ""
    assert "breaks off" in decode("pyav", matrix["cut-ts"], choose).damage


def test_hidden_reference_frames_are_not_counted(tmp_path: Path) -> None:
    options = {"auto-alt-ref": "1", "lag-in-frames": "25", "arnr-maxframes": "7", "cpu-used": "4"}
    clip = write_numbered(tmp_path / "hidden.webm", 90, Coding(".webm", "libvpx", options=options, gop=60))
    decoded = decode("pyav", clip, choose)
    assert (decoded.found, decoded.declared) == (90, 90)
    assert numbers_in(decoded.pixels) == list(choose(90))


WINDOWS = [(0.0, 1.0), (1.0, 2.0), (1.2, 2.4), (2.0, None), (3.0, 3.5), (None, 1.5)]


def inside(window: tuple[float | None, float | None], times: list[float]) -> list[int]:
    start, end = window
    return [i for i, t in enumerate(times) if t >= (start or 0) - 1e-6 and (end is None or t < end - 1e-6)]


@pytest.mark.parametrize("decoder", ["pyav", *REFUSES])
@pytest.mark.parametrize("name", [*MATRIX, "variable-rate"])
def test_a_window_holds_the_frames_between_its_times(matrix: dict[str, Path], name: str, decoder: str) -> None:
    loadable(decoder)
    if name in REFUSES.get(decoder, ()):
        pytest.skip(f"{decoder} refuses it")
    times = [0.04 * i if i < 30 else 1.2 + 0.2 * (i - 30) for i in range(60)]
    if name != "variable-rate":
        times = [i / 25 for i in range(90)]
    for start, end in WINDOWS:
        decoded = decode(decoder, matrix[name], range, start=start, end=end, threads=1)
        assert numbers_in(decoded.pixels) == inside((start, end), times), (start, end)
        assert decoded.declared in (None, decoded.found)


@pytest.mark.parametrize("name", ["h264-open-gop", "hevc", "ts", "mpeg4-b-avi"])
def test_windows_deep_in_a_long_video_are_right(tmp_path: Path, name: str) -> None:
    clip = write_numbered(tmp_path / ("long" + MATRIX[name].suffix), 1000, MATRIX[name])  # 40 s
    for start in (10.0, 20.0, 39.0):
        decoded = decode("pyav", clip, lambda n: segment_middles(n, 8), start=start, end=start + 1)
        assert numbers_in(decoded.pixels) == [int(start * 25) + i for i in segment_middles(25, 8)]


def test_the_clock_tells_the_very_times_that_fractions_give(matrix: dict[str, Path]) -> None:
    for name in ("h264", "vp9", "ts", "mpeg4-b-avi"):
        with av.open(str(matrix[name])) as container:
            stream = container.streams.video[0]
            assert stream.time_base
            assert stream.average_rate
            by_stamp, by_place = clock(stream), clock(stream, stamped=False)
            for packet in container.demux(stream):
                since = (packet.pts or 0) - (stream.start_time or 0)
                assert packet.pts is None or by_stamp(packet.pts, 7) == float(since * stream.time_base)
            assert [by_place(1, place) for place in range(9)] == [float(i / stream.average_rate) for i in range(9)]
            assert by_stamp(None, 7) == by_place(0, 7)


def test_a_window_behind_the_end_is_an_error_that_tells_the_length(good: Path) -> None:
    with pytest.raises(VideoError, match=r"no frames between 10 s and 20 s; the video lasts 3.60 s"):
        decode("pyav", good, range, start=10.0, end=20.0)


def test_the_frames_of_a_window_are_numbered_from_its_start(good: Path) -> None:
    decoded = decode("pyav", good, lambda n: (0, n - 1), start=1.0, end=2.0)
    assert (decoded.found, numbers_in(decoded.pixels)) == (25, [25, 49])


def test_the_last_frame_is_read_as_itself(good: Path) -> None:
    assert number_in(decode("pyav", good, lambda n: (n - 1,)).pixels[0]) == 89
