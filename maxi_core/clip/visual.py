"""The visual side of a CLIP, for whole videos: from frames to pixels to one feature (SPEC sections 2 and 8)."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.clip.models import Clip, Statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Normalisation = Literal["model", "imagenet"]
Precision = Literal["fp32", "amp_bf16"]

# What the authors' code normalises with, whatever the model was trained with (SPEC section 2).
IMAGENET: tuple[Statistics, Statistics] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def short_side(image_size: int) -> int:
    """Return the pixels of the shorter side before the centre crop: 256 for a model of 224, and in proportion."""
    return round(image_size * 256 / 224)


def centre_crop(frames: "NDArray[np.uint8]", image_size: int) -> Tensor:
    """Return frames (T, H, W, 3) uint8 as pixels (T, 3, S, S) uint8: resized, then the centre kept (SPEC section 8)."""
    from torchvision.transforms.v2 import functional as transforms

    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, 3) -> (T, 3, H, W)
    pixels = transforms.resize(pixels, [short_side(image_size)], antialias=True)  # bilinear
    cropped: Tensor = transforms.center_crop(pixels, [image_size])
    return cropped.contiguous()


def statistics(clip: Clip, normalisation: Normalisation) -> tuple[Statistics, Statistics]:
    """Return mean and standard deviation of RGB in 0..1 that pixels are normalised with."""
    return IMAGENET if normalisation == "imagenet" else (clip.mean, clip.std)


def normalise(pixels: Tensor, mean: Statistics, std: Statistics) -> Tensor:
    """Return pixels (..., 3, S, S) uint8 as the model's input, float32."""
    shape = (3, 1, 1)
    centre, spread = (torch.tensor(value, device=pixels.device).view(shape) for value in (mean, std))
    return (pixels.float() / 255 - centre) / spread


def encode_video(
    clip: Clip,
    pixels: Tensor,
    *,
    normalisation: Normalisation = "model",
    precision: Precision = "fp32",
    batch: int = 16,
) -> Tensor:
    """Return the feature of one video, pixels (T, 3, S, S) uint8 -> (D,) float32 of length 1, on the model's device.

    The mean over frames of frame features that are not normalised, then normalised (SPEC section 2). At most `batch`
    frames go through the model at once. Nothing is differentiated.
    """
    mean, std = statistics(clip, normalisation)
    total = torch.zeros(clip.width, device=clip.device)
    with torch.no_grad(), _autocast(clip.device, precision):
        for frames in torch.split(pixels, batch):
            features = _encode_image(clip.model, normalise(frames.to(clip.device), mean, std))  # (t, D)
            total = total + features.float().sum(dim=0)
    return functional.normalize(total / len(pixels), dim=0)


def _encode_image(model: Any, images: Tensor) -> Tensor:
    features: Tensor = model.encode_image(images)
    return features


def _autocast(device: torch.device, precision: Precision) -> Any:
    return torch.autocast(device.type, torch.bfloat16) if precision == "amp_bf16" else nullcontext()
