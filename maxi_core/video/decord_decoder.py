"""decord, read in the one way that gives right frames: from the first to the last, by path, never out of memory.

Random access and `skip_frames` of decord 0.6 return wrong frames on HEVC, on MPEG-4 with B-frames and on H.264 with
open groups of pictures, without a word; a damaged or cut file is patched up with repeated frames. So this decoder steps
through every frame, and refuses by name what has not been proved right (tests/video/test_matrix.py).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded
from maxi_core.video.picture import Collector, orientation_of
from maxi_core.video.survey import Proved

PROVED = Proved("decord", frozenset({"mov", "matroska", "avi"}), frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"}))


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
    survey, first = PROVED.survey(path, start, end), PROVED.first(path)
    turns, orientation = round(first.rotation / 90) % 4, orientation_of(first)  # decord leaves mirroring as it is
    wanted = choose(survey.inside, survey.info.rate)
    reader = _open(path, threads)
    PROVED.agree(len(reader), survey)
    collector: Collector | None = None
    for index in range(-survey.before, survey.inside):
        frame = _next(reader)
        if index == -survey.before:
            PROVED.compare(np.rot90(frame.asnumpy(), -turns), first)
        if index < 0:
            continue
        if collector is None:
            collector = Collector(sides, wanted, survey.aspect if square_pixels else None, orientation)
        if collector.wants(index):
            stored = np.ascontiguousarray(np.rot90(frame.asnumpy(), -turns))
            collector.show(index, VideoFrame.from_ndarray(stored, format="rgb24"))
    assert collector is not None  # there is a frame inside
    return survey.decoded(collector.pixels(), transposed=orientation.transposed)


def _open(path: Path, threads: int) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        return decord.VideoReader(str(path), num_threads=threads)
    except Exception as error:  # RuntimeError or DECORDError, which is neither that nor an OSError
        raise PROVED.refused("decord cannot open this video") from error


def _next(reader: Any) -> Any:
    try:
        return reader.next()
    except Exception as error:  # RuntimeError, DECORDError or StopIteration
        raise PROVED.refused("decord could not decode all of this video", "damaged") from error
