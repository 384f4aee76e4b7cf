"""What the packets of a video say, for a library that opens it by itself: its frames are counted before it is trusted.

Such a library patches up, hides or miscounts what it cannot read. So only what has been proved right is handed to it
(tests/video/test_matrix.py), whole and undamaged, and the rest is refused by name.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maxi_core.texts import counted
from maxi_core.video.frames import Decoded, Info, Pixels
from maxi_core.video.lengths import declared, header_frames, header_length, shown
from maxi_core.video.pyav_decoder import describe, opened
from maxi_core.video.skips import VideoError
from maxi_core.video.window import Window, clock, lasting, packets, stamped

DIFFERENT = 32  # mean difference of two pictures that no conversion of colours explains
INSTEAD = "use --decoder pyav"


@dataclass(frozen=True, slots=True)
class Survey:
    """What is wanted of a file: `inside` of its frames, after `before` others, all of them shown at `times`.

    `times` are seconds from the first frame; the stream is number `stream` of the file and begins at `origin` seconds.
    """

    before: int
    inside: int
    info: Info
    aspect: Fraction
    times: tuple[float, ...]
    stream: int
    origin: float

    def decoded(self, pixels: tuple[Pixels, ...], *, transposed: bool) -> Decoded:
        """Return what was decoded of it; `transposed` says that width and height are shown the other way round."""
        width, height = (self.info.height, self.info.width) if transposed else (self.info.width, self.info.height)
        return Decoded(pixels, self.inside, self.inside, "", replace(self.info, width=width, height=height))


@dataclass(frozen=True, slots=True)
class Proved:
    """The containers and codecs, by FFmpeg's names, that a `library` has been proved to read right."""

    library: str
    containers: frozenset[str]
    codecs: frozenset[str]

    def refused(self, problem: str, kind: str = "refused") -> VideoError:
        """Return the error that sends the user to another decoder."""
        return VideoError(kind, problem, INSTEAD)

    def survey(self, path: Path, start: float | None, end: float | None) -> Survey:
        """Count the frames of the window without decoding; raises VideoError for what the library gets wrong."""
        with opened(path) as (container, stream):
            return self._survey(container, stream, Window(start, end, stamped(container, stream)))

    def first(self, path: Path) -> VideoFrame:
        """Return the first frame as PyAV decodes it; raises VideoError if it cannot be decoded."""
        with opened(path) as (container, stream):
            try:
                return next(container.decode(stream))
            except (FFmpegError, StopIteration) as error:
                raise self.refused(f"the beginning of the file is damaged, which {self.library} hides") from error

    def compare(self, seen: Pixels, first: VideoFrame) -> None:
        """Raise VideoError if the library's first frame, as it is stored, is another one or is not held as we think."""
        expected = first.to_ndarray(format="rgb24")
        if seen.shape != expected.shape or np.abs(seen.astype(np.int16) - expected).mean() > DIFFERENT:
            raise self.refused(f"{self.library} shows another picture than the first of this video")

    def agree(self, seen: int, survey: Survey) -> None:
        """Raise VideoError if the library sees another number of frames."""
        if seen != len(survey.times):
            of = len(survey.times)
            raise self.refused(f"{self.library} sees {counted(seen, 'frame')} where the file has {of}", "damaged")

    def _survey(self, container: InputContainer, stream: VideoStream, window: Window) -> Survey:
        info, library = describe(container, stream), self.library
        if any(other != stream and other.codec_context.name in self.codecs for other in container.streams.video):
            raise self.refused(f"there are several films in this file, of which {library} may show another")
        kinds = set(container.format.name.split(","))
        if not kinds & self.containers or info.codec not in self.codecs:
            what = f"{info.codec} video in {container.format.long_name}"
            raise self.refused(f"{library} is wrong on or cannot open {what}")
        shows: list[tuple[float, float]] = []
        seconds = clock(stream, window.stamped)
        for packet in packets(container, stream):
            if packet is None or packet.is_corrupt or packet.is_discard:
                raise self.refused(f"the file is cut, damaged or edited, which {library} hides")
            time = seconds(packet.pts, len(shows))
            shows.append((time, time + lasting(stream, packet.duration)))
        shows.sort()
        times, total = tuple(time for time, _ in shows), len(shows)
        if not total:
            raise VideoError("no-frames", "not one frame of this video could be decoded")
        end, cut = header_frames(container, stream) or None, False
        if end is None:
            end, cut = declared(container, stream, total, times[0], times[-1], None)
        if cut or (end and total < end):
            what = "breaks off" if end is None else f"is cut ({total} of {counted(end, 'frame')})"
            raise self.refused(f"the file {what}, which {library} hides")
        if window.whole and header_length(container, stream) is None:
            info = replace(info, duration=shown(stream, total, times[0], times[-1]))
        before = sum(window.before(time) for time in times)
        inside = sum(not window.before(time) and not window.after(time) for time in times)
        if before and not inside and (before < total or window.reaches(shows[-1][1])):
            before, inside = before - 1, 1  # the frame that is still shown
        if not inside:
            raise VideoError("empty-window", "there are no frames between start and end", "correct start and end")
        origin, aspect = lasting(stream, stream.start_time), Fraction(stream.sample_aspect_ratio or 1)
        return Survey(before, inside, info, aspect, times, stream.index, origin)
