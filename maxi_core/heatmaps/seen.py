"""One look of a model at a video, with the tokens and the attention of each layer, all differentiable."""

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.heatmaps.tower import Tower, tower_of

MULTI_HEAD = inspect.signature(functional.multi_head_attention_forward)


@dataclass(frozen=True)
class Layer:
    """The attention of one layer, `weights` (T, heads, queries, keys), part of the graph of the video feature.

    `at_class`: the image feature is read at the first query of the layers, so that only its row counts.
    """

    weights: Tensor
    at_class: bool

    def on_patches(self, values: Tensor, tower: Tower) -> Tensor:
        """Return the mean over heads of values like the weights, of the rows that count, (T, rows, columns)."""
        rows = values[:, :, :1] if self.at_class else values
        patches = rows.mean(dim=1).sum(dim=1)[:, -tower.patches :]  # (T, H, Q, K) -> (T, K) -> (T, P)
        return patches.reshape(len(patches), *tower.grid)


@dataclass(frozen=True)
class Seen:
    """A video of T frames, seen: its feature `video` (D,) of length 1, and how it came about.

    `tokens` are those before the first block and behind each, (T, L, W); `layers` the attention of blocks and pools, in
    order, of those that attend to patches. `of_block` has for each block its place in `layers`, None if it has none.
    """

    tower: Tower
    video: Tensor
    tokens: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    of_block: tuple[int | None, ...]

    def patch_features(self, tokens: Tensor) -> Tensor:
        """Return what the patches among tokens (T, L, W) say by themselves, (T, rows, columns, D) of length 1."""
        patches = tokens[:, -self.tower.patches :]
        features = functional.normalize(self.tower.project(patches.flatten(0, 1)).float(), dim=-1)
        return features.view(len(tokens), *self.tower.grid, -1)


def look(model: VideoCLIP, frames: Tensor) -> Seen:
    """Let the model see frames (T, 3, S, S) as one video; raises UsageError if it has no attention to patches.

    The feature is that of `model.encode_video` to rounding, whatever its temporal module, which sees the whole video.
    """
    tower = tower_of(model.visual, model.name)
    with torch.enable_grad(), _Explicit() as attention, _watched(tower, attention) as tokens:
        video = model.encode_video(frames[None])[0]
    layers: list[Layer] = []
    of_block: dict[int, int] = {}
    for place, weights in attention.found:
        if weights.dim() == 4 and len(weights) == len(frames) and weights.shape[-1] >= tower.patches:
            of_block[place] = len(layers)
            layers.append(Layer(weights, tower.at_class and place < len(tower.blocks)))
    if not layers:
        raise UsageError(
            f"model '{model.name}' has no heatmaps: its layers compute attention out of sight", "use a ViT"
        )
    return Seen(tower, video, tuple(tokens), tuple(layers), tuple(map(of_block.get, range(len(tower.blocks)))))


@contextmanager
def _watched(tower: Tower, attention: "_Explicit") -> Iterator[list[Tensor]]:
    """Keep the tokens that go into the first block and come out of each, and say which of them is at work.

    A block with hooks is asked itself by `maxi_core.clip.image_tower`, whole.
    """
    tokens: list[Tensor] = []

    def enter(place: int, x: Tensor) -> None:
        attention.place = place
        if place == 0 and not tokens:
            tokens.append(x if tower.batch_first else x.transpose(0, 1))

    def leave(place: int, x: Tensor) -> None:
        attention.place = None
        if place < len(tower.blocks):
            tokens.append(x if tower.batch_first else x.transpose(0, 1))

    with ExitStack() as stack:
        for place, module in enumerate((*tower.blocks, *tower.pools)):
            before = module.register_forward_pre_hook(lambda _, given, place=place: enter(place, given[0]))
            after = module.register_forward_hook(lambda _, __, out, place=place: leave(place, out))
            stack.callback(before.remove)
            stack.callback(after.remove)
        yield tokens


class _Explicit(TorchFunctionMode):
    """Answers fused attention with an explicit softmax while `place` is set, and keeps the weights in `found`.

    It sees `scaled_dot_product_attention`, which maxi, timm and cross-frame attention call, and the function behind
    `nn.MultiheadAttention`, which open_clip calls. What has a form of its own (causal, grouped) is left as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.place: int | None = None
        self.found: list[tuple[int, Tensor]] = []

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.place is not None and func is functional.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if self.place is not None and func is functional.multi_head_attention_forward:
            said = MULTI_HEAD.bind(*args, **kwargs)
            said.apply_defaults()
            if said.arguments["attn_mask"] is None and not said.arguments["need_weights"]:
                return self._multi_head(said.arguments), None
        return func(*args, **kwargs)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, *_: Any, **form: Any) -> Tensor:
        """Return softmax(q k^T / sqrt(d)) v, (n, H, Q, d), as `scaled_dot_product_attention` with dropout 0."""
        if form.get("is_causal") or form.get("enable_gqa"):
            fused: Tensor = functional.scaled_dot_product_attention(q, k, v, attn_mask, **form)
            return fused
        scale = form.get("scale") or q.shape[-1] ** -0.5
        logits: Tensor = (q @ k.transpose(-2, -1)) * scale
        if attn_mask is not None:
            masked = attn_mask.dtype == torch.bool
            logits = logits.masked_fill(~attn_mask, -torch.inf) if masked else logits + attn_mask
        weights = logits.softmax(dim=-1)
        if not weights.requires_grad:
            weights.requires_grad_()  # a frozen tower: its attention is where the graph begins
        assert self.place is not None
        self.found.append((self.place, weights))
        mixed: Tensor = weights @ v
        return mixed

    def _multi_head(self, said: dict[str, Any]) -> Tensor:
        """Return what `multi_head_attention_forward` would, (Q, n, W)."""
        separate = [said[f"{part}_proj_weight"] for part in "qkv"]
        matrices = separate if said["use_separate_proj_weight"] else said["in_proj_weight"].chunk(3)
        biases = (None,) * 3 if said["in_proj_bias"] is None else said["in_proj_bias"].chunk(3)
        given = (said["query"], said["key"], said["value"])  # (Q or K, n, W)
        projected = (functional.linear(x, w, b) for x, w, b in zip(given, matrices, biases, strict=True))
        q, k, v = (part.view(*part.shape[:2], said["num_heads"], -1).permute(1, 2, 0, 3) for part in projected)
        seen = self._attend(q, k, v).permute(2, 0, 1, 3).flatten(2)  # (n, H, Q, d) -> (Q, n, W)
        out: Tensor = functional.linear(seen, said["out_proj_weight"], said["out_proj_bias"])
        return out
