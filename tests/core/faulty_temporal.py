"""Temporal modules with one fault each, which its docstring names."""

from typing import TYPE_CHECKING, Any

from tests.core.faulty import (
    APART,
    COMES_BACK,
    GRADIENTS,
    RIGHT,
    SAVED,
    SHAPE,
    STILL,
    TRAINS_APART,
    caught_by,
)
from tests.core.samples import Average, Weighs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core import Pooling


@caught_by(SHAPE)
class Flattens(Average):
    """Fault: pools to the wrong shape."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.flatten(1)


@caught_by(SHAPE)
class PoolsTheBatch(Average):
    """Fault: pools over the batch and not over the frames."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(0)


@caught_by(SHAPE)
class ReturnsTwo(Average):
    """Fault: returns the weights of the frames, too."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features.mean(1), features)  # type: ignore[return-value]


@caught_by(SHAPE)
class ReturnsNothing(Average):
    """Fault: attach() returns no pooling."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        super().attach(visual, frames)
        return None  # type: ignore[return-value]


@caught_by(SHAPE)
class Views(Average):
    """Fault: takes it that features lie in memory one after the other."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.view(len(features), -1).unflatten(1, (-1, features.shape[2])).mean(1)


@caught_by(SHAPE)
class SpreadsOfOne(Average):
    """Fault: the spread of a single frame is not a number."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1) + features.std(1)


@caught_by(STILL)
class Spreads(Average):
    """Fault: pools by the spread over frames, which a still video has not."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.std(1, correction=0)


@caught_by(STILL)
class Differs(Average):
    """Fault: pools the differences of frames, which a still video has not."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features - features.mean(1, keepdim=True))[:, -1]


@caught_by(GRADIENTS)
class Detaches(Average):
    """Fault: no gradient passes."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1).detach().requires_grad_()


@caught_by(GRADIENTS)
class Idles(Weighs):
    """Fault: a weight that nothing uses, over which data-parallel training stumbles."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        pooling = super().attach(visual, frames)
        pooling.spare = nn.Linear(2, 2)  # type: ignore[attr-defined]
        return pooling


@caught_by(GRADIENTS)
class FreezesTheEncoder(Average):
    """Fault: freezes a weight of the encoder without saying so."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        next(visual.parameters()).requires_grad_(False)
        return super().attach(visual, frames)


@caught_by(GRADIENTS)
class FreezesItself(Weighs):
    """Fault: its own weights are not trained."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        pooling: Any = super().attach(visual, frames)
        return pooling.requires_grad_(False)  # type: ignore[no-any-return]


@caught_by(GRADIENTS)
class Roots(Average):
    """Fault: the gradient of a root is not finite where features are zero."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1) + (features - features).abs().sum(1).sqrt()


@caught_by(RIGHT)
class DetachesAPart(Average):
    """Fault: what a frame counts has no gradient."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features.sum(2, keepdim=True).softmax(1).detach() * features).sum(1)


@caught_by(RIGHT)
class DetachesANorm(Average):
    """Fault: features are brought to length 1 by a length that has no gradient."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        def pool(features: "Tensor") -> "Tensor":
            import torch

            with torch.no_grad():
                length = features.norm(dim=2, keepdim=True).clamp(min=1e-3)
            return (features / length).mean(1)

        return pool


@caught_by(RIGHT)
class RoundsForth(Average):
    """Fault: computes in half precision and gives the type back."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.bfloat16().mean(1).to(features)


@caught_by(RIGHT)
class Quantises(Average):
    """Fault: rounds features and hands the gradient through."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features + ((4 * features).round() / 4 - features).detach()).mean(1)


@caught_by(SAVED)
class Smuggles(Weighs):
    """Fault: its weights stand in no module, so nobody saves them."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        pooling = super().attach(visual, frames)

        def weigh(features: "Tensor") -> "Tensor":
            return pooling(features)

        return weigh


@caught_by(SAVED)
class MakesWeightsLate(Average):
    """Fault: makes its weights when it is first called, after the optimizer has taken those there are."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        class Late(torch.nn.Module):
            def forward(self, features: torch.Tensor) -> torch.Tensor:
                if not hasattr(self, "scale"):
                    self.scale = torch.nn.Parameter(torch.ones(features.shape[2]).to(features))
                return features.mean(1) * self.scale

        return Late()


@caught_by(COMES_BACK)
class DrawsABuffer(Average):
    """Fault: a random direction that is neither a parameter nor a buffer, and so another one in the next run."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        direction = torch.randn(visual.output_dim)  # type: ignore[call-overload]
        return lambda features: features.mean(1) * direction.to(features)


@caught_by(COMES_BACK)
class HidesABuffer(Average):
    """Fault: a random buffer that is not saved."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        class Turned(torch.nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.register_buffer("direction", torch.randn(width), persistent=False)

            def forward(self, features: torch.Tensor) -> torch.Tensor:
                return features.mean(1) * self.direction

        return Turned(visual.output_dim)  # type: ignore[arg-type]


@caught_by(APART)
class Mixes(Average):
    """Fault: a video's feature has something of the next video's."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features + 0.1 * features.roll(1, 0)).mean(1)


@caught_by(APART)
class Normalises(Average):
    """Fault: features are centred over the batch."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1) - 0.5 * features.mean((0, 1))


@caught_by(APART)
class TurnsBatchAndTime(Average):
    """Fault: takes features for (T, B, D), which shows with more than one video only."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.reshape(features.shape[1], features.shape[0], -1).mean(0)


@caught_by(TRAINS_APART)
class NormalisesWhenTrained(Average):
    """Fault: batch normalisation, which mixes videos in training only."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        class Normed(torch.nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.norm = torch.nn.BatchNorm1d(width)

            def forward(self, features: torch.Tensor) -> torch.Tensor:
                whole: torch.Tensor = self.norm(features.flatten(0, 1))
                return whole.unflatten(0, features.shape[:2]).mean(1)

        return Normed(visual.output_dim)  # type: ignore[arg-type]


class Trained(Average):
    """A module that does something else in training."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        other = self.in_training

        class Either(torch.nn.Module):
            def forward(self, features: torch.Tensor) -> torch.Tensor:
                return other(features) if self.training else features.mean(1)

        return Either()

    def in_training(self, features: "torch.Tensor") -> "torch.Tensor":
        return features.mean(1)


@caught_by(TRAINS_APART)
class KeepsFramesWhenTrained(Trained):
    """Fault: in training it returns every frame."""

    def in_training(self, features: "torch.Tensor") -> "torch.Tensor":
        return features


@caught_by(TRAINS_APART)
class ShufflesWhenTrained(Trained):
    """Fault: in training it mixes videos, as an augmentation."""

    def in_training(self, features: "torch.Tensor") -> "torch.Tensor":
        return 0.9 * features.mean(1) + 0.1 * features.mean(1).flip(0)


@caught_by(TRAINS_APART)
class BreaksOnOneWhenTrained(Trained):
    """Fault: in training it needs more than one video."""

    def in_training(self, features: "torch.Tensor") -> "torch.Tensor":
        if len(features) < 2:
            raise ValueError("expected more than one value per channel")
        return features.mean(1)
