"""`cosine`: the paper's heatmap, the cosine of each patch token of the last layer and the text (supplement 3.1)."""

import torch
from torch import Tensor

from maxi_core.heatmaps.seen import Seen


def maps(seen: Seen, texts: Tensor) -> Tensor:
    """Return the cosines, texts (K, D) of length 1 -> (K, T, rows, columns), from -1 to 1.

    Each token of the last block goes through final norm and projection by itself.
    """
    with torch.no_grad():
        return torch.einsum("trcd,kd->ktrc", seen.patch_features(seen.tokens[-1]), texts)
