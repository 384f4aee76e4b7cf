"""The core's own sections of a recipe. Every other section is named after a plugin's source or temporal module."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from maxi_core.defaults import DEFAULTS
from maxi_core.names import Spelling
from maxi_core.options import Options, WorldPath

_SOURCES = DEFAULTS["sources"]


class SourcesSection(Options):
    """Who plays which part in `maxi bags`; the defaults are the dictionary-only run (paper table 6, first row)."""

    injector: str = Field(_SOURCES["injector"], description="changes the dictionary before matching; none: no change")
    matcher: str = Field(_SOURCES["matcher"], description="matches each video to a dictionary entry")
    texts: tuple[str, ...] = Field(
        tuple(_SOURCES["texts"]), description="expanders and captioners that fill the bags, in order"
    )
    augmenter: str = Field(
        _SOURCES["augmenter"], description="turns texts into word forms; none puts the texts in as they are"
    )


class BagsSection(Options):
    """What `maxi bags` works on and where it writes."""

    videos: Annotated[str | None, WorldPath("videos", file=True)] = Field(
        None, description="folder, list, CSV or JSON lines of videos, or the name of a world"
    )
    root: Path | None = Field(None, description="folder that the paths of a list start from; none: the list's own")
    dictionary: Annotated[str | None, WorldPath("dictionary", file=True)] = Field(
        None, description="file of action names in any usual form, or a known name"
    )
    out: Path | None = Field(None, description="run folder")
    store: Path | None = Field(None, description="folder that keeps all answers; none: $MAXI_HOME/store")
    names: Spelling = Field(
        "spaced", description="names are matched with their words apart (apply eye makeup), or as they are written"
    )
    keep: float = Field(1.0, gt=0, le=1, description="share of videos with the best matches that get texts")


class EvalSection(Options):
    """How `maxi eval` and `maxi predict` show videos and names to a model, and where scores go (method.md)."""

    frames: int = Field(16, ge=1, description="frames of each clip, the middles of as many equal segments")
    views: str = Field("1x1", description="clips x crops whose softmax is summed, such as 4x3")
    prompt: str = Field("a photo of a {}.", description="prompt of a class name")
    names: Spelling | None = Field(
        None,
        description="class names as written, or with their words apart (apply eye makeup); "
        "none: as written in maxi eval, apart in maxi predict",
    )
    normalisation: Literal["model", "imagenet"] | None = Field(
        None, description="of the pixels; none: what the checkpoint was trained with, or the model's own"
    )
    precision: Literal["fp32", "amp_bf16"] = Field("fp32", description="of the frames; amp_bf16 rounds the scores")
    device: str = Field("auto", description="cpu, cuda, mps, or auto: the fastest that is there")
    out: Path = Field(Path("eval"), description="folder that gets one folder of scores for each model")
    store: Path | None = Field(None, description="folder that keeps the features; none: $MAXI_HOME/store")
    data_root: Path | None = Field(None, description="folder with one folder for each benchmark, named after it")
    dictionary: str | None = Field(None, description="dictionary of training: adds scores by group of verbs")


# section -> where its model is; a command that brings a section of its own adds a line here
CORE = {
    "bags": "maxi_core.sections:BagsSection",
    "eval": "maxi_core.sections:EvalSection",
    "sources": "maxi_core.sections:SourcesSection",
    "train": "maxi_core.training.options:TrainSection",
    "video": "maxi_core.video.options:VideoOptions",
}

# what a source may not be called: the sections above, and words that mean something else in a recipe
RESERVED = frozenset({*CORE, "none", "maxi", "schema", "plugins", "versions"})


def core_section(name: str) -> type[Options]:
    """Return the options model of a core section."""
    module, _, attribute = CORE[name].partition(":")
    model: type[Options] = getattr(import_module(module), attribute)
    return model
