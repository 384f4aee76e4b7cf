"""The text side of a CLIP, exact and cheap: one function for matching, training and evaluation.

Features are those of open_clip's `encode_text` to rounding, and so are their gradients, but a prefix that prompts share
is encoded once (`prompt_tree`), and the last block is computed at the pooled positions only.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from maxi_core.clip.blocks import is_plain, residual
from maxi_core.clip.prompt_tree import PromptTree, pack

# Tokens that go through the tower at once where nothing is differentiated: bounds the memory of long lists.
AT_ONCE = 16384
BATCH = 256  # sequences at once, for a tower that is not causal


def encode_text(model: nn.Module, ids: Tensor) -> Tensor:
    """Return the text features of token ids, (n, context length) -> (n, D), n >= 1, not normalised.

    They are on the model's device, equal to `model.encode_text(ids)` to rounding, and differentiable. A tower that is
    no causal CLIP transformer is asked itself, for each distinct sequence once.
    """
    device = next(model.parameters()).device
    tower = causal_tower(model)
    if tower is None:
        return _encode_distinct(model, ids.to(device))
    return encode_tree(tower, pack(ids, tower.last(ids)).to(device))


@dataclass(frozen=True)
class CausalTower:
    """The parts of a causal CLIP text transformer, wherever the model keeps them."""

    token_embedding: nn.Embedding
    positional_embedding: Tensor
    blocks: nn.ModuleList
    ln_final: nn.Module
    projection: nn.Module | Tensor | None
    eos: int | None  # the id of the pooled token; None for the largest id of a sequence

    def last(self, ids: Tensor) -> Tensor:
        """Return the place that is pooled in each sequence, (n, length) -> (n,)."""
        return ids.argmax(dim=-1) if self.eos is None else (ids == self.eos).int().argmax(dim=-1)


def causal_tower(model: nn.Module) -> CausalTower | None:
    """Return the text tower of an open_clip model if it is a causal transformer as CLIP's, else None."""
    from open_clip.model import CLIP
    from open_clip.transformer import TextTransformer

    tower: Any = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if type(tower) is not TextTransformer and not isinstance(tower, CLIP):
        return None
    clip = isinstance(tower, CLIP)
    pool = tower.text_pool_type if clip else tower.pool_type
    eos = tower.text_eos_id if clip else tower.eos_id
    plain = getattr(tower, "cls_emb", None) is None and not getattr(tower, "output_tokens", False)
    blocks = tower.transformer.resblocks
    if tower.attn_mask is None or pool not in ("argmax", "eos") or not plain or not all(map(is_plain, blocks)):
        return None
    return CausalTower(
        tower.token_embedding,
        tower.positional_embedding,
        blocks,
        tower.ln_final,
        tower.text_projection,
        eos if pool == "eos" else None,
    )


def encode_tree(tower: CausalTower, tree: PromptTree) -> Tensor:
    """Return the features (n, D) of the sequences of a tree that is on the tower's device."""
    rows, length = tree.tokens.shape
    step = rows if torch.is_grad_enabled() else max(1, AT_ONCE // length)
    parts = [_encode_rows(tower, tree, slice(first, first + step)) for first in range(0, rows, step)]
    pooled = torch.cat(parts)  # (R * E, D)
    return pooled[tree.answers]


def _encode_rows(tower: CausalTower, tree: PromptTree, rows: slice) -> Tensor:
    dtype = tower.blocks[0].get_weight_dtype()  # type: ignore[operator]
    x = tower.token_embedding(tree.tokens[rows]).to(dtype)  # (r, L) -> (r, L, W)
    x = x + tower.positional_embedding.to(dtype)[tree.depths[rows]]
    mask = tree.mask(rows)  # (r, L, L)
    for block in tower.blocks[:-1]:
        x = residual(block, x, mask)
    x = residual(tower.blocks[-1], x, mask, tree.leaves[rows])  # (r, L, W) -> (r, E, W)
    pooled: Tensor = tower.ln_final(x.flatten(0, 1))  # (r * E, W)
    if isinstance(tower.projection, nn.Module):
        pooled = tower.projection(pooled)
    elif tower.projection is not None:
        pooled = pooled @ tower.projection
    return pooled


def _encode_distinct(model: Any, ids: Tensor) -> Tensor:
    distinct, inverse = torch.unique(ids, dim=0, return_inverse=True)
    parts = [_trimmed(model, batch) for batch in distinct.split(BATCH)]
    return torch.cat(parts)[inverse]


def _trimmed(model: Any, ids: Tensor) -> Tensor:
    """Encode with the model's own `encode_text`, without the padding that all have, where the tower masks padding."""
    from open_clip.hf_model import HFTextEncoder

    text = getattr(model, "text", None)
    if isinstance(text, HFTextEncoder):
        filled = (ids != text.config.pad_token_id).any(dim=0).nonzero()
        ids = ids[:, : int(filled.max()) + 1]
    features: Tensor = model.encode_text(ids)
    return features
