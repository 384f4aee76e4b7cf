"""Temporal modules with one fault each, which its docstring names."""

from typing import TYPE_CHECKING

from tests.core.samples import Average, Weighs

if TYPE_CHECKING:
    import torch
    from torch import nn

    from maxi_core.temporal import Pooling


class Flattens(Average):
    """Fault: pools to the wrong shape."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.flatten(1)


class Detaches(Average):
    """Fault: no gradient passes."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1).detach().requires_grad_()


class Renames(Average):
    """Fault: wraps a layer, so that stock weights no longer load."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        visual.ln_post = nn.Sequential(visual.ln_post)  # type: ignore[arg-type]
        return super().attach(visual, frames)


class Spreads(Average):
    """Fault: pools by the spread over frames, which a still video has not."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.std(1, correction=0)


class Idles(Weighs):
    """Fault: a weight that nothing uses, over which data-parallel training stumbles."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        pooling = super().attach(visual, frames)
        pooling.spare = nn.Linear(2, 2)  # type: ignore[attr-defined]
        return pooling


class Smuggles(Weighs):
    """Fault: its weights stand in no module, so nobody saves them."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        pooling = super().attach(visual, frames)

        def weigh(features: "torch.Tensor") -> "torch.Tensor":
            return pooling(features)

        return weigh


class Mixes(Average):
    """Fault: a video's feature has something of the next video's."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: (features + 0.1 * features.roll(1, 0)).mean(1)


class Assumes(Average):
    """Fault: takes every few images for one video, as many as it was attached for."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        def blend(_: "nn.Module", arguments: "tuple[torch.Tensor]") -> "torch.Tensor":
            return torch.cat([part + 0.1 * part.mean(0) for part in arguments[0].split(frames)])

        visual.ln_post.register_forward_pre_hook(blend)
        return super().attach(visual, frames)


class Breaks(Average):
    """Fault: dies of another number of frames, and not in one line."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        weights = torch.full((frames, 1), 1 / frames)
        return lambda features: (features * weights.to(features.dtype)).sum(1)


class Widens(Average):
    """Fault: gives float32 whatever it gets."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.float().mean(1)


class Freezes(Average):
    """Fault: computes with a copy of the weights, so that weights that are loaded are not used."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import copy

        visual.forward = copy.deepcopy(visual).forward  # type: ignore[method-assign]
        return super().attach(visual, frames)


class Shivers(Average):
    """Fault: a little noise in every call, out of training too."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        return lambda features: features.mean(1) + 1e-3 * torch.rand_like(features[:, 0])
