"""The reference decoder: PyAV, in order, keeping and converting only the frames that are wanted.

Nothing here seeks to a frame: the clips of the field have a handful of key frames each, so a seek decodes as much as
reading on does, and it lands on wrong frames where B-frames or open groups of pictures are. Only for a window of a long
video is there one seek, to a key frame before it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maxi_core.system.remote import as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.texts import counted
from maxi_core.video.archives import demuxed, video_size
from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded, Info
from maxi_core.video.lengths import declared, file_length, header_frames, header_length, shown
from maxi_core.video.picture import Collector, displayed, orientation_of
from maxi_core.video.skips import VideoError, check_file, not_a_video
from maxi_core.video.window import Window, clock, lasting, locate, packets

PLAYLISTS = frozenset(("concat", "hls", "applehttp", "dash", "imf", "sdp", "rtsp"))
PICTURES = frozenset({"mjpeg", "png", "bmp", "webp", "tiff"})  # codecs of covers that no container marks as such
TRANSPORT_PACKETS = (188, 192, 204)  # bytes; a whole transport stream is a multiple of one of them


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
    """Decode `path` in order and return the frames that `choose` wants; see `maxi_core.video.decoders.Decode`.

    The file (or window) is decoded to its end, so `found` is counted and not believed. Raises `VideoError`.
    """
    window = Window()
    if start is not None or end is not None:
        with opened(path) as (container, stream):
            window = locate(container, stream, start, end)
    request = _Request(path, choose, tuple(sides), square_pixels, threads)
    first = _read(request, window)
    if threads != 1 and (first.undecodable or first.concealed or first.found != first.expected):
        # After an error in one thread FFmpeg drops frames of the others, in silence: damaged files go without threads.
        request = replace(request, threads=1)
        first = _read(request, window)
    if first.found == 0:
        raise _no_frames(window, first)
    if first.found == first.expected or request.chosen(first.found, first.info) == first.wanted:
        return first.result()
    # The container lied, or some packets show no frame: now the number is known, so choose again.
    again = _read(request, replace(window, expected=first.found))
    if again.found != first.found:
        raise VideoError("unstable", f"{counted(first.found, 'frame')} could be decoded, and then {again.found}")
    return again.result()


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for."""

    path: Path
    choose: Choose
    sides: tuple[Side, ...]
    square_pixels: bool
    threads: int

    def chosen(self, n: int, info: Info) -> tuple[tuple[int, ...], ...]:
        """Return the frames that are wanted of `n`, for each size; raises VideoError as `choose` does."""
        return tuple(tuple(part) for part in self.choose(n, info.rate)) if n else tuple(() for _ in self.sides)


@dataclass(slots=True)
class _Reading:
    """What one reading of a file has come to."""

    info: Info
    expected: int
    wanted: tuple[tuple[int, ...], ...]
    collector: Collector
    found: int = 0
    place: int = 0  # of the next frame, counted from where decoding began
    first: float = 0.0
    last: float = 0.0
    hidden: int = 0  # packets that an edit list hides
    undecodable: int = 0
    concealed: int = 0
    broken_off: bool = False
    beyond: bool = False  # a frame behind the window was seen, so nothing is missing at its end
    declared: int | None = None
    damage: str = ""

    def result(self) -> Decoded:
        return Decoded(self.collector.pixels(), self.found, self.declared, self.damage, self.info)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open `path` and yield its container and the film in it (`film`); raise `VideoError` if there is none."""
    check_file(path)
    try:
        with ExitStack() as stack:
            try:
                container = stack.enter_context(demuxed(path))
            except (FFmpegError, ValueError) as error:
                raise not_a_video(path) from error
            yield container, film(container)
    except RemoteError as error:
        raise VideoError(error.kind, error.problem, error.fix) from error


def film(container: InputContainer) -> VideoStream:
    """Return the video stream that FFmpeg plays (`av_find_best_stream`), but never an attached picture.

    Raises VideoError if there is none, or if the file is only a list of others, which it would have read.
    """
    if playlist := PLAYLISTS & {*container.format.name.split(",")}:
        raise VideoError(
            "no-video", f"this file is a list of other files ({min(playlist)})", "join them into one video"
        )
    moving = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not moving:
        kinds = {stream.type if stream.type != "video" else "a picture" for stream in container.streams if stream.type}
        only = ", ".join(sorted(kinds)) or "nothing"
        raise VideoError("no-video", f"there is no video in this file, only {only}")
    best = container.streams.best("video")
    chosen = next((one for one in moving if one == best), moving[0])
    if chosen.codec_context is None:
        raise VideoError("no-decoder", "FFmpeg has no decoder for the video in this file", "write it anew as H.264")
    if container.streams.audio and chosen.codec_context.name in PICTURES and _is_single(container, chosen):
        raise VideoError("no-video", "there is no video in this file, only a picture, audio")
    return chosen


def _is_single(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the stream has one packet; `container` is left where it is."""
    with demuxed(as_path(container.name)) as again:
        same = next(one for one in again.streams.video if one.index == stream.index)
        return len(list(islice(packets(again, same), 2))) < 2


def describe(container: InputContainer, stream: VideoStream) -> Info:
    """Return what the header says of the video; width and height with square pixels, before rotation."""
    width, height = displayed(stream.width, stream.height, stream.sample_aspect_ratio, None)
    rate = stream.average_rate or stream.guessed_rate
    length = header_length(container, stream)
    length = file_length(container, stream) if length is None else length
    codec = stream.codec_context.codec.canonical_name
    return Info(codec, container.format.name, width, height, float(rate) if rate else None, length)


def _read(request: _Request, window: Window) -> _Reading:
    """Read the window once, keeping the frames that are wanted if it has as many as expected."""
    with opened(request.path) as (container, stream):
        info = describe(container, stream)
        expected, wanted = _expected(request, container, stream, window, info)
        aspect = stream.sample_aspect_ratio if request.square_pixels else None
        reading = _Reading(info, expected, wanted, Collector(request.sides, wanted, aspect))
        stream.thread_type = "AUTO" if request.threads != 1 else "NONE"
        stream.codec_context.thread_count = request.threads
        if window.seek is not None:
            container.seek(window.seek, stream=stream)
        for frame in _frames(container, stream, window, reading):
            if reading.found == 0 and orientation_of(frame).transposed:
                reading.info = replace(reading.info, width=reading.info.height, height=reading.info.width)
            if reading.collector.wants(reading.found):
                reading.collector.show(reading.found, frame)
            reading.found += 1
            reading.concealed += frame.is_corrupt
        _settle(container, stream, window, reading)
        reading.damage = _damage(request.path, container, reading)
    return reading


def _expected(
    request: _Request, container: InputContainer, stream: VideoStream, window: Window, info: Info
) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """Return how many frames there should be, and which are wanted of so many."""
    promised = header_frames(container, stream) if window.expected is None else window.expected
    if promised or window.expected is not None:
        try:
            return promised, request.chosen(promised, info)
        except VideoError:
            if window.expected is not None:
                raise  # these were counted
    counted = _packets_in(request.path)  # nothing is promised, or more than can be served: a header may lie
    return counted, request.chosen(counted, info)


def _packets_in(path: Path) -> int:
    with opened(path) as (container, stream):
        return sum(packet is not None for packet in packets(container, stream))


def _frames(container: InputContainer, stream: VideoStream, window: Window, reading: _Reading) -> Iterator[VideoFrame]:
    """Yield the frames of the window in the order in which they are shown; note in `reading` what goes wrong.

    If none begins in the window, that is the frame which is still shown.
    """
    held: tuple[float, VideoFrame] | None = None
    seconds = clock(stream, window.stamped)
    for frame in chain.from_iterable(_batches(container, stream, reading)):
        time = seconds(frame.pts, reading.place)
        reading.place += 1
        if window.before(time):
            held = time, frame
            continue
        if window.after(time):
            reading.beyond = True
            break
        reading.first, reading.last = (time if reading.found == 0 else reading.first), time
        yield frame
    if held and not reading.found and (reading.beyond or window.reaches(held[0] + lasting(stream, held[1].duration))):
        reading.first = reading.last = held[0]
        yield held[1]


def _batches(container: InputContainer, stream: VideoStream, reading: _Reading) -> Iterator[list[VideoFrame]]:
    for packet in packets(container, stream):
        if packet is None:
            reading.broken_off = True
            break
        reading.hidden += packet.is_discard
        try:
            yield packet.decode()
        except FFmpegError:
            reading.undecodable += 1
    try:
        yield stream.decode(None)  # the frames that the decoder still holds
    except FFmpegError:
        reading.undecodable += 1


def _settle(container: InputContainer, stream: VideoStream, window: Window, reading: _Reading) -> None:
    """Note how many frames the file promises: a count where it keeps one, or else from its length in seconds.

    A length that the header does not say of this stream is replaced by that of the frames.
    """
    info, first, last = reading.info, reading.first, reading.last
    if window.whole and reading.found and header_length(container, stream) is None:
        reading.info = replace(info, duration=shown(stream, reading.found, first, last))
    count = header_frames(container, stream) if window.whole else 0
    if count:
        reading.declared = count - reading.hidden
    elif reading.beyond:
        reading.declared = reading.found
    else:
        reading.declared, cut = declared(container, stream, reading.found, first, last, window.end)
        reading.broken_off |= cut


def _damage(path: Path, container: InputContainer, reading: _Reading) -> str:
    parts = []
    if reading.undecodable:
        parts.append("some of its data is damaged")
    if reading.concealed:
        parts.append(f"damaged frames: {reading.concealed}")
    size = video_size(path)
    if reading.broken_off or (container.format.name == "mpegts" and all(size % unit for unit in TRANSPORT_PACKETS)):
        parts.append("the file breaks off")
    return ", ".join(parts)


def _no_frames(window: Window, reading: _Reading) -> VideoError:
    if window.whole or reading.undecodable:
        return VideoError("no-frames", "not one frame of this video could be decoded")
    length = f"; the video lasts {reading.info.duration:.2f} s" if reading.info.duration else ""
    span = f"{window.start or 0:g} s and " + (f"{window.end:g} s" if window.end is not None else "the end")
    return VideoError("empty-window", f"there are no frames between {span}{length}", "correct start and end")
