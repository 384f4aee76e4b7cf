"""torchcodec, asked for frames by their number, each of which has to come back with the time that the file gives it.

torchcodec 0.17 counts the frames of AVI, MPEG and transport streams wrongly by one or two, without a word; so these are
refused by name, as is whatever has not been proved right (tests/video/test_matrix.py). It finds a frame by its time.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded, Pixels
from maxi_core.video.picture import Collector, orientation_of
from maxi_core.video.survey import Proved, Survey

PROVED = Proved("torchcodec", frozenset({"mov", "matroska"}), frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9", "av1"}))
CLOSE = 1e-4  # seconds: the time of a frame is rounded; no two frames of a video are this near


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
    """Decode `path` with torchcodec and return the frames that `choose` wants; see `maxi_core.video.decoders.Decode`.

    Raises `VideoError` for containers and codecs on which torchcodec is wrong, and for cut or damaged files.
    """
    survey, first = PROVED.survey(path, start, end), PROVED.first(path)
    turns, orientation = round(first.rotation / 90) % 4, orientation_of(first)  # it turns, and mirrors nothing
    wanted = choose(survey.inside, survey.info.rate)
    reader = _open(path, survey, threads)
    PROVED.agree(len(reader), survey)

    def stored(index: int) -> Pixels:
        return np.ascontiguousarray(np.rot90(_at(reader, survey, index), -turns))

    PROVED.compare(stored(0), first)
    collector = Collector(sides, wanted, survey.aspect if square_pixels else None, orientation)
    for index in sorted({0}.union(*wanted)):
        collector.show(index, VideoFrame.from_ndarray(stored(survey.before + index), format="rgb24"))
    return survey.decoded(collector.pixels(), transposed=orientation.transposed)


def _open(path: Path, survey: Survey, threads: int) -> Any:
    library: Any = import_module("torchcodec.decoders")  # it does not say to type checkers what it exports

    try:
        return library.VideoDecoder(
            path, stream_index=survey.stream, dimension_order="NHWC", num_ffmpeg_threads=threads, device="cpu"
        )
    except Exception as error:  # RuntimeError, ValueError, or an error of its own
        raise PROVED.refused("torchcodec cannot open this video") from error


def _at(reader: Any, survey: Survey, index: int) -> Pixels:
    try:
        frame = reader.get_frame_at(index)
    except Exception as error:  # RuntimeError, or an error of its own
        raise PROVED.refused("torchcodec could not decode all of this video", "damaged") from error
    if abs(frame.pts_seconds - survey.origin - survey.times[index]) > CLOSE:
        raise PROVED.refused("torchcodec shows another frame than the one that was asked for", "damaged")
    pixels: Pixels = frame.data.numpy()
    return pixels
