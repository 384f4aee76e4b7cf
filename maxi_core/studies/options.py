"""The `[study]` section of a recipe: what all studies of a user have in common."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from maxi_core.settings.options import Flag, Options, WorldPath


class StudySection(Options):
    """What `maxi study` scores its variants on, how often each is trained, and where all of it goes."""

    benchmark: Annotated[tuple[str, ...], Flag(names="benchmark")] = Field(
        (), description="benchmarks that every variant is scored on"
    )
    seeds: int = Field(1, ge=1, description="trainings of each variant: with the recipe's seed and those that follow")
    out: Path = Field(Path("studies"), description="folder of all studies; what several have in common is made once")
    labels: Annotated[Path | None, WorldPath("labels")] = Field(
        None, description="true labels of the videos, to measure with and for supervised variants: a list or a world"
    )
    shots: Annotated[str | None, WorldPath("labels", file=True)] = Field(
        None, description="labelled videos that few-shot variants draw from: a list or folder, or a world's benchmark"
    )
    shots_videos: Path | None = Field(None, description="folder that the paths of shots start from; none: the list's")
    then: tuple[str, ...] = Field(
        (), description="settings of the second training of few-shot variants, as for -o: train.lr=2e-6"
    )
