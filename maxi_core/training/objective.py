"""From the features of a micro-batch to its loss: which texts, which logits, which bags are positive (method.md)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from maxi_core.training import losses
from maxi_core.training.options import Loss

# Features of all ranks on each rank, with gradients: for negatives across ranks (method.md, losses, `--gather`).


def gather(features: Tensor) -> Tensor:
    """Return the tensors of all ranks one after the other, (B, ...) -> (world * B, ...), each rank's of one shape.

    Differentiable: a rank's tensor gets the sum of the gradients that all ranks have for it. As DDP takes the mean of
    the parameters' gradients over ranks, training is that of one process with the mean of the ranks' losses.
    """
    gathered: Tensor = _Gather.apply(features)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, features: Tensor) -> Tensor:
        parts = [torch.empty_like(features) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


ONE_WAY = ("mil_nce", "mil_nce_pairs", "mil_nce_instance")  # the others are symmetric


def constant_because(name: Loss, batch: int, entries: int, *, alike: bool) -> str:
    """Return why a loss is the same whatever the model does, and so has no gradient; "" if it may have one.

    `batch` is how many videos meet in it, `entries` how many different ones the videos are matched to (for `ce`: how
    many classes there are), `alike` whether all bags of one entry hold the same texts.
    """
    if name == "ce":
        return "there is one class alone" if entries == 1 else ""
    if batch == 1:
        return "one video at a time meets no other bag than its own"
    told_apart = name in ("mil_nce_pairs", "mil_nce_instance")  # bags of one entry, from each other
    videos_too = name in ("nce_pairs", "mil_max_pairs")  # the videos of one entry, from each other
    if entries > 1 or videos_too or (told_apart and not alike):
        return ""
    same = ", and all bags are the same" if told_apart else ""
    return f"all videos are matched to the same entry{same}"


@dataclass(frozen=True)
class Bags:
    """The bags of a micro-batch: `index` (B, N) rows of the prompts' features, `groups` (B,) the matched entries."""

    index: Tensor
    groups: Tensor


def loss_of(
    name: Loss, videos: Tensor, texts: Tensor, scale: Tensor, bags: Bags, *, rank: int = 0, world: int = 1
) -> Tensor:
    """Return a loss of video features (B, D), text features (P, D) and the scale of their cosines.

    For `ce` the texts are the prompts of all classes, in the order of their numbers; for the others those of the bags.
    With `world` > 1 the videos of this rank meet the bags of all ranks, and for the symmetric losses its bags the
    videos of all: the mean over ranks is the loss of one batch of all. Computed without autocast.
    """
    with torch.autocast(videos.device.type, enabled=False):
        if name == "ce":
            return losses.ce(scale * videos @ texts.T, bags.groups)
        single = name in ("nce", "nce_pairs")
        bag = bags.index[:, :1] if single else bags.index  # the order of a bag is random: any one is the first
        if world == 1:
            return _alone(name, videos, texts, scale, Bags(bag, bags.groups))
        return _across(name, videos, texts[bag], scale, bags.groups, rank, world)


def _alone(name: Loss, videos: Tensor, texts: Tensor, scale: Tensor, bags: Bags) -> Tensor:
    batch, size = bags.index.shape
    cosines = videos @ texts.T  # (B, P): each distinct prompt once
    logits = (scale * cosines)[:, bags.index.flatten()].view(batch, batch, size)
    positive = bags.groups[:, None] == bags.groups
    own = torch.arange(batch, device=videos.device)
    if name in ("nce", "mil_max"):
        return losses.mil_max(logits, positive)  # of one text it is nce
    if name in ("nce_pairs", "mil_max_pairs"):
        return losses.mil_max_pairs(logits, positive)
    return _one_way(name, logits, positive, own, None)


def _across(name: Loss, videos: Tensor, texts: Tensor, scale: Tensor, groups: Tensor, rank: int, world: int) -> Tensor:
    """Return the loss of this rank's share, texts (B, N, D), where bags and videos of all ranks are negatives."""
    batch, size, width = texts.shape
    everyone, everything = gather(groups), gather(texts)  # (W * B,), (W * B, N, D)
    positive = groups[:, None] == everyone  # (B, W * B)
    logits = (scale * videos @ everything.view(-1, width).T).view(batch, -1, size)  # (B, W * B, N)
    own = torch.arange(batch, device=videos.device) + rank * batch
    pairs = float((everyone[:, None] == everyone).sum()) / world
    if name not in ONE_WAY:
        best = logits.amax(dim=2)
        back = (scale * texts @ gather(videos).T).amax(dim=1)  # (B, N, W * B) -> (B, W * B)
        if name in ("nce", "mil_max"):
            return (losses.nce_one_way(best, positive) + losses.nce_one_way(back, positive)) / 2
        return losses.pairs_one_way(best, positive, pairs) + losses.pairs_one_way(back, positive, pairs)
    return _one_way(name, logits, positive, own, pairs)


def _one_way(name: Loss, logits: Tensor, positive: Tensor, own: Tensor, pairs: float | None) -> Tensor:
    if name == "mil_nce":
        return losses.mil_nce(logits, positive)
    if name == "mil_nce_pairs":
        return losses.mil_nce_pairs(logits, positive, pairs)
    return losses.mil_nce_instance(logits, own)
