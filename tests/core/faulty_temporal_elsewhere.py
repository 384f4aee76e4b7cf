"""Temporal modules with one fault each that shows elsewhere: other frames, types, devices, encoders, the process."""

import random
from typing import TYPE_CHECKING, Any

from tests.core.faulty import (
    DEVICE,
    INPUTS,
    OTHER_FRAMES,
    PRECISION,
    PROCESS,
    SAME,
    STOCK,
    TWO,
    caught_by,
)
from tests.core.samples import Average, Blends, Weighs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core import Pooling

from tests.core.faulty_temporal import Trained


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
