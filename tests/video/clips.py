"""Clips that say which frame is which: every frame carries its number as a grid of black and white blocks.

The number survives lossy coding, scaling and changes of colour, so a test compares the *identity* of frames. A
tolerance on pixels proves nothing: in a slow video a frame that is two off differs by less than any coding error.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

ROWS, COLUMNS = 2, 5  # ten bits: frames 0 to 1023
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def numbered(index: int, width: int, height: int) -> Image:
    """Return the frame (H, W, 3) that shows `index` in binary, most significant block first."""
    bits = [(index >> shift) & 1 for shift in reversed(range(ROWS * COLUMNS))]
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grid = np.array(bits, dtype=np.uint8).reshape(ROWS, COLUMNS) * 215 + 20
    return np.repeat(grid[rows][:, columns][..., None], 3, axis=-1)


def number_in(frame: Image) -> int:
    """Read the number that `numbered` drew, from the middle of each block."""
    height, width = frame.shape[:2]
    value = 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            top, left = (4 * row + 1) * height // (4 * ROWS), (4 * column + 1) * width // (4 * COLUMNS)
            bottom, right = (4 * row + 3) * height // (4 * ROWS), (4 * column + 3) * width // (4 * COLUMNS)
            value = value * 2 + int(frame[top:bottom, left:right].mean() > 127)
    return value


def numbers_in(frames: Iterable[Image]) -> list[int]:
    """Read the number of every frame."""
    return [number_in(frame) for frame in frames]


def coloured(width: int, height: int) -> Image:
    """Return a frame (H, W, 3) with red, green, blue and white quarters, in reading order."""
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    for place, colour in enumerate(COLOURS.values()):
        row, column = divmod(place, 2)
        frame[row * height // 2 : (row + 1) * height // 2, column * width // 2 : (column + 1) * width // 2] = colour
    return frame


def colours_in(frame: Image) -> list[str]:
    """Name the colour nearest to the middle of each quarter, in reading order."""
    height, width = frame.shape[:2]
    names = list(COLOURS)
    palette = np.array(list(COLOURS.values()), dtype=np.int64)  # (4, 3)
    seen = []
    for row, column in ((1, 1), (1, 3), (3, 1), (3, 3)):
        pixel = frame[row * height // 4, column * width // 4].astype(np.int64)
        seen.append(names[int(np.abs(palette - pixel).sum(axis=1).argmin())])
    return seen


@dataclass(frozen=True)
class Coding:
    """How a clip is written: file extension, codec and whatever makes it awkward."""

    suffix: str = ".mp4"
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    container: Mapping[str, str] = field(default_factory=dict)
    b_frames: int = 0
    gop: int = 12
    rotation: int = 0
    aspect: Fraction | None = None
    bit_rate: int = 800_000


X264 = {"preset": "veryfast", "crf": "20"}
OPEN_GOP = {**X264, "x264-params": "open-gop=1:bframes=3:b-pyramid=normal:keyint=12:scenecut=0"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=1:bframes=3:keyint=12:pools=1:frame-threads=1"}

MATRIX = {
    "h264": Coding(options=X264),
    "h264-open-gop": Coding(options=OPEN_GOP),
    "hevc": Coding(codec="libx265", options=X265),
    "mpeg4-b-avi": Coding(".avi", "mpeg4", b_frames=2),
    "mpeg4-b-mp4": Coding(".mp4", "mpeg4", b_frames=2),
    "vp8": Coding(".webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
    "vp9": Coding(".webm", "libvpx-vp9", options={"lag-in-frames": "16", "cpu-used": "8", "deadline": "realtime"}),
    "av1": Coding(".mp4", "libsvtav1", options={"preset": "8", "crf": "20"}),
    "mpeg2": Coding(".mpg", "mpeg2video", b_frames=2),
    "ts": Coding(".ts", options=OPEN_GOP),
    "h264-10-bit": Coding(pixels="yuv420p10le", options=X264),
}


def write(
    path: Path,
    frames: Iterable[Image],
    coding: Coding = MATRIX["h264"],
    rate: int = 25,
    times: Iterable[int] | None = None,
) -> Path:
    """Write `frames` (each (H, W, 3)) to `path`; `times` are in milliseconds, for a variable frame rate."""
    with av.open(str(path), "w", options=dict(coding.container)) as container:
        stream = container.add_stream(coding.codec, rate=rate, options=dict(coding.options))
        stream.pix_fmt = coding.pixels
        stream.codec_context.gop_size = coding.gop
        stream.codec_context.max_b_frames = coding.b_frames
        if "crf" not in coding.options:
            stream.bit_rate = coding.bit_rate
        base = Fraction(1, rate) if times is None else Fraction(1, 1000)
        stream.time_base = base
        stream.codec_context.time_base = base
        stamps: Iterator[int] | None = None if times is None else iter(times)
        for index, image in enumerate(frames):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
                if coding.aspect is not None:
                    stream.codec_context.sample_aspect_ratio = coding.aspect
                if coding.rotation:
                    stream.set_display_rotation(coding.rotation)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = index if stamps is None else next(stamps)
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _give_way()
    return path


def _give_way() -> None:
    """Take back what libsvtav1 does where it may: it makes the thread that calls it one of real time, for good."""
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def write_numbered(
    path: Path, count: int, coding: Coding = MATRIX["h264"], width: int = 160, height: int = 96, rate: int = 25
) -> Path:
    """Write `count` frames that carry their numbers."""
    images = [numbered(index, width, height) for index in range(count)]
    try:
        return write(path, images, coding, rate)
    except av.error.ArgumentError:  # seldom, on a busy machine: the container refuses libsvtav1's last packets
        return write(path, images, coding, rate)


def cut(source: Path, target: Path, share: float = 0.5) -> Path:
    """Copy the first `share` of the bytes of `source`."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target
