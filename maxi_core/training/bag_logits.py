"""From the features of a micro-batch to the logits of bags: which texts, which are positive (method.md, losses)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from maxi_core.training.losses import Way
from maxi_core.training.objective import Features


@dataclass(frozen=True)
class BagLogits:
    """Logits of B videos with the N texts of each of C bags: C is B, or, with gathered features, that of all ranks.

    `logits` (B, C, N) are cosines / sigma, `positive` (B, C) says which bags have the label of each video, `own` (B,)
    is the number of each video's own bag, `groups` (C,) the labels of the bags, `index` (B, N) the rows of the texts
    that were taken. `pairs` is the mean
    number of positive pairs per rank; None on one rank, where they can be counted.
    """

    logits: Tensor
    positive: Tensor
    own: Tensor
    groups: Tensor
    index: Tensor
    pairs: float | None = None


def bag_logits(features: Features, *, single: bool = False) -> BagLogits:
    """Return the logits of the bags; with `single`, of the first text of each: as their order is random, of any one."""
    index = features.index[:, :1] if single else features.index
    batch, size = index.shape
    own = torch.arange(batch, device=index.device)
    if features.world == 1:
        cosines = features.videos @ features.texts.T  # (B, P): each distinct prompt once
        logits = (features.scale * cosines)[:, index.flatten()].view(batch, batch, size)
        return BagLogits(logits, features.groups[:, None] == features.groups, own, features.groups, index)
    everyone, everything = features.gather(features.groups), features.gather(features.texts[index])
    logits = (features.scale * features.videos @ everything.flatten(0, 1).T).view(batch, -1, size)  # (B, W * B, N)
    positive = features.groups[:, None] == everyone  # (B, W * B)
    pairs = float((everyone[:, None] == everyone).sum()) / features.world
    return BagLogits(logits, positive, own + features.rank * batch, everyone, index, pairs)


def both_ways(features: Features, bags: BagLogits) -> Iterator[Way]:
    """Yield the best text of each bag for each video of this rank, and of this rank's bags for all videos, (B, C).

    Each with what is positive in it.
    """
    best = bags.logits.amax(dim=2)
    if features.world == 1:
        yield best, bags.positive
        yield best.T, bags.positive.T  # made when it is asked for: gradients are summed in the order of use
        return
    texts = features.texts[bags.index]  # (B, N, D)
    back = (features.scale * texts @ features.gather(features.videos).T).amax(dim=1)  # (B, N, W * B) -> (B, W * B)
    yield best, bags.positive
    yield back, bags.positive
