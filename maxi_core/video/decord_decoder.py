"""decord, read in the one way that gives right frames: from the first to the last, by path, never out of memory.

Random access and `skip_frames` of decord 0.6 return wrong frames on HEVC, on MPEG-4 with B-frames and on H.264 with
open groups of pictures, without a word; a damaged or cut file is patched up with repeated frames. So this decoder steps
through every frame, and refuses by name what has not been proved right (tests/video/test_matrix.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded, Info
from maxi_core.video.picture import Collector
from maxi_core.video.problems import VideoError
from maxi_core.video.pyav_decoder import describe, opened
from maxi_core.video.window import INDEXED, Window, packets, promised, seconds

CONTAINERS = frozenset({"mov", "matroska", "avi"})
CODECS = frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"})
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
        plan = _survey(container, stream, Window(start, end, container.format.name not in INDEXED))
    if not plan.inside:
        raise VideoError("empty-window", "there are no frames between start and end", "correct start and end")
    wanted = choose(plan.inside, plan.info.rate)
    reader = _open(path, threads)
    if len(reader) != plan.total:
        raise VideoError("damaged", f"decord sees {len(reader)} frames where the file has {plan.total}", INSTEAD)
    collector: Collector | None = None
    for index in range(-plan.before, plan.inside):
        frame = _next(reader)
        if index < 0:
            continue
        if collector is None:
            collector = Collector(sides, wanted, plan.shape_of_pixels(frame.shape[1]) if square_pixels else None)
        if collector.wants(index):
            collector.show(index, VideoFrame.from_ndarray(frame.asnumpy(), format="rgb24"))
    assert collector is not None  # there is a frame inside
    return Decoded(collector.pixels(), plan.inside, plan.inside, "", plan.info)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the packets of a file say: `inside` of its `total` frames are wanted, after `before` others."""

    total: int
    before: int
    inside: int
    info: Info
    coded_width: int
    aspect: Fraction

    def shape_of_pixels(self, width: int) -> Fraction:
        """Return the shape of a pixel in a frame of that width, which decord has already turned upright."""
        return self.aspect if width == self.coded_width else 1 / self.aspect


def _survey(container: InputContainer, stream: VideoStream, window: Window) -> _Plan:
    """Count the frames of the window without decoding, and refuse what decord gets wrong."""
    info = describe(container, stream)
    kinds = set(container.format.name.split(","))
    if not kinds & CONTAINERS or info.codec not in CODECS:
        what = f"{info.codec} video in {container.format.long_name}"
        raise VideoError("refused", f"decord is wrong on or cannot open {what}", INSTEAD)
    times: list[float] = []
    for packet in packets(container, stream):
        if packet is None or packet.is_corrupt or packet.is_discard:
            raise VideoError("refused", "the file is cut, damaged or edited, which decord hides", INSTEAD)
        times.append(seconds(stream, packet.pts, len(times), window.stamped))
    times.sort()
    end = stream.frames or (promised(len(times), times[0], times[-1], info.duration) if times else 0)
    if not times or (end and len(times) < end):
        raise VideoError("refused", f"the file is cut ({len(times)} of {end} frames), which decord hides", INSTEAD)
    before = sum(window.before(time) for time in times)
    inside = sum(not window.before(time) and not window.after(time) for time in times)
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return _Plan(len(times), before, inside, info, stream.width, aspect)


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
