"""The formulas of docs/method.md, losses, on logits: in log-sum-exp form, without loops over the batch.

`logits` (B, C, N) are cosines / sigma of B videos with the N texts of each of C bags; `positive` (B, C) bool says which
bags have the label of each video, `own` (B,) the number of each video's own bag. Sums are taken in float32 at least, so
that every loss is finite in half precision too, whatever the scale of the logits.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

Way = tuple[Tensor, Tensor]  # scores, and which of them are positive
Pair = tuple[Tensor, Tensor]  # features of videos and of texts


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


def mil_nce_soft(logits: Tensor, groups: Tensor, top: Tensor, near: Tensor) -> Tensor:
    """Return -mean_i sum_k weight_ik log(mass of the bags with label top_ik / mass of all): `mil_nce` with soft labels.

    `groups` (C,) are the labels of the bags, `top` (B, K) those of each video, which is `near` (B, K) them: the weights
    are its softmax over the labels that some bag has. Each video must have one.
    """
    mass = _mass(logits)  # (B, C)
    same = top[:, :, None] == groups  # (B, K, C)
    there = same.any(dim=2)
    weights = _masked(near.to(mass.dtype), there).softmax(dim=1)
    same = same | ~there[:, :, None]  # a label that is not there has weight 0 and any finite mass
    lost = mass.logsumexp(dim=1, keepdim=True) - _masked(mass[:, None], same).logsumexp(dim=2)  # (B, K)
    return (weights * lost).sum(dim=1).mean()


def mil_max(both_ways: Iterable[Way]) -> Tensor:
    """Return MIL-Max: the best text of each bag stands for it, then symmetric NCE with the same-label mask.

    Each way is scores (B, C), of the bags for each video and of the videos for each bag, and which are positive. With
    one text of each bag it is NCE.
    """
    forth, back = (nce_one_way(*way) for way in both_ways)
    return (forth + back) / 2


def mil_max_pairs(both_ways: Iterable[Way], pairs: float | None = None) -> Tensor:
    """Return MIL-Max as the authors' code: mean over the pairs (i, j) of one label, both directions summed."""
    forth, back = (pairs_one_way(*way, pairs) for way in both_ways)
    return forth + back


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


def through_anchors(student: Pair, teacher: Pair, anchors: Tensor, scale: Tensor) -> Tensor:
    """Return the mean over videos of KL(teacher || student) of softmax over texts: TACO's regulariser.

    A pair is video features (B, D) and text features (M, D). Similarities go through anchors (K, D): scale *
    sum_k (video . anchor_k)(anchor_k . text).
    """
    anchors = _exact(anchors)
    said, told = (
        (scale * (videos @ anchors.T) @ (texts @ anchors.T).T).log_softmax(dim=1)
        for videos, texts in (map(_exact, pair) for pair in (student, teacher))
    )
    return functional.kl_div(said, told, reduction="batchmean", log_target=True)


def away_from(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 1 - cosine of features and their teacher's, (n, D) -> (n,): FROSTER's feature distillation."""
    return 1 - functional.cosine_similarity(_exact(student), _exact(teacher), dim=-1)


def _mass(logits: Tensor) -> Tensor:
    """Return the logarithm of the mass of each bag, (B, C, N) -> (B, C)."""
    return _exact(logits).logsumexp(dim=2)


def _exact(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _masked(scores: Tensor, positive: Tensor) -> Tensor:
    return scores.masked_fill(~positive, float("-inf"))
