"""The `[video]` section of a recipe: how videos are found, read and kept."""

import os
from pathlib import Path

from pydantic import Field

from maxi_core.options import Options

MOST_WORKERS = 8  # more starve a disk before they feed a GPU; --workers goes beyond


class VideoOptions(Options):
    """How videos are found, read and kept."""

    decoder: str = Field(default="pyav", description="pyav, decord, or module:function")
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

    def processes(self) -> int:
        """Return the number of worker processes."""
        if self.workers is not None:
            return self.workers
        return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
