"""From frames to what the image tower of a CLIP reads: the test crop, and the normalisation of pixels."""

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Normalisation = Literal["model", "imagenet"]
Statistics = tuple[float, float, float]  # of red, green and blue, in 0..1

# What the authors' code normalises with, whatever the model was trained with.
IMAGENET: tuple[Statistics, Statistics] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def short_side(image_size: int) -> int:
    """Return the pixels of the shorter side before the centre crop: 256 for a model of 224, and in proportion."""
    return round(image_size * 256 / 224)


def centre_crop(frames: "NDArray[np.uint8]", image_size: int) -> Tensor:
    """Return frames (T, H, W, 3) uint8 as pixels (T, 3, S, S) uint8: resized, then the centre kept."""
    from torchvision.transforms.v2 import functional as transforms

    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, 3) -> (T, 3, H, W)
    pixels = transforms.resize(pixels, [short_side(image_size)], antialias=True)  # bilinear
    cropped: Tensor = transforms.center_crop(pixels, [image_size])
    return cropped.contiguous()


def normalise(pixels: Tensor, mean: Statistics, std: Statistics) -> Tensor:
    """Return pixels (..., 3, S, S) uint8 as the model's input, float32."""
    shape = (3, 1, 1)
    centre, spread = (torch.tensor(value, device=pixels.device).view(shape) for value in (mean, std))
    return (pixels.float() / 255 - centre) / spread
