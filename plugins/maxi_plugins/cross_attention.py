"""Attention between frames over stock weights: with the mean key of neighbours (supplement 3.4), or all tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.errors import MaxiError
from maxi_core.texts import counted


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
        k, v = self.near(k, v)
        q, k, v = (part.reshape(heads).transpose(1, 2) for part in (q, k, v))  # (B * T, H, L, d)
        seen = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out if self.batch_first else out.transpose(0, 1), None

    def near(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values that the queries of each frame meet, (B * T, L, W) each."""
        return averaged(key, self.offsets, self.frames), value

    def extra_repr(self) -> str:
        """Return what printing a model shows of it."""
        return f"offsets={self.offsets}, frames={self.frames}"


class ExpandedAttention(CrossFrameAttention):
    """Self-attention of frame t over the tokens of all frames t + offset (Open-VCLIP); it has the stock's parameters.

    A frame that does not exist has tokens whose keys and values are zeros.
    """

    def near(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of the frames at the offsets one after the other, (B * T, n * L, W) each."""
        return joined(key, self.offsets, self.frames), joined(value, self.offsets, self.frames)


class CrossFrameProjection(nn.Module):
    """The layer of a timm attention that makes keys, with each frame's keys averaged over its neighbours.

    It has the parameters of the `nn.Linear` that it stands for. Keys are the second third of what it returns, or all.
    What timm does to keys afterwards, such as rotating them by their place, is linear and the same in each frame, so
    that it may come after the mean.
    """

    def __init__(self, linear: Any, offsets: Sequence[int], frames: int, *, keys_only: bool) -> None:
        """Take over the parameters of `linear`, torch's own or one like this."""
        super().__init__()
        self.weight: nn.Parameter = linear.weight
        self.bias: nn.Parameter | None = linear.bias
        self.offsets, self.frames, self.keys_only = tuple(offsets), frames, keys_only

    def forward(self, x: Tensor) -> Tensor:
        """Return the projection of tokens, (B * T, L, W) -> (B * T, L, 3 W) or (B * T, L, W)."""
        made = functional.linear(x, self.weight, self.bias)
        if self.keys_only:
            return averaged(made, self.offsets, self.frames)
        query, key, value = made.chunk(3, dim=-1)
        return torch.cat([query, averaged(key, self.offsets, self.frames), value], dim=-1)


# Attentions of timm whose tokens are all those of one image, and whose keys are one linear layer.
TIMM = ("Attention", "AttentionRope", "EvaAttention", "RelPosAttention")


def timm_attentions(visual: nn.Module) -> list[Any]:
    """Return the attentions of a tower of timm that can become cross-frame, the first layer first."""
    trunk = getattr(visual, "trunk", None)
    modules = trunk.modules() if isinstance(trunk, nn.Module) else ()
    found = [module for module in modules if type(module).__name__ in TIMM]
    return [module for module in found if _keys(module) and isinstance(getattr(module, "k_norm", None), _UNNORMED)]


def cross_frames(attention: Any, offsets: Sequence[int], frames: int) -> CrossFrameProjection:
    """Make a timm attention cross-frame and return what it is told the number of frames by."""
    name = _keys(attention)
    made = CrossFrameProjection(getattr(attention, name), offsets, frames, keys_only=name == "k_proj")
    setattr(attention, name, made)
    if hasattr(attention, "qkv_bias_separate"):
        attention.qkv_bias_separate = True  # else it would take the weight of the layer and not ask it
    return made


_UNNORMED = (nn.Identity, type(None))


def _keys(attention: Any) -> str:
    """Return the name of the layer that makes an attention's keys, "" if there is none that is known."""
    linear = (nn.Linear, CrossFrameProjection)
    return next((name for name in ("qkv", "k_proj") if isinstance(getattr(attention, name, None), linear)), "")


class SharedPatchDropout(nn.Module):
    """A patch dropout, of open_clip or timm, that drops the same patches of all frames of a video.

    So a frame's keys are averaged with those of the same places.
    """

    def __init__(self, dropout: nn.Module, frames: int) -> None:
        super().__init__()
        self.dropout, self.frames = dropout, frames

    def forward(self, x: Tensor) -> Any:
        """Return the tokens that stay, (B * T, L, W) -> (B * T, l, W), and with them their places where timm asks."""
        if not self.training or self.frames == 1:
            return self.dropout(x)
        count, width = self.frames, x.shape[-1]
        together = x.view(-1, count, *x.shape[1:]).transpose(1, 2).flatten(2)  # -> (B, L, T * W)
        answer = self.dropout(together)
        kept, places = answer if isinstance(answer, tuple) else (answer, None)
        apart = kept.view(*kept.shape[:2], count, width).transpose(1, 2).flatten(0, 1)  # -> (B * T, l, W)
        if not isinstance(answer, tuple):
            return apart
        return apart, None if places is None else places.repeat_interleave(count, dim=0)


def share_dropout(visual: Any, frames: int) -> None:
    """Let the patch dropout of an image tower, where it has one, drop the same patches of all frames of a video."""
    owner, name = (visual.trunk, "patch_drop") if hasattr(visual, "trunk") else (visual, "patch_dropout")
    dropout = getattr(owner, name, None)
    if isinstance(dropout, nn.Module) and not isinstance(dropout, (nn.Identity, SharedPatchDropout)):
        setattr(owner, name, SharedPatchDropout(dropout, frames))


def averaged(keys: Tensor, offsets: Sequence[int], frames: int) -> Tensor:
    """Return each frame's mean key over its neighbours in the same video, (B * T, L, W) -> (B * T, L, W).

    Raises MaxiError if the batch is not made of whole videos of `frames` frames.
    """
    _check_whole(len(keys), frames)
    if frames == 1:
        return keys
    near = neighbours(frames, offsets, keys.device)
    # zeros and ones are exact in every precision, so that only the sum and the division are rounded
    total = torch.matmul(near.to(keys.dtype), keys.reshape(-1, frames, keys[0].numel()))
    return total.div_(near.sum(dim=1, keepdim=True)).view(keys.shape)


def joined(tokens: Tensor, offsets: Sequence[int], frames: int) -> Tensor:
    """Return the tokens of the frames at the offsets one after the other, (B * T, L, W) -> (B * T, n * L, W).

    Those of a frame that does not exist are zeros. Raises MaxiError as `averaged` does.
    """
    _check_whole(len(tokens), frames)
    most = max(map(abs, offsets))
    padded = functional.pad(tokens.view(-1, frames, *tokens.shape[1:]), (0, 0, 0, 0, most, most))
    return torch.cat([padded[:, most + one : most + one + frames] for one in offsets], dim=2).flatten(0, 1)


def _check_whole(images: int, frames: int) -> None:
    if images % frames:
        raise MaxiError(
            f"{images} images are no whole videos of {counted(frames, 'frame')}",
            "call maxi_core.plugin.roles.tell_frames(visual, T) with the number of frames of each video first",
        )


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

    With `unit` it is of features of length 1. Raises MaxiError for another T: the keys of different videos were
    averaged, or met by the same queries, then.
    """

    attention: CrossFrameAttention | CrossFrameProjection
    unit: bool = False

    def __call__(self, features: Tensor) -> Tensor:
        """Return the mean."""
        frames = features.shape[1]
        if frames != self.attention.frames:
            raise MaxiError(
                f"cross-frame attention took every {self.attention.frames} images for a video, and they are {frames}",
                f"call maxi_core.plugin.roles.tell_frames(visual, {frames}) before the visual encoder",
            )
        return (functional.normalize(features, dim=-1) if self.unit else features).mean(dim=1)
