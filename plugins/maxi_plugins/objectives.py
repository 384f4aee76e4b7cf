"""The objectives of docs/method.md, losses: the paper's, those of its authors' code, and their baselines."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

import maxi_core
from maxi_core import Features, Objective, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class _OfBags(Objective):
    """An objective over bags: what it tells apart says where it has no gradient."""

    bags_apart = False  # whether it tells the bags of one entry from each other, if they hold other texts
    videos_apart = False  # whether it tells the videos of one entry from each other

    def constant_because(self, batch: int, entries: int, *, alike: bool) -> str:
        if batch == 1:
            return "one video at a time meets no other bag than its own"
        if entries > 1 or self.videos_apart or (self.bags_apart and not alike):
            return ""
        same = ", and all bags are the same" if self.bags_apart else ""
        return f"all videos are matched to the same entry{same}"


class MilNce(_OfBags):
    """MIL-NCE: the mass of all bags with a video's label, together, over the mass of all bags (the paper's Eq. 2)."""

    name = "mil_nce"

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.bag_logits import bag_logits
        from maxi_core.training.losses import mil_nce

        bags = bag_logits(features)
        return mil_nce(bags.logits, bags.positive)


class MilNcePairs(_OfBags):
    """MIL-NCE as in the authors' code: each bag with a video's label by itself, the mean over pairs."""

    name = "mil_nce_pairs"
    bags_apart = True

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.bag_logits import bag_logits
        from maxi_core.training.losses import mil_nce_pairs

        bags = bag_logits(features)
        return mil_nce_pairs(bags.logits, bags.positive, bags.pairs)


class MilNceInstance(_OfBags):
    """MIL-NCE in which a video's own bag alone is positive."""

    name = "mil_nce_instance"
    bags_apart = True

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.bag_logits import bag_logits
        from maxi_core.training.losses import mil_nce_instance

        bags = bag_logits(features)
        return mil_nce_instance(bags.logits, bags.own)


class MilMax(_OfBags):
    """MIL-Max: the best text of each bag; symmetric, the bags with a video's label together."""

    name = "mil_max"
    single = False

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.bag_logits import bag_logits, both_ways
        from maxi_core.training.losses import mil_max

        bags = bag_logits(features, single=self.single)
        return mil_max(both_ways(features, bags))


class MilMaxPairs(_OfBags):
    """MIL-Max as in the authors' code: each bag with a video's label by itself, both directions summed."""

    name = "mil_max_pairs"
    videos_apart = True
    single = False

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.bag_logits import bag_logits, both_ways
        from maxi_core.training.losses import mil_max_pairs

        bags = bag_logits(features, single=self.single)
        return mil_max_pairs(both_ways(features, bags), bags.pairs)


class Nce(MilMax):
    """NCE with one random text of each bag; symmetric, the bags with a video's label together."""

    name = "nce"
    single = True


class NcePairs(MilMaxPairs):
    """NCE as in the authors' code, with one random text of each bag: each bag by itself, both directions summed."""

    name = "nce_pairs"
    single = True


class Soft(_OfBags):
    """MIL-NCE over the entries that a video is nearest to, each as far as its cosine says, and not its best one alone.

    Half of the matches may be wrong: so each of the best entries is a positive with the weight that the softmax of the
    matcher's cosines gives it. maxi's own, of no paper; with a small temperature it is `mil_nce`.
    """

    name = "soft"

    class Options(maxi_core.Options):
        """How many entries, and how sharply the best one stands out."""

        top: int = Field(5, ge=1, description="best entries of a match that are positive")
        temperature: float = Field(0.01, gt=0, description="of the softmax over their cosines; CLIP's own is 0.01")

    options: Options

    def loss(self, features: Features) -> "Tensor":
        import torch

        from maxi_core.training.bag_logits import bag_logits
        from maxi_core.training.losses import mil_nce_soft

        bags = bag_logits(features)
        if features.top is None or features.cosines is None:
            own = features.groups[:, None]
            return mil_nce_soft(bags.logits, bags.groups, own, torch.zeros_like(own))
        top, cosines = features.top[:, : self.options.top], features.cosines[:, : self.options.top]
        return mil_nce_soft(bags.logits, bags.groups, top, cosines / self.options.temperature)


class CrossEntropy(Objective):
    """Cross-entropy over the entries: a video's class, as it is matched or labelled, among all classes."""

    name = "ce"
    prompts = "classes"

    def loss(self, features: Features) -> "Tensor":
        from maxi_core.training.losses import ce

        return ce(features.scale * features.videos @ features.texts.T, features.groups)

    def constant_because(self, batch: int, entries: int, *, alike: bool) -> str:
        return "there is one class alone" if entries == 1 else ""


@hookimpl
def maxi_register_objectives() -> Iterable[type[Objective]]:
    """Offer the objectives of docs/method.md."""
    return [MilNce, MilNcePairs, MilNceInstance, MilMax, MilMaxPairs, Nce, NcePairs, Soft, CrossEntropy]
