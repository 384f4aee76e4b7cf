"""The eight losses of docs/method.md, losses, by name, on logits: in log-sum-exp form, without loops over the batch.

`logits` (B, C, N) are cosines / sigma of B videos with the N texts of each of C bags; `positive` (B, C) bool says which
bags have the label of each video, `own` (B,) the number of each video's own bag. Sums are taken in float32 at least, so
that every loss is finite in half precision too, whatever the scale of the logits.
"""

from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.training.options import Loss

LOSSES: tuple[Loss, ...] = get_args(Loss)


def mil_nce(logits: Tensor, positive: Tensor) -> Tensor:
    """Return -mean_i log(mass of the bags with the label of i / mass of all bags): the paper's Eq. 2."""
    mass = _mass(logits)  # (B, C)
    return (mass.logsumexp(dim=1) - _masked(mass, positive).logsumexp(dim=1)).mean()


def mil_nce_pairs(logits: Tensor, positive: Tensor, pairs: float | None = None) -> Tensor:
    """Return the mean of -log(mass of bag j / mass of all) over all pairs (i, j) of one label, as the authors' code.

    `pairs` is what the sum is divided by instead of the number of pairs here: their mean number per rank, where bags
    of other ranks are gathered.
    """
    return pairs_one_way(_mass(logits), positive, pairs)


def mil_nce_instance(logits: Tensor, own: Tensor) -> Tensor:
    """Return -mean_i log(mass of i's own bag / mass of all bags): no other bag counts as positive."""
    return functional.cross_entropy(_mass(logits), own)


def mil_max(logits: Tensor, positive: Tensor) -> Tensor:
    """Return MIL-Max: the best text of each bag stands for it, then symmetric NCE with the same-label mask, B = C."""
    best = logits.amax(dim=2)  # (B, B)
    return (nce_one_way(best, positive) + nce_one_way(best.T, positive.T)) / 2


def nce(logits: Tensor, positive: Tensor) -> Tensor:
    """Return symmetric NCE with the same-label mask for one text of each bag, the first: N is not looked at, B = C."""
    return mil_max(logits[:, :, :1], positive)


def mil_max_pairs(logits: Tensor, positive: Tensor) -> Tensor:
    """Return MIL-Max as the authors' code: mean over the pairs (i, j) of one label, both directions summed, B = C."""
    best = logits.amax(dim=2)  # (B, B)
    return pairs_one_way(best, positive) + pairs_one_way(best.T, positive.T)


def nce_pairs(logits: Tensor, positive: Tensor) -> Tensor:
    """Return `mil_max_pairs` for one text of each bag, the first: N is not looked at, B = C."""
    return mil_max_pairs(logits[:, :, :1], positive)


def pairs_one_way(scores: Tensor, positive: Tensor, pairs: float | None = None) -> Tensor:
    """Return the mean of -log softmax(scores) over all positive (i, j), scores (B, C); `pairs` as in mil_nce_pairs."""
    scores = _exact(scores)
    lost = torch.where(positive, scores.logsumexp(dim=1, keepdim=True) - scores, 0)
    return lost.sum() / (positive.sum() if pairs is None else pairs)


def nce_one_way(scores: Tensor, positive: Tensor) -> Tensor:
    """Return -mean_i log(sum of exp(scores) over the positive columns / over all), scores (B, C)."""
    scores = _exact(scores)
    return (scores.logsumexp(dim=1) - _masked(scores, positive).logsumexp(dim=1)).mean()


def ce(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy over the dictionary, logits (B, classes), labels (B,)."""
    return functional.cross_entropy(_exact(logits), labels)


def _mass(logits: Tensor) -> Tensor:
    """Return the logarithm of the mass of each bag, (B, C, N) -> (B, C)."""
    return _exact(logits).logsumexp(dim=2)


def _exact(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _masked(scores: Tensor, positive: Tensor) -> Tensor:
    return scores.masked_fill(~positive, float("-inf"))
