"""`surgery`: CLIP Surgery (Li et al. 2023): a second path of value-value attention, then without what texts share.

Architecture: beside the last blocks runs a path x' <- x' + W_o softmax(V V^T / sqrt(d)) V, without the perceptrons, V
the values of the block on the usual path. Features: patch times text, element by element, minus the mean of these
products over all texts, each weighted with its share of the frame's class token; of one text alone, minus the empty
text.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.errors import UsageError
from maxi_core.heatmaps.seen import Seen

DEEPEST = 6  # blocks with a second path, of the authors' 12; half of the blocks of a smaller tower
SHARPER = 2  # the factor of the cosines in the softmax over texts


def maps(seen: Seen, texts: Tensor, empty: Tensor) -> Tensor:
    """Return the maps of texts, (K, D) of length 1 -> (K, T, rows, columns); `empty` (D,) is the empty text's feature.

    Raises UsageError for a tower whose blocks are not open_clip's, or that has no class token to read.
    """
    blocks: tuple[Any, ...] = seen.tower.blocks
    if not seen.tower.at_class or not all(hasattr(getattr(block, "attn", None), "in_proj_weight") for block in blocks):
        raise UsageError("surgery is for open_clip's vision transformers with a class token", "--method gradient")
    with torch.no_grad():
        features = seen.patch_features(_second_path(seen, blocks))  # (T, rows, columns, D)
        if len(texts) == 1:
            return torch.einsum("trcd,kd->ktrc", features, texts - empty)
        frames = functional.normalize(seen.tower.project(seen.tokens[-1][:, 0]).float(), dim=-1)  # (T, D)
        shares = (SHARPER * frames @ texts.T).softmax(dim=-1)
        weights = shares / shares.mean(dim=-1, keepdim=True)  # (T, K)
        found = torch.einsum("trcd,kd,tk->ktrc", features, texts, weights)
        return found - found.mean(dim=0)  # the sum over D of products minus their mean over texts


def _second_path(seen: Seen, blocks: tuple[Any, ...]) -> Tensor:
    """Return the tokens at the end of the second path, (T, L, W)."""
    first = len(blocks) - min(DEEPEST, max(1, len(blocks) // 2))
    x = seen.tokens[first]
    for block, tokens in zip(blocks[first:], seen.tokens[first:], strict=False):
        attention, width = block.attn, x.shape[-1]
        bias = attention.in_proj_bias
        value = functional.linear(
            block.ln_1(tokens), attention.in_proj_weight[2 * width :], None if bias is None else bias[2 * width :]
        )
        value = value.view(*value.shape[:2], attention.num_heads, -1).transpose(1, 2)  # (T, H, L, d)
        mixed = functional.scaled_dot_product_attention(value, value, value)
        x = x + block.ls_1(attention.out_proj(mixed.transpose(1, 2).flatten(2)))
    return x
