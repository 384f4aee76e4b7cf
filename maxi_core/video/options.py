"""The `[video]` section of a recipe: how videos are found, read and kept."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, PrivateAttr

from maxi_core.defaults import DEFAULTS
from maxi_core.options import Options
from maxi_core.video.decoder_lookup import Located, look_up

if TYPE_CHECKING:
    from maxi_core.plugins import Catalog

MOST_WORKERS = 8  # more starve a disk before they feed a GPU; --workers goes beyond


class VideoOptions(Options):
    """How videos are found, read and kept."""

    decoder: str = Field(
        default=DEFAULTS["video"]["decoder"], description="a decoder of a plugin, such as decord, or module:function"
    )
    workers: int | None = Field(
        default=None,
        ge=0,
        description="worker processes that decode ahead; 0 decodes in this one; none: one per core, up to 8",
    )
    timeout: float = Field(
        default=60.0, gt=0, description="seconds after which a video that is still being read is given up"
    )
    retries: int = Field(default=1, ge=0, description="how often a video is tried again that killed its worker or hung")
    short_side: int = Field(
        default=256, ge=0, description="pixels of the shorter side, never enlarged; 0: as in the file"
    )
    square_pixels: bool = Field(
        default=True, description="show non-square pixels in their shape, as players do; false: as they are stored"
    )
    frame_cache: Path | None = Field(default=None, description="folder that keeps frames between runs; none: no cache")
    frame_cache_gb: float = Field(default=20.0, ge=1, description="most gigabytes that the frame cache may hold")
    max_skipped: int | None = Field(default=None, ge=0, description="stop when more videos are skipped; none: no limit")
    clip_seconds: float | None = Field(
        default=None, gt=0, description="cut videos into windows of this length; none: whole"
    )
    allow_outside_root: bool = Field(
        default=False, description="follow `..` and links that lead out of the videos' folder"
    )

    _located: Located | None = PrivateAttr(None)  # so that plugins are looked for once, by whoever made the catalog

    def with_decoder_of(self, catalog: "Catalog") -> "VideoOptions":
        """Return these options with the decoder by its full name, `dist:name`; raises UsageError if there is none."""
        located = look_up(self.decoder, catalog)
        options = self.model_copy(update={"decoder": located.ref})
        options._located = located
        return options

    def located(self) -> Located:
        """Return where the decoder is, looking for installed plugins unless `with_decoder_of` did."""
        known = self._located
        return known if known is not None and known.ref == self.decoder else look_up(self.decoder)

    def processes(self) -> int:
        """Return the number of worker processes."""
        if self.workers is not None:
            return self.workers
        return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
