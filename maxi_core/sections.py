"""The core's own sections of a recipe. Every other section is named after a plugin's source or temporal module."""

from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from maxi_core.options import Options

KNOWN_VIDEOS = ("sandbox",)
KNOWN_DICTIONARIES = ("sandbox", "kinetics400")  # the latter also as kinetics400:N


class SourcesSection(Options):
    """Who plays which part in `maxi bags`; the defaults are the dictionary-only run (paper table 6, first row)."""

    injector: str = Field("none", description="changes the dictionary before matching; none for no change")
    matcher: str = Field("dictionary", description="matches each video to a dictionary entry")
    texts: tuple[str, ...] = Field((), description="expanders and captioners that fill the bags, in order")
    augmenter: str = Field("verbs", description="turns texts into word forms; none puts the texts in as they are")


class BagsSection(Options):
    """What `maxi bags` works on and where it writes."""

    videos: str | None = Field(None, description="folder, list, CSV or JSON lines of videos, or sandbox")
    root: Path | None = Field(None, description="folder that the paths of a list start from; none: the list's own")
    dictionary: str | None = Field(None, description="file of action names, one a line, or a known name")
    out: Path | None = Field(None, description="run folder")
    store: Path | None = Field(None, description="folder that keeps all answers; none: $MAXI_HOME/store")
    keep: float = Field(1.0, gt=0, le=1, description="share of videos with the best matches that get texts")

    @field_validator("videos", "dictionary")
    @classmethod
    def _absolute(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Make a path absolute, so that the settled recipe means the same from any folder; names stay as they are."""
        known = KNOWN_VIDEOS if info.field_name == "videos" else KNOWN_DICTIONARIES
        if value is None or value.partition(":")[0] in known:
            return value
        try:
            path = Path(value).expanduser()
            return str(path.absolute()) if path.exists() else value
        except (OSError, RuntimeError) as error:  # a name that is too long, the home folder of nobody
            raise ValueError(f"it cannot be found: {error}") from None


class EvalSection(Options):
    """How `maxi eval` and `maxi predict` show videos and names to a model, and where scores go (SPEC section 8)."""

    frames: int = Field(16, ge=1, description="frames of each clip, the middles of as many equal segments")
    views: str = Field("1x1", description="clips x crops whose softmax is summed, such as 4x3")
    prompt: str = Field("a photo of a {}.", description="prompt of a class name")
    names: Literal["written", "spaced"] = Field(
        "written", description="class names as written, or with their words apart (Apply Eye Makeup)"
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
RESERVED = frozenset({*CORE, "none", "maxi", "schema", "plugins"})


def core_section(name: str) -> type[Options]:
    """Return the options model of a core section."""
    module, _, attribute = CORE[name].partition(":")
    model: type[Options] = getattr(import_module(module), attribute)
    return model
