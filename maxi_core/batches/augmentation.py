"""Augmentation of a clip: one draw for all its frames (method.md, training)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maxi_core.batches.batch import Augmentation
from maxi_core.batches.colour import PLAIN, Colour, draw_colour
from maxi_core.clip.visual import centre_crop

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

SCALES = (1.0, 0.875, 0.75, 0.66)
FLIPPED = 0.5
# Width and height are scaled by neighbours in this list at most, so a crop is never much wider or higher than a square.
SIZES = tuple((wide, high) for i, wide in enumerate(SCALES) for j, high in enumerate(SCALES) if abs(i - j) <= 1)
# Where a crop lies, in shares of the room that it leaves: the corners and the middle (TSN, Wang et al. 2016).
PLACES = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5))


@dataclass(frozen=True, slots=True)
class View:
    """What happens to every frame of a clip: a crop, a mirror, other colours.

    `size` is width and height of the crop in shares of the shorter side of the picture, `place` is how much of the
    room beside it lies left and above.
    """

    size: tuple[float, float] = (1.0, 1.0)
    place: tuple[float, float] = (0.5, 0.5)
    flip: bool = False
    colour: Colour = PLAIN

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, width and height of the crop in a picture of that size, in pixels."""
        short = min(width, height)
        wide, high = (max(1, int(short * share)) for share in self.size)
        return round((width - wide) * self.place[0]), round((height - high) * self.place[1]), wide, high

    def apply(self, frames: Pixels, image_size: int) -> Tensor:
        """Return frames (T, H, W, 3) uint8 as pixels (T, 3, S, S) uint8, contiguous."""
        from torchvision.transforms.v2 import functional as transforms

        left, top, width, height = self.box(frames.shape[2], frames.shape[1])
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, 3) -> (T, 3, H, W)
        pixels = transforms.resized_crop(pixels, top, left, height, width, [image_size, image_size], antialias=True)
        if self.flip:
            pixels = transforms.horizontal_flip(pixels)
        coloured: NDArray[np.uint8] = self.colour.apply(pixels.contiguous().numpy())
        return torch.from_numpy(coloured)


def draw_view(augmentation: Augmentation, flip: bool, rng: Random) -> View:
    """Draw the view of one clip; whether it may be mirrored changes none of the other draws."""
    size, place = rng.choice(SIZES), rng.choice(PLACES)
    mirrored = rng.random() < FLIPPED
    return View(size, place, flip and mirrored, draw_colour(rng) if augmentation == "paper" else PLAIN)


def augment(frames: Pixels, image_size: int, augmentation: Augmentation, flip: bool, rng: Random) -> Tensor:
    """Return one view of a clip, (T, H, W, 3) uint8 -> (T, 3, S, S) uint8; with `none`, that of evaluation."""
    if augmentation == "none":
        return centre_crop(frames, image_size)
    return draw_view(augmentation, flip, rng).apply(frames, image_size)
