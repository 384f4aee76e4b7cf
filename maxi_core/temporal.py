"""The role of a temporal module: how the frames of a video know of each other, and how they become one feature."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from maxi_core.options import Configured

if TYPE_CHECKING:
    from torch import Tensor, nn

Pooling: TypeAlias = "Callable[[Tensor], Tensor]"  # frame features (B, T, D) -> video features (B, D)


class Temporal(Configured):
    """A temporal module; it may change the visual encoder in place, and it says how frame features are pooled."""

    role = "temporal"

    @abstractmethod
    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Prepare `visual` for clips of `frames` frames; return the pooling of frame features, (B, T, D) -> (B, D).

        A pooling with parameters is a `torch.nn.Module`; its weights are trained and saved with the rest.
        Frames reach `visual` as images (B * T, 3, S, S), the T frames of a video one after the other. `frames` is the T
        that training uses; a later call may have another one, and whatever stands in `visual` and has an attribute
        `frames` is told of it (`tell_frames`).
        """


def tell_frames(visual: "nn.Module", frames: int) -> bool:
    """Tell every module in `visual` with an attribute `frames` how many frames each video of the next call has.

    Whoever calls `visual` with images of whole videos says this first: nothing else tells T from B * T. Returns whether
    there was any to tell.
    """
    told = False
    for module in visual.modules():
        if hasattr(module, "frames"):
            told = True
            setattr(module, "frames", frames)  # noqa: B010 (the types of torch know no plain attributes)
    return told
