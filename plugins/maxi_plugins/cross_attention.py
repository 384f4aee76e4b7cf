"""Cross-frame attention: attention with the mean key of neighbouring frames, over stock weights (supplement 3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.errors import MaxiError


def is_stock(attention: nn.Module) -> bool:
    """Whether an attention is torch's own as open_clip sets it up, or was so before it became cross-frame."""
    if isinstance(attention, CrossFrameAttention):
        return True
    made: Any = attention
    if type(made) is not nn.MultiheadAttention or made.in_proj_weight is None:
        return False
    return bool(made.dropout == 0 and made.bias_k is None and not made.add_zero_attn)


class CrossFrameAttention(nn.Module):
    """Self-attention of frame t with the mean key of the frames t + offset that exist; it has the stock's parameters.

    A'_t = softmax(mean_i Q_t K_{t+i}^T / sqrt(d)) V_t: the mean runs over keys alone, so it is the attention with
    averaged keys, no product more (the key bias is averaged, too, and so stays as it is). `frames` is T, the number of
    frames of a video in the next call: see `maxi_core.plugin.roles.tell_frames`.
    """

    queries_apart = True  # the last layer is needed at its class token only

    def __init__(self, attention: Any, offsets: Sequence[int], frames: int) -> None:
        """Take over the parameters of `attention`, torch's own or one like this."""
        super().__init__()
        self.in_proj_weight: nn.Parameter = attention.in_proj_weight  # (3 W, W): query, key, value
        self.in_proj_bias: nn.Parameter | None = attention.in_proj_bias
        self.out_proj: nn.Linear = attention.out_proj
        self.num_heads: int = attention.num_heads
        self.batch_first: bool = attention.batch_first
        self.offsets = tuple(offsets)
        self.frames = frames

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False, attn_mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Return the output, (B * T, L, W) or (L, B * T, W) as the stock's, and no weights.

        `query` may hold some of the tokens, `key` and `value` are all of them. Raises MaxiError if the batch is not
        made of whole videos of `frames` frames, or something else than self-attention without a mask is asked for.
        """
        if key is not value or need_weights or attn_mask is not None:
            raise MaxiError("cross-frame attention is self-attention without mask and without weights")
        x = key if self.batch_first else key.transpose(0, 1)  # (B * T, L, W)
        weight, bias, width = self.in_proj_weight, self.in_proj_bias, x.shape[-1]
        if query is key:
            q, k, v = functional.linear(x, weight, bias).chunk(3, dim=-1)
        else:
            asking = query if self.batch_first else query.transpose(0, 1)
            q = functional.linear(asking, weight[:width], None if bias is None else bias[:width])
            k, v = functional.linear(x, weight[width:], None if bias is None else bias[width:]).chunk(2, dim=-1)
        heads = (len(x), -1, self.num_heads, width // self.num_heads)
        q, k, v = (part.reshape(heads).transpose(1, 2) for part in (q, self._averaged(k), v))  # (B * T, H, L, d)
        seen = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out if self.batch_first else out.transpose(0, 1), None

    def _averaged(self, keys: Tensor) -> Tensor:
        """Return each frame's mean key over its neighbours in the same video, (B * T, L, W) -> (B * T, L, W)."""
        frames = self.frames
        if len(keys) % frames:
            raise MaxiError(
                f"{len(keys)} images are no whole videos of {frames} frames",
                "call maxi_core.plugin.roles.tell_frames(visual, T) with the number of frames of each video first",
            )
        if frames == 1:
            return keys
        near = neighbours(frames, self.offsets, keys.device)
        # zeros and ones are exact in every precision, so that only the sum and the division are rounded
        total = torch.matmul(near.to(keys.dtype), keys.reshape(-1, frames, keys[0].numel()))
        return total.div_(near.sum(dim=1, keepdim=True)).view(keys.shape)

    def extra_repr(self) -> str:
        """Return what printing a model shows of it."""
        return f"offsets={self.offsets}, frames={self.frames}"


def neighbours(frames: int, offsets: Sequence[int], device: torch.device) -> Tensor:
    """Return which frame averages the keys of which, (T, T) bool: those at `offsets`, itself if there is none."""
    place = torch.arange(frames, device=device)
    gap = place[None, :] - place[:, None]
    near = torch.zeros(frames, frames, dtype=torch.bool, device=device)
    for offset in offsets:
        near |= gap == offset
    return near | ((gap == 0) & ~near.any(dim=1, keepdim=True))


@dataclass(frozen=True)
class CheckedMean:
    """The mean over frames, (B, T, D) -> (B, D), of features that `attention` saw as videos of T frames.

    Raises MaxiError for another T: the keys of different videos were averaged then.
    """

    attention: CrossFrameAttention

    def __call__(self, features: Tensor) -> Tensor:
        """Return the mean."""
        frames = features.shape[1]
        if frames != self.attention.frames:
            raise MaxiError(
                f"cross-frame attention took every {self.attention.frames} images for a video, and they are {frames}",
                f"call maxi_core.plugin.roles.tell_frames(visual, {frames}) before the visual encoder",
            )
        return features.mean(dim=1)
