"""`transformer`: a small transformer over frame features, with weights of its own; it starts as `mean`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

import maxi_core
from maxi_core import Temporal, hookimpl
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from maxi_core.plugin.roles import Pooling


class Transformer(Temporal):
    """Let the frame features of a video attend to each other, in order of time, then average them.

    Its layers begin with nothing to add, so that it is `mean` before training and knows the direction of time after it.
    The visual encoder stays as it is.
    """

    name = "transformer"

    class Options(maxi_core.Options):
        """How large it is."""

        layers: int = Field(1, ge=1, description="layers over the frames of a video")
        heads: int = Field(8, ge=1, description="attention heads; they must divide the width of a feature")
        expansion: float = Field(4.0, gt=0, description="width of the hidden layer, in widths of a feature")

    options: Options

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Leave `visual` as it is and return the pooling, a module for any number of frames.

        Raises UsageError if the heads do not divide the width of a feature.
        """
        from maxi_plugins.frame_transformer import FrameTransformer, width_of

        width, heads = width_of(visual), self.options.heads
        if width % heads:
            fitting = ", ".join(str(number) for number in range(1, 17) if width % number == 0)
            raise UsageError(
                f"transformer.heads is {heads}, which does not divide {width}, the width of a feature",
                f"type -o transformer.heads= with one of {fitting}",
            )
        hidden = max(1, round(width * self.options.expansion))
        return FrameTransformer(width, self.options.layers, heads, hidden)


@hookimpl
def maxi_register_temporal() -> Iterable[type[Temporal]]:
    """Offer `transformer`."""
    return [Transformer]
