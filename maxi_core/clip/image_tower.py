"""The image tower of a CLIP, exact and cheaper: fused attention, and the last block at the pooled token only.

Every block that is open_clip's own is computed by `maxi_core.clip.blocks`; a block that somebody has changed, such as a
temporal module, is asked itself; a tower of another kind is asked as a whole.
"""

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from maxi_core.clip.blocks import attends_apart, is_plain, is_touched, residual, residual_apart
from maxi_core.clip.timm_tower import encode_timm_patches, is_timm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_stock(visual: Any) -> bool:
    """Whether the tower is a vision transformer of open_clip, every block of which is as open_clip made it."""
    return _is_vit(visual) and all(map(is_plain, visual.transformer.resblocks))


def encode_images(visual: Any, images: Tensor, *, checkpointing: bool = False) -> Tensor:
    """Return the image features, (n, 3, S, S) -> (n, D), not normalised and differentiable.

    Equal to `visual(images)` to rounding. With `checkpointing` the blocks keep only their inputs for the backward pass
    and are computed again in it: about half the memory for a third more time, the same gradients.
    """
    if not _is_vit(visual):
        if hasattr(visual, "set_grad_checkpointing"):
            visual.set_grad_checkpointing(checkpointing)
        answer = visual(images)
        features: Tensor = answer[0] if isinstance(answer, tuple) else answer  # a tower may give its tokens besides
        return features
    x = _through_blocks(visual, images, checkpointing, only_first=True)  # (n, 1 or L, W)
    return _projected(visual, x[:, 0])


def encode_patches(visual: Any, images: Tensor) -> Tensor:
    """Return the features of all patches, (n, 3, S, S) -> (n, rows, columns, D): for heatmaps (supplement 3.1).

    The tokens of the last block, without the class token, through the final norm and the projection; of a tower of
    timm as `encode_timm_patches` says. Raises TypeError for other towers than these and open_clip's vision transformer
    with a class token.
    """
    if is_timm(visual):
        return encode_timm_patches(visual, images)
    if not _is_vit(visual):
        raise TypeError(f"a {type(visual).__name__} of this kind has no patch tokens beside a class token")
    x = _through_blocks(visual, images, checkpointing=False, only_first=False)
    patches = _projected(visual, x[:, 1:])  # (n, L - 1, D)
    return patches.view(len(patches), *visual.grid_size, -1)


def _is_vit(visual: Any) -> bool:
    """Whether the tower is open_clip's vision transformer, pooled at its class token, its own `forward` untouched."""
    from open_clip.transformer import Transformer, VisionTransformer

    if type(visual) is not VisionTransformer or type(visual.transformer) is not Transformer:
        return False
    pooled = visual.attn_pool is None and visual.pool_type == "tok"
    return pooled and not is_touched(visual) and not is_touched(visual.transformer)


def _through_blocks(visual: Any, images: Tensor, checkpointing: bool, only_first: bool) -> Tensor:
    """Return the tokens after the last block, (n, L, W); with `only_first` perhaps the first only, (n, 1, W)."""
    x = _embedded(visual, images)
    blocks, batch_first = visual.transformer.resblocks, visual.transformer.batch_first
    first = torch.zeros(len(x), 1, dtype=torch.int64, device=x.device)
    for number, block in enumerate(blocks):
        at = first if only_first and number == len(blocks) - 1 else None
        if checkpointing and torch.is_grad_enabled():
            x = checkpoint(_block, block, x, at, batch_first, use_reentrant=False)
        else:
            x = _block(block, x, at, batch_first)
    return x


def _embedded(visual: Any, images: Tensor) -> Tensor:
    """Return the tokens before the first block, (n, 3, S, S) -> (n, L, W), the class token first."""
    patches = visual.conv1(images).flatten(2).transpose(1, 2)  # (n, W, rows, columns) -> (n, L - 1, W)
    first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    embedded: Tensor = visual.ln_pre(visual.patch_dropout(x))
    return embedded


def _block(block: nn.Module, x: Tensor, at: Tensor | None, batch_first: bool) -> Tensor:
    """Compute a block that is open_clip's own, or ask a changed one in the order of dimensions it was made for."""
    if is_plain(block):
        return residual(block, x, at=at)
    if at is not None and batch_first and attends_apart(block):
        return residual_apart(block, x, at)
    out: Tensor = block(x) if batch_first else block(x.transpose(0, 1)).transpose(0, 1)
    return out


def _projected(visual: Any, x: Tensor) -> Tensor:
    normal: Tensor = visual.ln_post(x)
    return normal if visual.proj is None else normal @ visual.proj


# From frames to what the image tower of a CLIP reads: the test crop, and the normalisation of pixels.

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
