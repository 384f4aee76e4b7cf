"""A small transformer over the frame features of a video that starts as their mean."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOWEST, FASTEST = 0.5, 16.0  # cycles of the position code in one video


class FrameTransformer(nn.Module):
    """Pooling (B, T, D) -> (B, D) for any T: the mean of x + what the layers add to x.

    The last projection of each half of each layer starts at zero, so the layers add exactly nothing at first and the
    pooling is the mean, whatever the other weights are; the gradient reaches those projections in the first step and
    all other weights from the second on. The place of a frame, (t + 1/2) / T, is told to the layers by a fixed code,
    so T may change from call to call.
    """

    def __init__(self, width: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, heads, hidden) for _ in range(layers))

    def forward(self, features: Tensor) -> Tensor:
        """Return the video features, in the type of the frame features."""
        x = self.norm(features) + place_code(features.shape[1], features.shape[2], features)
        added = torch.zeros_like(features)
        for layer in self.layers:
            more = layer(x)
            x, added = x + more, added + more
        return (features + added.to(features.dtype)).mean(dim=1)


class Layer(nn.Module):
    """What one pre-norm transformer layer adds to its input, (B, T, D) -> (B, T, D); nothing before training."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width)
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        for last in (self.out_proj, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of what attention and the two-layer perceptron add."""
        q, k, v = self.in_proj(self.norm_1(x)).unflatten(-1, (3, self.heads, -1)).unbind(dim=2)  # (B, T, H, d)
        seen = functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        attended: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        grown: Tensor = self.narrow(functional.gelu(self.widen(self.norm_2(x + attended))))
        return attended + grown


def place_code(frames: int, width: int, like: Tensor) -> Tensor:
    """Return a code of each frame's place in its video, (T, D), in the type and on the device of `like`.

    Cosines and sines of the place at frequencies from half a cycle to 16 cycles a video, in geometric steps.
    """
    place = (torch.arange(frames, device=like.device, dtype=torch.float32) + 0.5) / frames
    steps = torch.arange((width + 1) // 2, device=like.device, dtype=torch.float32) / max(1, (width + 1) // 2 - 1)
    angles = 2 * math.pi * place[:, None] * (SLOWEST * (FASTEST / SLOWEST) ** steps)
    return torch.cat([angles.cos(), angles.sin()], dim=1)[:, :width].to(like.dtype)


def width_of(visual: Any) -> int:
    """Return D, the width of an image feature; an encoder that does not tell it is asked about one black image."""
    width = getattr(visual, "output_dim", None)
    if isinstance(width, int):
        return width
    size = visual.image_size
    height, across = (size, size) if isinstance(size, int) else size
    weight = next(visual.parameters())
    with torch.no_grad():
        features: Tensor = visual(torch.zeros(1, 3, height, across, dtype=weight.dtype, device=weight.device))
    return features.shape[-1]
