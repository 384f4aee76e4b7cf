"""Which weights are trained, and the optimizer over them (method.md, training)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.training.options import Freeze

BETAS, EPS = (0.9, 0.98), 1e-8

# Where a tower keeps its blocks, open_clip's, timm's and those of transformers, and what is trained with the last ones.
BLOCKS = re.compile(r"(?:resblocks|trunk\.blocks|encoder\.(?:layers?|block))\.(\d+)\.")
AFTER_BLOCKS = re.compile(
    r"(visual\.|text\.)?(ln_post|proj|ln_final|text_projection)\b|visual\.(head|trunk\.(norm|fc_norm|attn_pool|head))\."
)
TOKENS = ("token_embedding", "word_embeddings", "embed_tokens", "shared.weight")


def choose_trainable(
    model: VideoCLIP, freeze: Freeze = "none", last_blocks: int | None = None, token_embedding: bool = False
) -> None:
    """Set which parameters are trained: the towers that `freeze` does not name, the logit scale, the temporal module.

    `last_blocks` leaves of each tower that is trained the last blocks and what stands after them. The token embedding
    is not trained unless asked for, as in the authors' code. Raises UsageError where nothing would be left to train.
    """
    with model.guarded("when the weights to train were chosen"):
        _choose(model, freeze, last_blocks, token_embedding)
    if last_blocks is not None and freeze == "both":
        raise UsageError("--freeze both leaves no tower for --last-blocks", "give one of them")


def _choose(model: VideoCLIP, freeze: Freeze, last_blocks: int | None, token_embedding: bool) -> None:
    for name, group, parameter in _named(model):
        trained = {"image": freeze not in ("image", "both"), "text": freeze not in ("text", "both")}.get(group, True)
        if trained and last_blocks is not None and group in ("image", "text"):
            trained = _is_late(name, _count_blocks(model, group), last_blocks)
        if any(part in name for part in TOKENS):
            trained = trained and token_embedding
        parameter.requires_grad_(trained and not name.endswith("logit_bias"))  # no loss of maxi's looks at a bias


def counts(model: VideoCLIP) -> dict[str, tuple[int, int]]:
    """Return (trained, all) numbers of parameters by group: image, text, token embedding, logit scale, temporal."""
    found: dict[str, tuple[int, int]] = {}
    for name, group, parameter in _named(model):
        kind = "token embedding" if any(part in name for part in TOKENS) else group
        trained, total = found.get(kind, (0, 0))
        size = parameter.numel()
        found[kind] = (trained + size * parameter.requires_grad, total + size)
    return found


def make_optimizer(
    model: VideoCLIP, weight_decay: float = 0.001, heads: Iterable[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """Return AdamW over all weights that are trained, weight decay on each, fused where torch has that.

    `heads` are those of the objectives' heads (`Combined.parameters`).
    """
    parameters = [*(parameter for parameter in model.parameters() if parameter.requires_grad), *heads]
    settings: dict[str, Any] = {"lr": 0.0, "betas": BETAS, "eps": EPS, "weight_decay": weight_decay}
    try:
        return torch.optim.AdamW(parameters, fused=True, **settings)
    except RuntimeError:  # this device has no fused kernel
        return torch.optim.AdamW(parameters, **settings)


def _named(model: VideoCLIP) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Yield (name, group, parameter) of the whole model."""
    for name, parameter in model.clip.named_parameters():
        alone = name in ("logit_scale", "logit_bias")
        yield name, "logit scale" if alone else "image" if name.startswith("visual.") else "text", parameter
    if isinstance(model.pooling, nn.Module):
        for name, parameter in model.pooling.named_parameters():
            yield name, "temporal", parameter


def _count_blocks(model: VideoCLIP, group: str) -> int:
    numbers = [_block_number(name) for name, of, _ in _named(model) if of == group]
    found = [number for number in numbers if number is not None]
    if not found:
        raise UsageError(f"the {group} tower of this model has no blocks to count", "leave --last-blocks out")
    return max(found) + 1


def _block_number(name: str) -> int | None:
    found = BLOCKS.search(name)
    return int(found[1]) if found else None


def _is_late(name: str, blocks: int, last: int) -> bool:
    number = _block_number(name)
    if number is not None:
        return number >= blocks - last
    return AFTER_BLOCKS.match(name) is not None
