"""Films as they come: with sound that begins before them, pictures beside them, and matrices that turn them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from struct import pack

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from tests.video.clips import numbered

ONE = 1 << 16  # in 16.16
MATRICES = {  # a, b, c, d: x' = ax + cy, y' = bx + dy
    "as stored": (ONE, 0, 0, ONE),
    "mirrored": (-ONE, 0, 0, ONE),
    "upside down": (ONE, 0, 0, -ONE),
    "half a turn": (-ONE, 0, 0, -ONE),
    "a quarter": (0, ONE, -ONE, 0),
    "three quarters": (0, -ONE, ONE, 0),
    "transposed": (0, ONE, ONE, 0),
    "transposed the other way": (0, -ONE, -ONE, 0),
}


def held(source: Path, target: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Copy an MP4 with another display matrix in the header of its first track."""
    data, (a, b, c, d) = bytearray(source.read_bytes()), matrix
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def orientated(source: Path, target: Path, how: str) -> Path:
    """Copy an H.264 film with a display orientation in the stream itself, such as `flip=horizontal`."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        film = given.streams.video[0]
        stream = container.add_stream_from_template(film)
        change = BitStreamFilterContext(f"h264_metadata=display_orientation=insert:{how}", film)
        for packet in given.demux(film):
            for changed in change.filter(packet if packet.size else None):
                changed.stream = stream
                container.mux(changed)
    return target


@dataclass(frozen=True)
class Track:
    """One video stream: codec, size, number of frames, seconds before it begins, and what it is said to be."""

    codec: str = "libx264"
    width: int = 160
    height: int = 96
    frames: int = 50
    late: float = 0.0
    role: int | None = None


def film(path: Path, tracks: Sequence[Track], sound: str = "", seconds: float = 4.0, **how: str) -> Path:
    """Write numbered frames at 25 a second, and silence of `seconds` if a codec for `sound` is named."""
    options: Mapping[str, str] = how
    with av.open(str(path), "w", options=dict(options)) as container:
        streams = []
        for track in tracks:
            stream = container.add_stream(track.codec, rate=25)
            stream.width, stream.height = track.width, track.height
            stream.pix_fmt = "yuvj420p" if track.codec == "mjpeg" else "yuv420p"
            if track.role is not None:
                stream.disposition = av.stream.Disposition(track.role)
            streams.append(stream)
        silence = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        for step in range(int(25 * max(seconds, *(track.late + track.frames / 25 for track in tracks)))):
            for track, stream in zip(tracks, streams, strict=True):
                number = step - round(25 * track.late)
                if 0 <= number < track.frames:
                    frame = av.VideoFrame.from_ndarray(numbered(number, track.width, track.height), format="rgb24")
                    frame.pts, frame.time_base = step, Fraction(1, 25)
                    container.mux(stream.encode(frame))
            if silence is not None and step < 25 * seconds:
                quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="mono")
                quiet.sample_rate, quiet.pts, quiet.time_base = 48000, 1920 * step, Fraction(1, 48000)
                container.mux(silence.encode(quiet))
        for stream in streams:
            container.mux(stream.encode(None))
        if silence is not None:
            container.mux(silence.encode(None))
    return path
