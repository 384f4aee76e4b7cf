"""How long a video is, and how many frames it promises: what the header says of this stream, or what its packets say.

Containers keep different things. MP4 has the length of each track. A tag in Matroska says when a track ends (FFmpeg) or
how long it lasts (mkvmerge). FLV, ASF and Matroska without tags know the length of the whole file, in which sound may
begin before the film and end after it. AVI numbers frames that were never stored. Recordings may say nothing at all.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from maxi_core.system.remote import as_path
from maxi_core.video.archives import demuxed
from maxi_core.video.window import INDEXED, TOLERANCE, lasting, packets, promised, rate_of

NOT_OWN = frozenset({"asf", "mpeg"})  # each stream is said to be as long as the file, or is measured without B-frames
MEASURED = frozenset({"mpegts"})  # the demuxer measures what is left of the file, so that promises nothing
FRAGMENTED = "mov,mp4,m4a,3gp,3g2,mj2"  # where it counts no frames, the length is that of the first fragments


def header_frames(container: InputContainer, stream: VideoStream) -> int:
    """Return how many frames the container says that it stores of the stream; 0 if it keeps no count."""
    return _indexed(container, stream) or stream.frames


def header_length(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the seconds from the first frame to the end of the last that the header promises of this stream alone."""
    kind = container.format.name
    if count := _indexed(container, stream):
        return float(count / rate_of(stream))
    if kind not in NOT_OWN and not (kind == FRAGMENTED and not stream.frames):
        if stream.duration and stream.time_base:
            return lasting(stream, stream.duration)
        tag = _tagged(stream)
        if tag is not None:  # one that is longer than the file was copied from another
            tag -= 0.0 if "_STATISTICS_WRITING_APP" in stream.metadata else _start(stream)
            return min(tag, file_length(container, stream) or tag)
    return None


def file_length(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the seconds from the first frame of the stream to the end of the file by its header, at least.

    Some containers count from time 0, others from the first packet; the former is less.
    """
    if container.format.name == "asf":  # what is called the file's length has the latest start added to it
        length = lasting(stream, stream.duration) - _start(stream)
    else:
        length = (container.duration or 0) / av.time_base - _start(stream)
    return length if length > 0 else None


def length_of(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the seconds from the first frame to the end of the last; None if there is not one.

    Without a word on it in the header, or with one that cannot be, every packet is read.
    """
    told = header_length(container, stream)
    if told is not None and told < container.size:  # a second of film has more than a byte
        return told
    stamps = [(packet.pts, packet.duration or 0) for packet in packets(container, stream) if packet is not None]
    known = [(stamp, length) for stamp, length in stamps if stamp is not None]
    frame = float(1 / rate_of(stream))
    if len(known) < len(stamps) or stream.time_base is None:
        return len(stamps) * frame or None
    if not known:
        return None
    last, length = max(known)
    return lasting(stream, last - min(known)[0]) + (lasting(stream, length) or frame)


def shown(stream: VideoStream, found: int, first: float, last: float) -> float:
    """Return for how many seconds frames are shown of which these are the number and the times of first and last."""
    return last - first + ((last - first) / (found - 1) if found > 1 else float(1 / rate_of(stream)))


def declared(
    container: InputContainer, stream: VideoStream, found: int, first: float, last: float, until: float | None
) -> tuple[int | None, bool]:
    """Return how many frames there should be by the promised length, and whether the file breaks off; see `promised`.

    `until` is the end of the window. A film that ends before the file is whole if the file itself, with its sound, goes
    on to its promised end; that is looked up only where frames are missing.
    """
    if container.format.name in MEASURED:
        return None, False
    own, whole = header_length(container, stream), file_length(container, stream)
    length = whole if own is None else own
    count = promised(found, first, last, length if until is None or length is None else min(length, until))
    if count is None or count <= found:
        return count, False
    if whole is not None and _reached(container, stream) >= whole * (1 - TOLERANCE):
        return found, False
    return (count, False) if own is not None or len(container.streams) == 1 else (None, True)


def _reached(container: InputContainer, stream: VideoStream) -> float:
    """Return how far any stream of the file goes, in seconds from the first frame of `stream`; every packet is read."""
    ends = [0.0]
    with suppress(FFmpegError), demuxed(as_path(container.name)) as again:  # not every format can be wound back
        for packet in again.demux():
            if packet.pts is not None and packet.time_base is not None:
                ends.append(float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return max(ends) - _start(stream)


def _indexed(container: InputContainer, stream: VideoStream) -> int:
    """Return how many frames are in the index of an AVI that is whole, else 0: what it leaves out was never stored."""
    if container.format.name not in INDEXED:
        return 0
    stored = [entry.timestamp for entry in stream.index_entries if entry.size]
    return len(stored) if stored and stored[-1] + 1 >= stream.frames else 0


def _start(stream: VideoStream) -> float:
    return lasting(stream, stream.start_time)


def _tagged(stream: VideoStream) -> float | None:
    for name, value in stream.metadata.items():
        if name == "DURATION" or name.startswith("DURATION-"):  # mkvmerge adds the language
            try:
                hours, minutes, rest = value.split(":")
                return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(rest)).total_seconds()
            except ValueError:
                return None
    return None
