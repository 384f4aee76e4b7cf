"""Where in a frame lies what a model saw of it, and a map laid over just that part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maxi_core.clip.image_tower import short_side

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

Map = NDArray[np.float32]
OPAQUE = 0.6  # of a map over its frame; of one that is symmetric about 0, the more the further from it
UNSEEN = 0.35  # of the light of a frame stays where the model did not look


def seen_box(height: int, width: int, image_size: int) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right of what the centre crop of a model keeps, in pixels of a frame of any size.

    That is `maxi_core.clip.image_tower.centre_crop`, backwards: the rounding of the resized longer side included.
    """
    short = short_side(image_size)
    across = short if width <= height else int(short * width / height)
    down = short if height < width else int(short * height / width)
    top, left = round((down - image_size) / 2), round((across - image_size) / 2)
    down_scale, across_scale = height / down, width / across
    return (
        round(top * down_scale),
        round(left * across_scale),
        round((top + image_size) * down_scale),
        round((left + image_size) * across_scale),
    )


def laid_over(frame: "Pixels", found: Map, image_size: int, scale: "Scale") -> "Pixels":
    """Return a frame (H, W, 3) uint8, grey, with a map (rows, columns) in colour where it was seen, dark elsewhere.

    The map is interpolated between the patches' centres (bilinear).
    """
    from PIL import Image

    height, width = frame.shape[:2]
    top, left, bottom, right = seen_box(height, width, image_size)
    grey = frame.astype(np.float32).mean(axis=2, keepdims=True).repeat(3, axis=2)
    shown = grey * UNSEEN
    size = (right - left, bottom - top)
    large = np.asarray(Image.fromarray(found.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    colours, opaque = scale.colours(large)
    shown[top:bottom, left:right] = (1 - opaque) * grey[top:bottom, left:right] + opaque * colours
    laid: Pixels = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return laid


@dataclass(frozen=True)
class Scale:
    """One scale of colours for many maps, from `low` to `high`: red and blue if it is symmetric about 0."""

    low: float
    high: float

    @staticmethod
    def of(maps: Sequence[Map], *, from_zero: bool = True) -> "Scale":
        """Return the scale of maps: symmetric about 0 if they go below, else from 0, else from their lowest value.

        Where 0 means nothing (`from_zero` false), from the lowest value to the highest.
        """
        low, high = min(float(one.min()) for one in maps), max(float(one.max()) for one in maps)
        if from_zero and low < 0:
            low, high = -max(-low, high), max(-low, high)
        elif from_zero:
            low = 0.0
        return Scale(low, high if high > low else low + 1.0)

    @property
    def centred(self) -> bool:
        """Whether it is symmetric about 0."""
        return self.low == -self.high

    @property
    def colour_map(self) -> str:
        """The name of its colour map, as matplotlib has them."""
        return "RdBu_r" if self.centred else "inferno"

    def colours(self, values: Map) -> tuple[Map, Map]:
        """Return colours from 0 to 255 and how opaque they are, (...) -> (..., 3), (..., 1)."""
        from matplotlib import colormaps

        shares = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        opaque = np.minimum(1, 2 * np.abs(2 * shares - 1)) if self.centred else np.ones_like(shares)
        coloured: Map = (255 * colormaps[self.colour_map](shares)[..., :3]).astype(np.float32)
        return coloured, OPAQUE * opaque[..., None]
