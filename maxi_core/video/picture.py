"""From a decoded frame to upright RGB pixels of the right shape and size."""

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from maxi_core.video.frames import Pixels

PLAUSIBLE = (Fraction(1, 8), Fraction(8))  # the shape of a pixel; anything else is a damaged header


def displayed(width: int, height: int, aspect: Fraction | None, short_side: int | None) -> tuple[int, int]:
    """Return width and height in square pixels, made smaller (never larger) to the given shorter side."""
    wide, high = Fraction(width), Fraction(height)
    if aspect is not None and PLAUSIBLE[0] <= aspect <= PLAUSIBLE[1]:
        wide *= aspect
    scale = min(Fraction(1), short_side / min(wide, high)) if short_side else Fraction(1)
    return max(1, round(wide * scale)), max(1, round(high * scale))


class Picture:
    """Converts frames of one video; all come out in the size of the first, even if the stream changes its own."""

    def __init__(self, aspect: Fraction | None, short_side: int | None) -> None:
        self._aspect = aspect
        self._short_side = short_side
        self._size: tuple[int, int] | None = None
        self._reformatter = VideoReformatter()

    def of(self, frame: VideoFrame) -> Pixels:
        """Return the frame as (H, W, 3) uint8: RGB, turned upright, with square pixels."""
        turns = round(frame.rotation / 90) % 4  # counter-clockwise
        size = self._size or displayed(frame.width, frame.height, self._aspect, self._short_side)
        if self._size is None:
            self._size = size
        picture = self._reformatter.reformat(
            frame, width=size[0], height=size[1], format="rgb24", interpolation=Interpolation.BILINEAR
        )
        pixels: Pixels = np.rot90(picture.to_ndarray(), turns)
        return np.ascontiguousarray(pixels)
