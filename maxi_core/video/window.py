"""Windows of long videos: which frames lie between two times, and where to begin decoding to get them right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

# AVI stores no times: they follow from the place of a frame, and with B-frames FFmpeg guesses them wrongly.
INDEXED = frozenset({"avi"})
UNSEEKABLE = frozenset({"mpeg"})  # a seek in an MPEG program stream loses frames: read from the beginning
TOLERANCE = 0.02  # lengths are rounded: the share of one that may be missing without a word
STEPS_BACK = (0.0, 2.0, 8.0, 32.0)  # seconds before the window at which a key frame is looked for


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a stream that is read: from `start` to before `end` in seconds, None for the ends of the file.

    `seek` is the timestamp to begin decoding at (None: at the beginning), `expected` the number of frames that the
    packets promise (None: not counted yet). Where `stamped` is false, times are counted in frames.
    """

    start: float | None = None
    end: float | None = None
    stamped: bool = True
    seek: int | None = None
    expected: int | None = None

    @property
    def whole(self) -> bool:
        """Whether this is the whole file."""
        return self.start is None and self.end is None

    def before(self, seconds: float) -> bool:
        """Whether that time lies before the window."""
        return self.start is not None and seconds < self.start

    def reaches(self, seconds: float) -> bool:
        """Whether what is shown until that time can still be seen in the window, by more than an error of rounding."""
        return self.start is not None and seconds > self.start + 1e-6

    def after(self, seconds: float) -> bool:
        """Whether that time lies behind the window."""
        return self.end is not None and seconds >= self.end


def clock(stream: VideoStream, stamped: bool = True) -> Callable[[int | None, int], float]:
    """Return the function that tells the seconds from the beginning of `stream` to a frame: `seconds(stamp, place)`.

    It goes by the timestamp or else by the place. Integers are divided, as `Fraction` does at ten times the price: it
    is asked for every frame of every video.
    """
    rate, base, origin = rate_of(stream), stream.time_base, stream.start_time or 0
    of_second, frames = rate.denominator, rate.numerator
    ticks, unit = (base.numerator, base.denominator) if stamped and base is not None else (0, 0)

    def seconds(stamp: int | None, place: int) -> float:
        if stamp is None or not unit:
            return place * of_second / frames
        return (stamp - origin) * ticks / unit

    return seconds


def lasting(stream: VideoStream, duration: int | None) -> float:
    """Return the seconds that a packet or frame of the stream lasts; 0 where it does not say."""
    return float((duration or 0) * stream.time_base) if stream.time_base else 0.0


def stamped(container: InputContainer, stream: VideoStream) -> bool:
    """Return whether the times of frames are those of their timestamps; else they follow from the order of frames.

    Raw streams have no timestamps, or some that begin anywhere.
    """
    return container.format.name not in INDEXED and stream.start_time is not None


def rate_of(stream: VideoStream) -> Fraction:
    """Return the frames a second of a stream; 25 where the file does not say."""
    return Fraction(stream.average_rate or stream.guessed_rate or 25)


def promised(found: int, first: float, last: float, until: float | None) -> int | None:
    """Return the number of frames there should be by the promised length, `found` if none is missing.

    `first` and `last` are the times of the first and the last frame that were found, `until` is the end that was
    promised, in seconds; None in, or a single frame, promises nothing. Lengths are rounded and a last frame may be
    shown for longer than others, so only what is longer than that counts as missing.
    """
    gap = (last - first) / (found - 1) if found > 1 else 0
    if until is None or gap <= 0:
        return None
    missing = until - last - gap
    return found + (round(missing / gap) if missing > max(2 * gap, TOLERANCE * (until - first)) else 0)


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
    """Yield the packets of the stream that hold data; one None at the end if the file broke off with an error."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except FFmpegError:
        yield None


def locate(container: InputContainer, stream: VideoStream, start: float | None, end: float | None) -> Window:
    """Return the window between two times, with the place to seek to and the number of its frames.

    The container is read and left somewhere behind the window.
    """
    if not stamped(container, stream):
        return _by_place(container, stream, start, end)
    seek = _anchor(container, stream, start) if start else None
    container.seek(seek if seek is not None else stream.start_time or 0, stream=stream)
    window, seconds = Window(start, end, True, seek), clock(stream)
    inside = 0
    for packet in packets(container, stream):
        if packet is None or (packet.dts is not None and window.after(seconds(packet.dts, 0))):
            break
        if packet.pts is None:  # nothing but the order of its frames is known
            container.seek(stream.start_time or 0, stream=stream)
            return _by_place(container, stream, start, end)
        time = seconds(packet.pts, 0)
        inside += not packet.is_discard and not window.before(time) and not window.after(time)
    return Window(start, end, True, seek, inside)


def _by_place(container: InputContainer, stream: VideoStream, start: float | None, end: float | None) -> Window:
    total = stream.frames or sum(packet is not None for packet in packets(container, stream))
    rate = rate_of(stream)
    first = min(total, ceil(Fraction(start or 0) * rate))
    after = total if end is None else min(total, ceil(Fraction(end) * rate))
    return Window(start, end, False, None, max(0, after - first))


def _anchor(container: InputContainer, stream: VideoStream, start: float) -> int | None:
    """Return a timestamp to seek to so that decoding begins with a key frame that is shown no later than `start`.

    Frames that are shown before that key frame but come after it in the file (an open group of pictures) decode
    wrongly; they lie before the window and are dropped with the rest.
    """
    if stream.time_base is None or container.format.name in UNSEEKABLE:
        return None
    seconds = clock(stream)
    for back in STEPS_BACK:
        if start - back <= 0:
            return None
        stamp = int((start - back) / stream.time_base) + (stream.start_time or 0)
        try:
            container.seek(stamp, stream=stream)
        except FFmpegError:
            return None
        # Some demuxers land between key frames; a few dozen packets on there must be one.
        for packet, _ in zip(packets(container, stream), count(), strict=False):
            if packet is None or packet.pts is None:
                return None
            if packet.is_keyframe:
                if seconds(packet.pts, 0) <= start:
                    return stamp
                break
    return None
