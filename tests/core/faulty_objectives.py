"""Objectives with one fault each, which its docstring names."""

import random
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from maxi_core import Features
from tests.core.faulty import (
    ALONE,
    CONSTANT,
    DEVICE,
    DOCUMENTED,
    FINITE,
    HEAD,
    INPUTS,
    LOSS_TWICE,
    PROCESS,
    RANKS,
    RIGHT,
    ZERO,
    caught_by,
)
from tests.core.samples import Holds, Tells

if TYPE_CHECKING:
    from torch import Tensor, nn


@caught_by(FINITE)
class ForEachVideo(Tells):
    """Fault: returns a loss for each video."""

    def loss(self, features: Features) -> "Tensor":
        return self.each(features)


@caught_by(FINITE)
class AFloat(Tells):
    """Fault: returns a number of Python, which has no gradient."""

    def loss(self, features: Features) -> "Tensor":
        return float(self.each(features).mean())  # type: ignore[return-value]


@caught_by(FINITE)
class Exponentials(Tells):
    """Fault: divides exponentials of logits, which overflow."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        masses = (features.scale * features.videos @ features.told_from(features.texts).T).exp()
        own = (features.scale * features.videos * features.texts[features.index[:, 0]]).sum(1).exp()
        return -torch.log(own / masses.sum(dim=1)).mean()


@caught_by(RIGHT)
class Detached(Tells):
    """Fault: the mass of all texts is detached."""

    def loss(self, features: Features) -> "Tensor":
        own, every = self.parts(features)
        return (every.detach() - own).mean()


@caught_by(RIGHT)
class NoGrad(Tells):
    """Fault: is computed under no_grad."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        with torch.no_grad():
            return super().loss(features)


@caught_by(RIGHT)
class Rounds(Tells):
    """Fault: rounds features to float32, whatever the model has."""

    def parts(self, features: Features) -> "tuple[Tensor, Tensor]":
        own, every = super().parts(features)
        return own.float(), every.float()


@caught_by(RANKS)
class OwnRankOnly(Tells):
    """Fault: tells a video from the texts of its own rank alone."""

    def told(self, features: Features) -> "Tensor":
        return features.texts[features.index].flatten(0, 1)


@caught_by(RANKS)
class DistinctTexts(Tells):
    """Fault: counts each distinct text of a rank once, so that it matters which videos meet."""

    def told(self, features: Features) -> "Tensor":
        return features.texts


@caught_by(RANKS)
class SumsVideos(Tells):
    """Fault: takes the sum over videos."""

    def loss(self, features: Features) -> "Tensor":
        return self.each(features).sum()


@caught_by(RANKS)
class FirstRankGathers(Tells):
    """Fault: gathers on one rank only."""

    def told(self, features: Features) -> "Tensor":
        if features.rank:
            return features.texts[features.index].flatten(0, 1)
        return super().told(features)


@caught_by(ALONE)
class FirstVideo(Tells):
    """Fault: looks at the first video of a batch only."""

    def loss(self, features: Features) -> "Tensor":
        return self.each(features)[0]


@caught_by(ALONE)
class WeighsByPlace(Tells):
    """Fault: weighs videos by their place in the batch."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        lost = self.each(features)
        return (lost * torch.linspace(0.5, 1.5, len(lost)).to(lost)).mean()


@caught_by(LOSS_TWICE)
class Draws(Tells):
    """Fault: draws from the generator that all share."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        return super().loss(features) * (1 + torch.rand(()).to(features.videos))


@caught_by(LOSS_TWICE)
class Remembers(Tells):
    """Fault: keeps a running mean of its losses in the class."""

    before: ClassVar[list[float]] = []

    def loss(self, features: Features) -> "Tensor":
        loss = super().loss(features)
        self.before.append(float(loss.detach()))
        return loss + sum(self.before) / len(self.before) + len(self.before)


@caught_by(INPUTS)
class Centres(Tells):
    """Fault: centres the features of videos in place."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        with torch.no_grad():
            features.videos.sub_(features.videos.mean())
        return super().loss(features)


@caught_by(INPUTS)
class SortsBags(Tells):
    """Fault: sorts the bags in place."""

    def loss(self, features: Features) -> "Tensor":
        features.index.copy_(features.index.sort(dim=1).values)
        return super().loss(features)


@caught_by(PROCESS)
class Seeds(Tells):
    """Fault: seeds torch's global generator."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        torch.manual_seed(0)
        return super().loss(features)


@caught_by(PROCESS)
class DrawsOfPython(Tells):
    """Fault: draws from Python's global generator."""

    def loss(self, features: Features) -> "Tensor":
        random.random()
        return super().loss(features)


@caught_by(DEVICE)
class StaysOnTheCPU(Tells):
    """Fault: makes a tensor on the CPU wherever the features are."""

    def loss(self, features: Features) -> "Tensor":
        import torch

        weights = torch.linspace(1, 2, len(features.videos)).to(features.videos.dtype)
        return (self.each(features) * weights / weights.mean()).mean()


@caught_by(CONSTANT)
class SaysConstant(Tells):
    """Fault: says that it has no gradient where it has one."""

    def constant_because(self, batch: int, entries: int, *, alike: bool) -> str:
        return "there is one entry" if entries == 1 else ""


@caught_by(CONSTANT)
class SaysTrue(Tells):
    """Fault: says yes or no and not why."""

    def constant_because(self, batch: int, entries: int, *, alike: bool) -> str:
        return batch == 1  # type: ignore[return-value]


@caught_by(ZERO)
class NoTeacher(Tells):
    """Fault: calls itself a regulariser and has no teacher."""

    regulariser = True


@caught_by(ZERO)
class HoldsToZero(Holds):
    """Fault: holds features to zero, and not to its teacher's."""

    def loss(self, features: Features) -> "Tensor":
        return (features.videos - features.videos.detach() * 0.5).square().sum(1).mean() + 0 * features.texts.sum()


@caught_by(ZERO)
class PushesAtZero(Holds):
    """Fault: is zero at its teacher, and has a gradient there."""

    def loss(self, features: Features) -> "Tensor":
        assert features.teacher is not None
        assert features.head is not None
        apart = features.head(features.videos) - features.teacher.videos
        return apart.abs().sum(1).mean() + (features.videos - features.teacher.videos)[:, 0].mean()


@caught_by(HEAD)
class UnusedHead(Holds):
    """Fault: has a layer in its head that it does not use."""

    def head(self, width: int) -> "nn.Module":
        head: Any = super().head(width)
        head.unused = type(head)(width)
        return head  # type: ignore[no-any-return]


@caught_by(HEAD)
class OneHead(Holds):
    """Fault: has one head for all trainings of a process."""

    kept: ClassVar[dict[int, Any]] = {}

    def head(self, width: int) -> "nn.Module":
        return self.kept.setdefault(width, super().head(width))  # type: ignore[no-any-return]


@caught_by(DOCUMENTED)
class OwnWeight(Tells):
    """Fault: has an option called as the one that the core gives to each objective."""

    class Options(Tells.Options):
        weight: float = Field(0.5, description="what it is multiplied with")
