"""Temporal modules with one fault each, which its docstring names."""

import random
from typing import TYPE_CHECKING, Any

from tests.core.faulty import (
    APART,
    COMES_BACK,
    DEVICE,
    GRADIENTS,
    INPUTS,
    OTHER_FRAMES,
    PRECISION,
    PROCESS,
    RIGHT,
    SAME,
    SAVED,
    SHAPE,
    STILL,
    STOCK,
    TRAINS_APART,
    TWO,
    caught_by,
)
from tests.core.samples import Average, Blends, Weighs

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


@caught_by(OTHER_FRAMES)
class Assumes(Average):
    """Fault: takes every few images for one video, as many as it was attached for."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        def blend(_: "nn.Module", arguments: "tuple[torch.Tensor]") -> "torch.Tensor":
            return torch.cat([part + 0.1 * part.mean(0) for part in arguments[0].split(frames)])

        visual.ln_post.register_forward_pre_hook(blend)  # type: ignore[union-attr, operator]
        return super().attach(visual, frames)


@caught_by(OTHER_FRAMES)
class Breaks(Average):
    """Fault: dies of another number of frames, and not in one line."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        weights = torch.full((frames, 1), 1 / frames)
        return lambda features: (features * weights.to(features)).sum(1)


@caught_by(PRECISION)
class Widens(Average):
    """Fault: gives float32 whatever it gets."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.float().mean(1)


@caught_by(PRECISION)
class HoldsFloats(Average):
    """Fault: multiplies by a matrix of float32 whatever it gets."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        turn = torch.eye(visual.output_dim)  # type: ignore[call-overload]
        return lambda features: features.mean(1) @ turn


@caught_by(DEVICE)
class StaysOnTheCpu(Average):
    """Fault: multiplies by a tensor that stays on the CPU."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        scale = torch.ones(visual.output_dim)  # type: ignore[call-overload]
        return lambda features: features.mean(1) * scale.to(features.dtype)


@caught_by(DEVICE)
class MakesOnTheCpu(Average):
    """Fault: makes its weights on the CPU in every call."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        def pool(features: "Tensor") -> "Tensor":
            import torch

            weights = torch.linspace(1, 2, features.shape[1]).softmax(0).to(features.dtype)
            return (features * weights[:, None]).sum(1)

        return pool


@caught_by(STOCK)
class Renames(Average):
    """Fault: wraps a layer, so that stock weights no longer load."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        visual.ln_post = nn.Sequential(visual.ln_post)  # type: ignore[arg-type]
        return super().attach(visual, frames)


@caught_by(STOCK)
class AddsToTheEncoder(Average):
    """Fault: puts a weight of its own into the encoder."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        visual.place = nn.Embedding(frames, 4)
        return super().attach(visual, frames)


@caught_by(STOCK)
class Freezes(Average):
    """Fault: computes with a copy of the weights, so that weights that are loaded are not used."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import copy

        visual.forward = copy.deepcopy(visual).forward  # type: ignore[method-assign]
        return super().attach(visual, frames)


@caught_by(SAME)
class Shivers(Average):
    """Fault: a little noise in every call, out of training too."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        return lambda features: features.mean(1) + 1e-3 * torch.rand_like(features[:, 0])


@caught_by(SAME)
class DropsAlways(Average):
    """Fault: dropout in evaluation, too."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch.nn import functional

        return lambda features: functional.dropout(features, 0.1).mean(1)


@caught_by(SAME)
class HidesDropout(Average):
    """Fault: a dropout that no module holds, and that nobody can switch off."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        drop = nn.Dropout(0.1)
        return lambda features: drop(features).mean(1)


@caught_by(SAME)
class ShufflesFrames(Average):
    """Fault: draws a frame at random."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1) + features[:, random.randrange(features.shape[1])]


@caught_by(SAME)
class Remembers(Average):
    """Fault: a feature has something of the call before."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        before: list[Any] = [0.0]

        def pool(features: "Tensor") -> "Tensor":
            mean = features.mean(1)
            now, before[0] = mean + 0.1 * before[0], mean.detach().mean(0)
            return now

        return pool


@caught_by(TWO)
class KeepsTheLastEncoder(Average):
    """Fault: what belongs to an encoder stands on the instance, and the last one stays."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        self.visual = visual
        return lambda features: features.mean(1) + next(self.visual.parameters()).mean()


@caught_by(TWO)
class AttachesOnce(Blends):
    """Fault: changes the first encoder only."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        if getattr(self, "attached", False):
            return lambda features: features.mean(1)
        self.attached = True
        return super().attach(visual, frames)


@caught_by(INPUTS)
class WritesOnFeatures(Average):
    """Fault: works on the features in place."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        def pool(features: "Tensor") -> "Tensor":
            if not features.requires_grad:
                features.mul_(2).div_(3)
            return features.mean(1)

        return pool


@caught_by(INPUTS)
class WritesOnImages(Average):
    """Fault: changes the images in place."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        def darken(_: "nn.Module", arguments: "tuple[torch.Tensor]") -> None:
            if not arguments[0].requires_grad:
                arguments[0].mul_(0.5)

        visual.register_forward_pre_hook(darken)
        return super().attach(visual, frames)


@caught_by(PROCESS)
class SeedsTorch(Weighs):
    """Fault: seeds torch's generator for its weights."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        torch.manual_seed(0)
        return super().attach(visual, frames)


@caught_by(PROCESS)
class SeedsWhenTrained(Trained):
    """Fault: seeds torch's generator in every step."""

    def in_training(self, features: "torch.Tensor") -> "torch.Tensor":
        import torch

        torch.manual_seed(0)
        return features.mean(1) * (1 + 0.01 * torch.rand(features.shape[2]))


@caught_by(PROCESS)
class SeedsPython(Average):
    """Fault: seeds Python's generator."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        random.seed(0)
        return super().attach(visual, frames)


@caught_by(PROCESS)
class StopsGradients(Average):
    """Fault: switches gradients off for everybody."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        torch.set_grad_enabled(False)
        return super().attach(visual, frames)


@caught_by(PROCESS)
class DrawsWhenEvaluated(Average):
    """Fault: draws from torch's generator in evaluation, though nothing of it shows."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        return lambda features: features.mean(1) + 0 * torch.rand(())


@caught_by(PROCESS)
class ChoosesAlgorithms(Average):
    """Fault: makes everybody's algorithms deterministic."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)
        return super().attach(visual, frames)
