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

        Attached again, it replaces what it did before. The state dict keeps its keys and its tensors. Patches that are
        dropped in training are the same in all frames of a video. Raises UsageError for an encoder that is no vision
        transformer of open_clip or timm with at least so many layers.
        """
        from maxi_plugins import cross_attention as cross

        layers, offsets = self.options.layers, self.options.offsets
        blocks: list[Any] = list(getattr(getattr(visual, "transformer", None), "resblocks", ()))
        if not all(cross.is_stock(block.attn) for block in blocks if hasattr(block, "attn")):
            blocks = []
        of_timm = cross.timm_attentions(visual)
        known = blocks or of_timm
        if not known:
            raise UsageError(
                f"crossframe changes the attention of open_clip's and timm's vision transformers, and this is a "
                f"{type(getattr(visual, 'trunk', visual)).__name__} of another kind",
                "choose a model such as ViT-B-16-quickgelu/openai, or temporal module mean",
            )
        if layers > len(known):
            raise UsageError(
                f"crossframe.layers is {layers}, and the visual encoder has {len(known)}",
                f"type -o crossframe.layers={len(known)} or fewer",
            )
        last: Any = None
        for block in blocks[-layers:]:
            block.attn = last = cross.CrossFrameAttention(block.attn, offsets, frames)
        for attention in of_timm[-layers:]:
            last = cross.cross_frames(attention, offsets, frames)
        cross.share_dropout(visual, frames)
        return cross.CheckedMean(last)


@hookimpl
def maxi_register_temporal() -> Iterable[type[Temporal]]:
    """Offer `crossframe`."""
    return [CrossFrame]
