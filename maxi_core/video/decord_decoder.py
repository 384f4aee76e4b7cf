"""decord, read in the one way that gives right frames: from the first to the last, by path, never out of memory.

Random access and `skip_frames` of decord 0.6 return wrong frames on HEVC, on MPEG-4 with B-frames and on H.264 with
open groups of pictures, without a word; a damaged or cut file is patched up with repeated frames. So this decoder steps
through every frame, and refuses by name what has not been proved right (tests/video/test_matrix.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maxi_core.texts import counted
from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded, Info, Pixels
from maxi_core.video.lengths import declared, header_frames, header_length, shown
from maxi_core.video.picture import Collector, orientation_of
from maxi_core.video.pyav_decoder import describe, opened
from maxi_core.video.skips import VideoError
from maxi_core.video.window import Window, clock, lasting, packets, stamped

CONTAINERS = frozenset({"mov", "matroska", "avi"})
CODECS = frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"})
DIFFERENT = 32  # mean difference of two pictures that no conversion of colours explains
INSTEAD = "use --decoder pyav"


def decode(
    path: Path,
    choose: Choose,
    sides: Sequence[Side] = (None,),
    *,
    start: float | None = None,
    end: float | None = None,
    square_pixels: bool = True,
    threads: int = 0,
) -> Decoded:
    """Decode `path` with decord and return the frames that `choose` wants; see `maxi_core.video.decoders.Decode`.

    Raises `VideoError` for containers and codecs on which decord is wrong, and for cut or damaged files.
    """
    with opened(path) as (container, stream):
        plan = _survey(container, stream, Window(start, end, stamped(container, stream)))
    with opened(path) as (container, stream):
        first = _first(container, stream)
    turns, orientation = round(first.rotation / 90) % 4, orientation_of(first)  # decord leaves mirroring as it is
    if not plan.inside:
        raise VideoError("empty-window", "there are no frames between start and end", "correct start and end")
    wanted = choose(plan.inside, plan.info.rate)
    reader = _open(path, threads)
    if len(reader) != plan.total:
        raise VideoError(
            "damaged", f"decord sees {counted(len(reader), 'frame')} where the file has {plan.total}", INSTEAD
        )
    collector: Collector | None = None
    for index in range(-plan.before, plan.inside):
        frame = _next(reader)
        if index == -plan.before:
            _compare(np.rot90(frame.asnumpy(), -turns), first)
        if index < 0:
            continue
        if collector is None:
            collector = Collector(sides, wanted, plan.aspect if square_pixels else None, orientation)
        if collector.wants(index):
            stored = np.ascontiguousarray(np.rot90(frame.asnumpy(), -turns))
            collector.show(index, VideoFrame.from_ndarray(stored, format="rgb24"))
    assert collector is not None  # there is a frame inside
    info = plan.info
    if orientation.transposed:
        info = replace(info, width=info.height, height=info.width)
    return Decoded(collector.pixels(), plan.inside, plan.inside, "", info)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the packets of a file say: `inside` of its `total` frames are wanted, after `before` others."""

    total: int
    before: int
    inside: int
    info: Info
    aspect: Fraction


def _survey(container: InputContainer, stream: VideoStream, window: Window) -> _Plan:
    """Count the frames of the window without decoding, and refuse what decord gets wrong."""
    info = describe(container, stream)
    if any(other != stream and other.codec_context.name in CODECS for other in container.streams.video):
        raise VideoError("refused", "there are several films in this file, of which decord may show another", INSTEAD)
    kinds = set(container.format.name.split(","))
    if not kinds & CONTAINERS or info.codec not in CODECS:
        what = f"{info.codec} video in {container.format.long_name}"
        raise VideoError("refused", f"decord is wrong on or cannot open {what}", INSTEAD)
    shows: list[tuple[float, float]] = []
    seconds = clock(stream, window.stamped)
    for packet in packets(container, stream):
        if packet is None or packet.is_corrupt or packet.is_discard:
            raise VideoError("refused", "the file is cut, damaged or edited, which decord hides", INSTEAD)
        time = seconds(packet.pts, len(shows))
        shows.append((time, time + lasting(stream, packet.duration)))
    shows.sort()
    times, total = [time for time, _ in shows], len(shows)
    if not total:
        raise VideoError("no-frames", "not one frame of this video could be decoded")
    end, cut = header_frames(container, stream) or None, False
    if end is None:
        end, cut = declared(container, stream, total, times[0], times[-1], None)
    if cut or (end and total < end):
        what = "breaks off" if end is None else f"is cut ({total} of {counted(end, 'frame')})"
        raise VideoError("refused", f"the file {what}, which decord hides", INSTEAD)
    if window.whole and header_length(container, stream) is None:
        info = replace(info, duration=shown(stream, total, times[0], times[-1]))
    before = sum(window.before(time) for time in times)
    inside = sum(not window.before(time) and not window.after(time) for time in times)
    if before and not inside and (before < total or window.reaches(shows[-1][1])):
        before, inside = before - 1, 1  # the frame that is still shown
    return _Plan(total, before, inside, info, Fraction(stream.sample_aspect_ratio or 1))


def _first(container: InputContainer, stream: VideoStream) -> VideoFrame:
    try:
        return next(container.decode(stream))
    except (FFmpegError, StopIteration) as error:
        raise VideoError("refused", "the beginning of the file is damaged, which decord hides", INSTEAD) from error


def _compare(seen: Pixels, first: VideoFrame) -> None:
    """Raise VideoError if decord's first frame, as it is stored, is another one, or is not held as we think it is."""
    expected = first.to_ndarray(format="rgb24")
    if seen.shape != expected.shape or np.abs(seen.astype(np.int16) - expected).mean() > DIFFERENT:
        raise VideoError("refused", "decord shows another picture than the first of this video", INSTEAD)


def _open(path: Path, threads: int) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        return decord.VideoReader(str(path), num_threads=threads)
    except Exception as error:  # RuntimeError or DECORDError, which is neither that nor an OSError
        raise VideoError("refused", "decord cannot open this video", INSTEAD) from error


def _next(reader: Any) -> Any:
    try:
        return reader.next()
    except Exception as error:  # RuntimeError, DECORDError or StopIteration
        raise VideoError("damaged", "decord could not decode all of this video", INSTEAD) from error
