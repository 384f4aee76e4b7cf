"""`expanded`: each frame attends to the tokens of the frames beside it, too, as in Open-VCLIP (arXiv 2302.00624)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

import maxi_core
from maxi_core import Temporal, hookimpl
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from maxi_core.plugin.roles import Pooling


class Expanded(Temporal):
    """Let each frame attend to its own tokens and to those of the frames beside it, on all visual layers.

    Parameter-free, over the stock weights, as Open-VCLIP and FROSTER do it: where a frame has no neighbour, tokens with
    zeros for keys and values stand in its place and take their part of the softmax. The feature of a video is the mean
    of its frames' features of length 1, so that its cosine ranks as the mean of their logits does.
    """

    name = "expanded"
    projects = ("Open-VCLIP", "FROSTER")

    class Options(maxi_core.Options):
        """Which layers look at their neighbours."""

        layers: int | None = Field(None, ge=1, description="last visual layers that do it; none: all")

    options: Options

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Replace the attention of the last layers of `visual` and return the mean over frames of length 1.

        Attached again, it replaces what it did before. The state dict keeps its keys and its tensors. Raises UsageError
        for an encoder that is no vision transformer of open_clip with at least so many layers.
        """
        from maxi_plugins import cross_attention as cross

        blocks: list[Any] = list(getattr(getattr(visual, "transformer", None), "resblocks", ()))
        if not blocks or not all(cross.is_stock(block.attn) for block in blocks if hasattr(block, "attn")):
            kind = type(getattr(visual, "trunk", visual)).__name__
            raise UsageError(
                f"expanded changes the attention of open_clip's vision transformers, and this is a {kind}",
                "choose a model such as ViT-B-16-quickgelu/openai",
            )
        layers = len(blocks) if self.options.layers is None else self.options.layers
        if layers > len(blocks):
            raise UsageError(
                f"expanded.layers is {layers}, and the visual encoder has {len(blocks)}", "leave it out, for all"
            )
        last: Any = None
        for block in blocks[-layers:]:
            block.attn = last = cross.ExpandedAttention(block.attn, (-1, 1, 0), frames)
        cross.share_dropout(visual, frames)
        return cross.CheckedMean(last, unit=True)


@hookimpl
def maxi_register_temporal() -> Iterable[type[Temporal]]:
    """Offer `expanded`."""
    return [Expanded]
