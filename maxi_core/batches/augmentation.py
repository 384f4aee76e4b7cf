"""Augmentation of a clip: one draw for all its frames (method.md, training)."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin, tau
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maxi_core.batches.batch import Augmentation
from maxi_core.clip.image_tower import centre_crop

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

# Colour augmentation of a clip: brightness, contrast, saturation, hue and grey as one change of RGB (method.md).
# All five are affine in RGB, so they are multiplied into one 3 x 3 matrix and an offset, and every pixel is visited
# once: a tenth of the time of five passes, of which hue by HSV alone takes most. Values are cut to 0..255 at the end
# only.

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

JITTERED, GREYED = 0.8, 0.2  # shares of the videos
# How much each may change. The authors give the shares only; these are usual in self-supervised learning (BYOL).
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.4, 0.4, 0.2, 0.1

LUMA = np.array([0.299, 0.587, 0.114])
YIQ = np.array([LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])

# Coefficients are multiples of this. Products with whole numbers up to 255 and their sums then fit into 24 bits, so
# float32 computes them without rounding, and the result is the same in any order and on any number of threads.
GRAIN = 2.0**-12
AT_ONCE = 1 << 16  # pixels that are worked on at once, so that they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Colour:
    """Factors of brightness, contrast and saturation, the hue in turns of the colour circle, and whether to grey."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    grey: bool = False

    def apply(self, frames: Image) -> Image:
        """Return frames (T, 3, H, W) in other colours; the contrast is that to the mean grey of each frame."""
        if self == PLAIN:
            return frames
        matrix = _grained(self.matrix())
        shift = _grained(self._shift(frames)) + np.float32(0.5)  # to the nearest whole number
        changed = np.empty_like(frames)
        step = max(1, AT_ONCE // (frames.shape[2] * frames.shape[3]))
        for first in range(0, len(frames), step):
            some = slice(first, first + step)
            _transform(frames[some], matrix, shift[some, None, None], changed[some])
        return changed

    def matrix(self) -> Matrix:
        """Return what RGB is multiplied with, (3, 3); each row of it keeps greys grey."""
        grey = np.tile(LUMA, (3, 1))  # RGB -> the luma in all three
        matrix = np.eye(3) * (self.brightness * self.contrast)
        matrix = _turn(self.hue) @ (self.saturation * np.eye(3) + (1 - self.saturation) * grey) @ matrix
        return grey @ matrix if self.grey else matrix

    def _shift(self, frames: Image) -> Matrix:
        """Return what is added to all three channels of each frame, (T,), so that its mean grey keeps its value."""
        if self.contrast == 1:
            return np.zeros(len(frames))
        mean = frames.sum(axis=(2, 3), dtype=np.uint64) / (frames.shape[2] * frames.shape[3])  # (T, 3)
        shift: Matrix = (1 - self.contrast) * self.brightness * (mean @ LUMA)
        return shift


PLAIN = Colour()  # as they are


def draw_colour(rng: Random) -> Colour:
    """Draw what happens to the colours of one clip, in all its frames the same."""
    jittered, greyed = rng.random() < JITTERED, rng.random() < GREYED
    by = [rng.uniform(-most, most) for most in (BRIGHTNESS, CONTRAST, SATURATION, HUE)]
    if not jittered:
        return Colour(grey=greyed)
    return Colour(1 + by[0], 1 + by[1], 1 + by[2], by[3], greyed)


def _turn(hue: float) -> Matrix:
    """Return the rotation of colours about the axis of greys, red towards yellow, which keeps the luma."""
    c, s = cos(tau * hue), sin(tau * hue)
    turned: Matrix = np.linalg.inv(YIQ) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) @ YIQ
    return turned


def _grained(values: Matrix) -> NDArray[np.float32]:
    return (np.round(values / GRAIN) * GRAIN).astype(np.float32)


def _transform(frames: Image, matrix: NDArray[np.float32], shift: NDArray[np.float32], out: Image) -> None:
    """Write matrix @ RGB + shift of frames (t, 3, H, W), cut to 0..255 and to whole numbers, into `out`."""
    planes = frames.swapaxes(0, 1).astype(np.float32)  # (3, t, H, W)
    total, part = np.empty_like(planes[0]), np.empty_like(planes[0])
    for channel, row in enumerate(matrix):
        np.multiply(planes[0], row[0], out=total)
        for source, weight in zip(planes[1:], row[1:], strict=True):
            np.multiply(source, weight, out=part)
            np.add(total, part, out=total)
        np.add(total, shift, out=total)
        np.clip(total, 0, 255, out=total)
        out[:, channel] = total


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
