"""The core's own sections of a recipe. Every other section is named after a plugin's source or temporal module."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, PrivateAttr, field_validator

from maxi_core.recipe.defaults import DEFAULTS
from maxi_core.settings.options import Decides, Flag, Options, WorldPath, deciding
from maxi_core.system.threads import own_cores
from maxi_core.system.urls import is_remote
from maxi_core.texts import Spelling
from maxi_core.video.decoders import Located, look_up
from maxi_core.video.sampling import MOST_FRAMES

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog

_SOURCES = DEFAULTS["sources"]

ProtocolName = Literal["maxi", "vifi", "open-vclip"]  # presets of projects (evaluation.presets)


class SourcesSection(Options):
    """Who plays which part in `maxi bags`; the defaults are the dictionary-only run (paper table 6, first row)."""

    injector: Annotated[str, Flag(names="injector")] = Field(
        _SOURCES["injector"], description="changes the dictionary before matching; none: no change"
    )
    matcher: Annotated[str, Flag(names="matcher")] = Field(
        _SOURCES["matcher"], description="matches each video to a dictionary entry"
    )
    texts: tuple[str, ...] = Field(
        tuple(_SOURCES["texts"]), description="expanders and captioners that fill the bags, in order"
    )
    augmenter: Annotated[str, Flag(names="augmenter")] = Field(
        _SOURCES["augmenter"], description="turns texts into word forms; none puts the texts in as they are"
    )
    filters: Annotated[tuple[str, ...], Flag(names="filter")] = Field(
        tuple(_SOURCES["filters"]), description="sources that drop texts of the bags, one after the other"
    )


class BagsSection(Options):
    """What `maxi bags` works on and where it writes."""

    model_config = ConfigDict(allow_inf_nan=False)

    videos: Annotated[
        str | tuple[str, ...] | None, WorldPath("videos", file=True), Flag(argument=True, required=True)
    ] = Field(None, description="folder, list, CSV or JSON lines of videos, or the name of a world; or several videos")
    root: Annotated[Path | None, Flag(metavar="FOLDER")] = Field(
        None, description="folder that the paths of a list start from; none: the list's own"
    )
    dictionary: Annotated[str | None, WorldPath("dictionary", file=True), Flag(required=True)] = Field(
        None, description="file of action names in any usual form, or a known name, such as kinetics400"
    )
    out: Annotated[Path | None, Flag(required=True)] = Field(None, description="run folder, here or s3://")
    store: Path | None = Field(None, description="folder that keeps all answers, here or s3://; none: $MAXI_HOME/store")
    names: Spelling = Field(
        "spaced", description="names are matched with their words apart (apply eye makeup), or as they are written"
    )
    keep: float = Field(1.0, gt=0, le=1, description="share of videos with the best matches that get texts")
    engine: Annotated[str, Flag(metavar="NAME", names="engine"), Decides("")] = Field(
        DEFAULTS["bags"]["engine"], description="who asks the sources: this process, or the workers of an engine"
    )
    shortened: bool = Field(
        False,
        description="verb phrases with fewer words than the phrase they are of go in, too: "
        "throwing the ball, of throwing the ball in the hoop",
    )


class EvalSection(Options):
    """How `maxi eval` and `maxi predict` show videos and names to a model, and where scores go (method.md)."""

    model_config = ConfigDict(allow_inf_nan=False)

    protocol: ProtocolName | None = Field(
        None,
        description="evaluation of a project: its frames, views, prompt, names and normalisation, where these are not "
        "set; none: that of an imported model, or as the rest says",
    )
    frames: int = Field(
        16, ge=1, le=MOST_FRAMES, description="frames of each clip, the middles of as many equal segments"
    )
    views: str = Field("1x1", description="clips x crops whose softmax is summed, such as 4x3")
    prompt: str = Field("a photo of a {}.", description="prompt of a class name; templates: the mean over 28")
    prompts: Annotated[tuple[Path, ...], Flag(metavar="FILE")] = Field(
        (),
        description="files of texts for each class, whose mean stands for it in the place of prompt; marked in tables",
    )
    prompts_form: str = Field(
        "{text}", description="how a text of prompts is put to the model: {text}, and {name} for the class"
    )
    names: Spelling | None = Field(
        None,
        description="class names as written, or with their words apart (apply eye makeup); "
        "none: as written in maxi eval, apart in maxi predict",
    )
    normalisation: Literal["model", "imagenet"] | None = Field(
        None,
        description="mean and deviation of the pixels; none: what the checkpoint was trained with, or the model's own",
    )
    precision: Literal["fp32", "amp_bf16"] = Field("fp32", description="of the frames; amp_bf16 rounds the scores")
    device: str = Field("auto", description="device: cpu, cuda, mps, or auto, the fastest that is there")
    out: Path = Field(Path("eval"), description="folder, here or s3://, that gets one folder of scores for each model")
    store: Path | None = Field(None, description="folder that keeps features, here or s3://; none: $MAXI_HOME/store")
    data_root: Path | None = Field(None, description="folder with one folder for each benchmark, named after it")
    dictionary: Annotated[str | None, Flag(names="world.dictionary")] = Field(
        None, description="dictionary of training: adds scores by group of verbs"
    )


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


# section -> where its model is; a command that brings a section of its own adds a line here
CORE = {
    "bags": "maxi_core.settings.sections:BagsSection",
    "eval": "maxi_core.settings.sections:EvalSection",
    "sources": "maxi_core.settings.sections:SourcesSection",
    "study": "maxi_core.settings.sections:StudySection",
    "train": "maxi_core.training.options:TrainSection",
    "video": "maxi_core.settings.sections:VideoOptions",
}

# what a source may not be called: the sections above, and words that mean something else in a recipe
RESERVED = frozenset({*CORE, "none", "maxi", "schema", "plugins", "versions"})


def core_section(name: str) -> type[Options]:
    """Return the options model of a core section."""
    module, _, attribute = CORE[name].partition(":")
    model: type[Options] = getattr(import_module(module), attribute)
    return model


# The `[video]` section of a recipe: how videos are found, read and kept.

MOST_WORKERS = 8  # more starve a disk before they feed a GPU; --workers goes beyond


class VideoOptions(Options):
    """How videos are found, read and kept."""

    model_config = ConfigDict(allow_inf_nan=False)

    decoder: Annotated[str, Flag(metavar="NAME", names="decoder")] = Field(
        default=DEFAULTS["video"]["decoder"], description="a decoder of a plugin, such as decord, or module:function"
    )
    workers: Annotated[int | None, Decides("")] = Field(
        default=None,
        ge=0,
        description="worker processes that decode ahead; 0 decodes in this one; none: one per core, up to 8",
    )
    timeout: Annotated[float, Flag("--video-timeout", metavar="SECONDS"), Decides("")] = Field(
        default=60.0, gt=0, le=1e7, description="seconds after which a video that is still being read is given up"
    )
    retries: Annotated[int, Decides("")] = Field(
        default=1, ge=0, description="how often a video is tried again that killed its worker or hung"
    )
    short_side: int = Field(
        default=256, ge=0, description="pixels of the shorter side, never enlarged; 0: as in the file"
    )
    square_pixels: bool = Field(
        default=True, description="show non-square pixels in their shape, as players do; false: as they are stored"
    )
    frame_cache: Annotated[Path | None, Flag(metavar="FOLDER"), Decides("")] = Field(
        default=None, description="folder that keeps frames between runs; none: no cache"
    )

    @field_validator("frame_cache")
    @classmethod
    def _here(cls, folder: Path | None) -> Path | None:
        if is_remote(folder):
            raise ValueError(f"{folder} is on a server, and frames are kept on this machine")
        return folder

    frame_cache_gb: Annotated[float, Decides("")] = Field(
        default=20.0, ge=1, description="most gigabytes that the frame cache may hold"
    )
    max_skipped: Annotated[int | None, Decides("")] = Field(
        default=None, ge=0, description="stop when more is skipped; none: no limit"
    )
    clip_seconds: Annotated[float | None, Flag(metavar="SECONDS"), Decides("videos")] = Field(
        default=None, gt=0, description="cut videos into windows of this length; none: whole"
    )
    allow_outside_root: Annotated[bool, Decides("")] = Field(
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

    def of_frames(self, *, sized: bool = False) -> dict[str, object]:
        """Return the options that decide the frames of a video; `sized` if their size is this section's too."""
        return {key: value for key, value in deciding(self).items() if sized or key != "short_side"}

    def processes(self) -> int:
        """Return the number of worker processes."""
        if self.workers is not None:
            return self.workers
        return min(MOST_WORKERS, own_cores())
