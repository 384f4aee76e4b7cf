"""Objectives that hold a model to where it began while another objective trains it (docs/objectives.md)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

import maxi_core
from maxi_core import Features, Objective, Teacher, hookimpl

if TYPE_CHECKING:
    from torch import Tensor, nn


class Anchors(Objective):
    """Hold similarities of videos and texts through random anchors to a teacher's (TACO, 2026).

    Unit vectors are drawn in each step; the softmax over texts of what a video and a text have in common with them is
    to be the teacher's: KL(teacher || student). It needs no labels. The authors also train a residual layer on video
    features, and average the weights of epochs; this is their loss alone.
    """

    name = "anchors"
    weight = 0.4
    prompts = "any"
    regulariser = True

    class Options(maxi_core.Options):
        """Which teacher, and how many anchors."""

        anchors: int = Field(200, ge=1, description="unit vectors that are drawn in each step")
        kind: Literal["ema", "frozen"] = Field("ema", description="the teacher: a mean that follows, or the start")
        decay: float = Field(0.9998, ge=0, lt=1, description="share of itself that an ema teacher keeps in a step")

    options: Options

    @property
    def teacher(self) -> Teacher:
        """A mean of the model, or the model as it began."""
        return Teacher(self.options.decay if self.options.kind == "ema" else None)

    def loss(self, features: Features) -> "Tensor":
        """Return the mean divergence over videos; the temperature is taken as it is and not trained by this."""
        import torch
        from torch.nn import functional

        from maxi_core.training.losses import through_anchors

        teacher = features.teacher
        assert teacher is not None
        drawn = torch.randn(self.options.anchors, features.videos.shape[1], generator=features.generator())
        return through_anchors(
            (features.videos, features.told_from(features.texts)),
            (teacher.videos, features.told_from(teacher.texts)),
            functional.normalize(drawn, dim=1).to(features.videos),
            features.scale.detach(),
        )


class Distill(Objective):
    """Hold features to those of the model as it began, through a residual layer (FROSTER, ICLR 2024).

    A feature f becomes f + share * MLP(f), and 1 - cosine to the teacher's feature is the loss, of videos and of texts.
    The layer begins as zero, is trained with the model, and is not part of it.
    """

    name = "distill"
    weight = 2.0
    prompts = "any"
    regulariser = True
    teacher = Teacher()

    class Options(maxi_core.Options):
        """How far features may be from the teacher's."""

        share: float = Field(0.1, ge=0, description="of the residual layer in a feature; 0: none")

    options: Options

    def head(self, width: int) -> "nn.Module":
        """Return one residual layer for videos and one for texts, two layers each, the last of zeros."""
        from torch import nn

        def residual() -> nn.Module:
            last = nn.Linear(width, width)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            return nn.Sequential(nn.Linear(width, width), nn.GELU(), last)

        return nn.ModuleDict({"videos": residual(), "texts": residual()})

    def loss(self, features: Features) -> "Tensor":
        """Return the mean over videos, and over the texts of all bags."""
        from torch import nn

        from maxi_core.training.losses import away_from

        teacher, head, share = features.teacher, features.head, self.options.share
        assert teacher is not None
        assert isinstance(head, nn.ModuleDict)
        videos = away_from(features.videos + share * head["videos"](features.videos), teacher.videos)
        texts = away_from(features.texts + share * head["texts"](features.texts), teacher.texts)
        return videos.mean() + (texts if features.of_classes else texts[features.index]).mean()


class Interpolate(Objective):
    """Ask the other objectives once more at weights between the start and now (Open-VCLIP, ICML 2023).

    In each step a share is drawn, uniform in 0 to `most`, and the loss of the others at
    share * start + (1 - share) * now, divided by 1 - share, is added: so the gradient there counts as it is, times
    `weight`, and what is learned holds on the way back to CLIP, too.
    """

    name = "interpolate"
    weight = 0.5
    prompts = "any"

    class Options(maxi_core.Options):
        """How far back to the start."""

        most: float = Field(0.6, ge=0, lt=1, description="largest share of the start in the weights of the second pass")

    options: Options

    @property
    def teacher(self) -> Teacher:
        """The model once more, at weights between its start and now."""
        return Teacher(between=self.options.most)

    def loss(self, features: Features) -> "Tensor":
        """Return the loss of the other objectives there, over 1 - share."""
        assert features.teacher is not None
        assert features.others is not None
        return features.others(features.teacher) / (1 - features.share)


@hookimpl
def maxi_register_objectives() -> Iterable[type[Objective]]:
    """Offer `anchors`, `distill` and `interpolate`."""
    return [Anchors, Distill, Interpolate]
