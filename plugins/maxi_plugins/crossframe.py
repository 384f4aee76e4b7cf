"""`crossframe`: frames attend to their neighbours, over the stock weights and without parameters (supplement 3.4)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

import maxi_core
from maxi_core import Temporal, hookimpl
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from maxi_core.plugin.roles import Pooling


class CrossFrame(Temporal):
    """Let each frame attend with the mean key of its neighbours on the last visual layers; pool by the mean.

    Parameter-free, over the stock weights (supplement 3.4). With the mean over frames and offsets that are the same in
    both directions, a video and its reverse have the same feature.
    """

    name = "crossframe"

    class Options(maxi_core.Options):
        """Which layers look at which neighbours."""

        layers: int = Field(2, ge=1, description="last visual layers that do it; the paper tries 2 and 6")
        offsets: tuple[int, ...] = Field(
            (-1, 0, 1),
            min_length=1,
            description="neighbours whose keys are averaged; where none exists, its own",
        )

        @field_validator("offsets")
        @classmethod
        def _a_set(cls, offsets: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(sorted(set(offsets)))

    options: Options

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Replace the attention of the last layers of `visual` and return the mean over frames.

        Attached again, it replaces what it did before. The state dict keeps its keys and its tensors. Raises UsageError
        for an encoder that is no vision transformer of open_clip with at least so many layers.
        """
        from maxi_plugins.cross_attention import CheckedMean, CrossFrameAttention, is_stock

        layers = self.options.layers
        blocks: list[Any] = list(getattr(getattr(visual, "transformer", None), "resblocks", ()))
        if not blocks or not all(is_stock(block.attn) for block in blocks if hasattr(block, "attn")):
            raise UsageError(
                f"crossframe changes the attention of open_clip's vision transformers, and this is a "
                f"{type(visual).__name__} of another kind",
                "choose a model such as ViT-B-16-quickgelu/openai, or temporal module mean",
            )
        if layers > len(blocks):
            raise UsageError(
                f"crossframe.layers is {layers}, and the visual encoder has {len(blocks)}",
                f"type -o crossframe.layers={len(blocks)} or fewer",
            )
        changed = []
        for block in blocks[-layers:]:
            block.attn = CrossFrameAttention(block.attn, self.options.offsets, frames)
            changed.append(block.attn)
        return CheckedMean(changed[-1])


@hookimpl
def maxi_register_temporal() -> Iterable[type[Temporal]]:
    """Offer `crossframe`."""
    return [CrossFrame]
