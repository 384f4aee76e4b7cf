"""From a decoded frame to upright RGB pixels of the right shape and size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from struct import unpack_from

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from maxi_core.video.decoders import Side
from maxi_core.video.frames import Pixels

PLAUSIBLE = (Fraction(1, 8), Fraction(8))  # the shape of a pixel; anything else is a damaged header


def displayed(width: int, height: int, aspect: Fraction | None, short_side: int | None) -> tuple[int, int]:
    """Return width and height in square pixels, made smaller (never larger) to the given shorter side."""
    wide, high = Fraction(width), Fraction(height)
    if aspect is not None and PLAUSIBLE[0] <= aspect <= PLAUSIBLE[1]:
        wide *= aspect
    scale = min(Fraction(1), short_side / min(wide, high)) if short_side else Fraction(1)
    return max(1, round(wide * scale)), max(1, round(high * scale))


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is shown: `transposed` first, then `mirrored` left to right, then `flipped` upside down.

    These are all eight that a display matrix can say in right angles; any other angle is taken as the nearest of them.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def upright(self, pixels: Pixels) -> Pixels:
        """Return (H, W, 3) pixels as they are shown, a view."""
        shown = pixels.transpose(1, 0, 2) if self.transposed else pixels
        return shown[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix of a frame (ISO/IEC 14496-12, 6.2.2): x' = ax + cy, y' = bx + dy, in 16.16."""
    said: Mapping[str, object] = frame.side_data
    matrix = said.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return Orientation()
    a, b, _, c, d = unpack_from("=5i", bytes(matrix))
    if max(abs(b), abs(c)) > max(abs(a), abs(d)):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)


class Picture:
    """Converts frames of one video to one size; all come out in that of `first`, even if the stream changes its own.

    `first` is the first frame of the video (or window), wanted or not, so the size does not depend on who asks. The
    frames are turned as each says itself, or as `orientation` says.
    """

    def __init__(
        self, first: VideoFrame, aspect: Fraction | None, short_side: Side, orientation: Orientation | None = None
    ) -> None:
        self._orientation = orientation
        self._size = displayed(first.width, first.height, aspect, short_side)
        self._reformatter = VideoReformatter()  # one for each size: it keeps what it worked out for the last conversion

    def of(self, frame: VideoFrame) -> Pixels:
        """Return the frame as (H, W, 3) uint8: RGB, turned upright, with square pixels; not always contiguous."""
        picture = self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format="rgb24",
            interpolation=Interpolation.BILINEAR,
        )
        orientation = self._orientation or orientation_of(frame)
        return orientation.upright(np.asarray(picture.to_ndarray(), np.uint8))


class Collector:
    """The frames of one video that are wanted, in every size in which they are wanted, as they come by in order.

    `wanted` has the indices for each of `sides`; `aspect` is the shape of a pixel as stored, None to ignore it, and
    `orientation` how frames are shown that do not say so themselves.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        wanted: Sequence[Sequence[int]],
        aspect: Fraction | None,
        orientation: Orientation | None = None,
    ) -> None:
        self._sides, self._aspect, self._orientation = sides, aspect, orientation
        self._wanted = [frozenset(part) for part in wanted]
        self._any = frozenset((0,)).union(*self._wanted)
        self._kept: list[list[Pixels]] = [[] for _ in sides]
        self._pictures: list[Picture] = []

    def wants(self, index: int) -> bool:
        """Whether `show` has to see this frame; the first one gives all their size."""
        return index in self._any

    def show(self, index: int, frame: VideoFrame) -> None:
        """Keep a frame in each size in which it is wanted, always scaled from the frame itself."""
        if not self._pictures:
            self._pictures = [Picture(frame, self._aspect, side, self._orientation) for side in self._sides]
        for wanted, kept, picture in zip(self._wanted, self._kept, self._pictures, strict=True):
            if index in wanted:
                kept.append(picture.of(frame))

    def pixels(self) -> tuple[Pixels, ...]:
        """Return what was kept, (N, H, W, 3) for each size."""
        return tuple(_stacked(kept) for kept in self._kept)


def _stacked(kept: list[Pixels]) -> Pixels:
    """Copy frames, which may lie in memory in any way, into one array in C order: the only copy that is made of them.

    `np.stack` by itself would keep the order of frames that were turned.
    """
    whole = np.empty((len(kept), *(kept[0].shape if kept else (1, 1, 3))), np.uint8)
    return np.stack(kept, out=whole) if kept else whole
