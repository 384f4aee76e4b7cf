"""`mean`: the video feature is the mean of its frame features."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from maxi_core import Temporal, hookimpl

if TYPE_CHECKING:
    from torch import Tensor, nn

    from maxi_core.plugin.roles import Pooling


def _mean(features: "Tensor") -> "Tensor":
    return features.mean(dim=1)  # (B, T, D) -> (B, D)


class Mean(Temporal):
    """Average the frame features, each frame by itself: what a model without a temporal module does, too.

    The frames of a video do not know of each other, so a video and its reverse have the same feature.
    """

    name = "mean"

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Leave `visual` as it is and return the mean over frames."""
        return _mean


@hookimpl
def maxi_register_temporal() -> Iterable[type[Temporal]]:
    """Offer `mean`."""
    return [Mean]
