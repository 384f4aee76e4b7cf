"""Image towers of timm, as open_clip's newer CLIPs have them: the features of their patches."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

AT_ONCE = 4096  # patches that are pooled together: bounds the memory


def is_timm(visual: Any) -> bool:
    """Whether an image tower is a model of timm with open_clip's projection behind it."""
    from open_clip.timm_model import TimmModel

    return type(visual) is TimmModel


def encode_timm_patches(visual: Any, images: Tensor) -> Tensor:
    """Return the features of all patches, (n, 3, S, S) -> (n, rows, columns, D).

    Each patch goes through pooling and projection as if it were the only one of its image, class token and registers
    left out. A tower of convolutions has the places of its last map as patches. Raises TypeError for a tower whose
    tokens are no square of patches, or whose pooling needs all of them.
    """
    trunk, kind = visual.trunk, type(visual.trunk).__name__
    if "pool" in dict(visual.head.named_children()):
        raise TypeError(f"a {kind} whose projection pools by itself has no features of single patches")
    x: Tensor = trunk.forward_features(images)
    if x.ndim == 4:
        maps = (
            x.permute(0, 2, 3, 1) if getattr(trunk, "output_fmt", "NCHW") == "NCHW" else x
        )  # -> (n, rows, columns, W)
        alone = maps.reshape(-1, maps.shape[-1])
        alone = alone[:, :, None, None] if maps is not x else alone[:, None, None, :]
        features: Tensor = visual.head(trunk.forward_head(alone))  # (n * L, D)
        return features.view(*maps.shape[:3], -1)
    prefix = getattr(trunk, "num_prefix_tokens", 0)
    patches = x[:, prefix:]  # (n, L, W)
    side = round(patches.shape[1] ** 0.5)
    if side * side != patches.shape[1]:
        raise TypeError(f"a {kind} with {patches.shape[1]} tokens has no square of patches")
    features = torch.cat([project_alone(visual, part) for part in torch.split(patches.flatten(0, 1), AT_ONCE)])
    return features.view(len(x), side, side, -1)


def project_alone(visual: Any, tokens: Tensor) -> Tensor:
    """Return the features of tokens, (n, W) after the last norm -> (n, D), as if each were the only one of its image.

    Copies of it stand where class token and registers would: every way to pool leaves one of equal tokens.
    """
    trunk = visual.trunk
    copies = tokens[:, None].expand(-1, getattr(trunk, "num_prefix_tokens", 0) + 1, -1)
    features: Tensor = visual.head(trunk.forward_head(copies))
    return features


def timm_tanh(visual: Any) -> bool | None:
    """Whether a tower of timm computes GELU by its approximation with tanh; None if it has no blocks with an MLP."""
    blocks = getattr(getattr(visual, "trunk", None), "blocks", None)
    act = getattr(getattr(blocks[0], "mlp", None), "act", None) if isinstance(blocks, nn.Sequential) else None
    if act is None:
        return None
    some = torch.linspace(-3, 3, 7)
    return torch.equal(act(some), functional.gelu(some, approximate="tanh"))
