"""The role of a temporal module: how the frames of a video know of each other, and how they become one feature."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from maxi_core.options import Configured

if TYPE_CHECKING:
    from torch import Tensor, nn

    Pooling: TypeAlias = Callable[[Tensor], Tensor]


class Temporal(Configured):
    """A temporal module; it may change the visual encoder in place, and it says how frame features are pooled."""

    role = "temporal"

    @abstractmethod
    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Prepare `visual` for clips of `frames` frames; return the pooling of frame features, (B, T, D) -> (B, D).

        A pooling with parameters is a `torch.nn.Module`; its weights are trained and saved with the rest.
        """
