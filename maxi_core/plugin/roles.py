"""The six roles of a language source. One law binds them: a batch in, a batch out.

A role is one method from a list to a list of the same length: one answer for each item, a value or `Failed(reason)`.
The core does all else: it decodes the frames that a source asks for, forms the batches, asks a failing batch again in
halves until the one bad item is alone, looks once whether answers sit at their questions, and keeps the answers.
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeAlias

from pydantic import Field, create_model

from maxi_core.errors import UsageError
from maxi_core.settings.options import Configured, Options
from maxi_core.training.objective import Objective
from maxi_core.types import Clip, Dictionary, Failed, Form, Match, TextBag
from maxi_core.video.sampling import Sampling

if TYPE_CHECKING:
    from torch import Tensor, nn

Augment: TypeAlias = Callable[[Iterable[str]], list[list[Form]]]


class Source(Configured):
    """A language source: a class of one of the six roles below, with a `name` and its options.

    `batch` items go into one call and `concurrency` calls are under way at once, in threads. Both are options of every
    source (`-o NAME.batch=4`) whose defaults the class may set; they change effort, not answers.
    """

    batch: int = 16
    concurrency: int = 1

    def open(self) -> None:
        """Make ready what the answers need, such as a model; called once, when something unknown is to be asked."""

    def close(self) -> None:
        """Let go of what `open` made ready, and wake whoever waits in a call; called at the end, after an error too."""

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers, such as the identity of a model's weights."""
        return {}

    def probe(self) -> dict[str, str]:
        """Try what the source stands on outside this machine, at no cost, and return what it says; `maxi env --llm`.

        A source that stands on nothing of the kind leaves it as it is. Raises MaxiError with what is wrong and the fix.
        """
        return {}

    def tokens_each(self) -> int | None:
        """Return about how many tokens a question takes with its answer, for `--dry-run`; None: it uses none."""
        return None

    def notes(self) -> list[str]:
        """Return what a reader of a run's results should know of how the answers came; asked when all are there."""
        return []


class Injector(Source):
    """Changes the dictionary before any matching, for example by noise verbs (paper section 4.5.2)."""

    role = "injector"

    @abstractmethod
    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        """Return the new dictionary; `augment` is the recipe's augmenter, texts -> one list of forms per text."""


class Matcher(Source):
    """Matches each video to its best dictionary entry (paper Eq. 1)."""

    role = "matcher"

    @property
    def frames(self) -> Sampling | None:
        """The frames that are wanted of each video, read after `open`; None: the source reads the file itself."""
        return Sampling("middles", 16)

    @abstractmethod
    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        """Return one match, or Failed, for each clip."""


class Expander(Source):
    """Says more about an action name; asked once for each entry that some video matched (paper Table 6, "GPT3")."""

    role = "expander"

    @abstractmethod
    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the phrases, or Failed, for each entry; an entry of which nothing can be said gets []."""


class Captioner(Source):
    """Describes what is seen in a video; asked once for each video (paper Table 6, "BLIP")."""

    role = "captioner"
    costs_money: ClassVar[bool] = False  # whether each answer is paid for: then only videos that are kept are captioned

    @property
    def frames(self) -> Sampling | None:
        """The frames that are wanted of each video, read after `open`; None: the source reads the file itself."""
        return Sampling("uniform", 8)

    @abstractmethod
    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the sentences, or Failed, for each clip."""


class Augmenter(Source):
    """Turns texts into the word forms that go into the bags; asked once for each distinct text (supplement Fig. 6)."""

    role = "augmenter"
    batch = 256

    @abstractmethod
    def augment(self, texts: list[str]) -> list[list[Form] | Failed]:
        """Return the forms, or Failed, for each text; a text without any gets []."""


class Filter(Source):
    """Drops texts of bags; asked once for each bag that has any, of videos that are kept, when all is in it."""

    role = "filter"

    @property
    def frames(self) -> Sampling | None:
        """The frames that are wanted of each video, read after `open`; None: the source looks at none."""
        return None

    @abstractmethod
    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        """Return each bag with the texts that stay, or Failed: then it stays as it is."""


ASKED = (Matcher, Expander, Captioner, Augmenter, Filter)  # the roles that answer item by item
LOOKING = (Matcher, Captioner, Filter)  # those that are handed clips
ROLES: dict[str, type[Source]] = {cls.role: cls for cls in (Injector, *ASKED)}


# The options of the core, which plugins of a role have besides their own: type, least, most, help. The class's
# attribute of the same name is the default.

CORE_OPTIONS: tuple[tuple[tuple[type[Configured], ...], dict[str, tuple[type, float, float, str]]], ...] = (
    (
        ASKED,
        {
            "batch": (int, 1, sys.maxsize, "items in one call"),
            "concurrency": (int, 1, 256, "calls at once"),
        },
    ),
    ((Objective,), {"weight": (float, 0, sys.float_info.max, "what its loss is multiplied with in the sum")}),
)


def core_options(cls: type[Any]) -> dict[str, tuple[type, float, float, str]]:
    """Return the options of the core for a class: name -> type, least, most, help."""
    return next((options for roles, options in CORE_OPTIONS if issubclass(cls, roles)), {})


def with_core_options(cls: type[Configured]) -> type[Options]:
    """Return the options of a class with those of the core; the class itself says their defaults."""
    added: dict[str, Any] = {}
    for key, (kind, least, most, said) in core_options(cls).items():
        bounds: dict[str, Any] = {"ge": least} | ({"le": most} if most < sys.maxsize else {})
        bounds |= {"allow_inf_nan": False} if kind is float else {}
        added[key] = (kind, Field(getattr(cls, key), description=said, **bounds))
    return create_model(cls.Options.__name__, __base__=cls.Options, __module__=cls.__module__, **added)


# The role of a temporal module: how the frames of a video know of each other, and how they become one feature.

Pooling: TypeAlias = "Callable[[Tensor], Tensor]"  # frame features (B, T, D) -> video features (B, D)


class Temporal(Configured):
    """A temporal module; it may change the visual encoder in place, and it says how frame features are pooled."""

    role = "temporal"
    # names of projects, as `maxi import checkpoint` has them, whose models have this attention between frames
    projects: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        """Prepare `visual` for clips of `frames` frames; return the pooling of frame features, (B, T, D) -> (B, D).

        A pooling with parameters is a `torch.nn.Module`; its weights are trained and saved with the rest.
        Frames reach `visual` as images (B * T, 3, S, S), the T frames of a video one after the other. `frames` is the T
        that training uses; a later call may have another one, and whatever stands in `visual` and has an attribute
        `frames` is told of it (`tell_frames`).
        """


def tell_frames(visual: "nn.Module", frames: int) -> bool:
    """Tell every module in `visual` with an attribute `frames` how many frames each video of the next call has.

    Whoever calls `visual` with images of whole videos says this first: nothing else tells T from B * T. Returns whether
    there was any to tell.
    """
    told = False
    for module in visual.modules():
        if hasattr(module, "frames"):
            told = True
            setattr(module, "frames", frames)  # noqa: B010 (the types of torch know no plain attributes)
    return told


# The role of a world: a named bundle of videos, action names and models that works offline.
# Wherever videos, a dictionary, a MODEL, labels, a benchmark, a recipe or the answers of a source are named, the name
# of a world does.


class Command(Protocol):
    """One `maxi` command of a demonstration.

    It may say what it needs: `after`, the titles of commands that are done before it begins, `()` for none. One that
    does not say needs all that stand before it.
    """

    @property
    def title(self) -> str:
        """What it is for."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its words after `maxi`."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts: the titles of its columns, the first of which names the rows, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
STYLES = frozenset({"bold", "dim", "italic", "underline", *_COLOURS, *(f"bright_{colour}" for colour in _COLOURS)})


@dataclass(frozen=True, slots=True)
class Shown:
    """A line or a table as a terminal shows it, and its style: words of `STYLES`, as in `bold red`."""

    what: str | Grid
    style: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demonstration has come to: what is shown, the same for programs, and lines on what to do next."""

    shown: tuple[Shown, ...]
    data: Mapping[str, object]
    afterwards: tuple[str, ...] = ()


class Demonstration(Protocol):
    """The whole method in public commands, and what they have come to; `beside` says what no command does.

    Commands that do not need each other run at the same time, where there are cores for it.
    """

    beside: str

    def commands(self, out: Path, seeds: int) -> Iterable[Command]:
        """Return the commands in order, with all that they write below `out`; trainings have the seeds 0 to N - 1."""

    def outcome(self, out: Path, seeds: int) -> Outcome:
        """Return what a demonstration that was run has come to: its table and the checks on it."""


class World(Configured):
    """A world: a class with methods that are called when something of it is wanted, and not before.

    Each method may be absent: what is not overridden the world has not, and whoever asks for it is told so. What a
    method renders or unpacks it keeps, so that it is made once; paths stay valid while the process runs. A world has no
    options.
    """

    role = "world"

    def videos(self) -> Path:
        """Return the videos without labels: a folder or a list, as `maxi bags VIDEOS` takes them."""
        self._lacks("videos")

    def dictionary(self) -> list[str]:
        """Return the action names that the videos are matched to."""
        self._lacks("dictionary")

    def clip(self) -> Path:
        """Return the folder of a CLIP as open_clip exports it (open_clip_config.json, open_clip_model.safetensors)."""
        self._lacks("clip")

    def captioner(self) -> Path:
        """Return the folder of a captioner as transformers' `save_pretrained` writes it."""
        self._lacks("captioner")

    def pipeline(self) -> Path:
        """Return the folder of an English pipeline as spaCy's `to_disk` writes it."""
        self._lacks("pipeline")

    def replies(self, which: str = "") -> Path:
        """Return the recorded replies, JSON lines {request, response}; `which` is what stands behind `NAME-`."""
        self._lacks("replies")

    def captions(self) -> Path:
        """Return captions as on the web, one a line: what an injector takes noise from."""
        self._lacks("captions")

    def labels(self) -> Path:
        """Return the true labels of `videos`: a split list beside its labels.csv, paths as in `videos`.

        They are for measuring and for a supervised bound: the method never sees them.
        """
        self._lacks("labels")

    def benchmarks(self) -> Sequence[str]:
        """Return the names of the benchmarks, each beginning with the world's name and a hyphen."""
        return ()

    def benchmark(self, name: str) -> Path:
        """Return the folder of a benchmark: labels.csv, split.txt and, maybe in `videos`, the videos that it lists."""
        self._lacks("benchmark")

    def recipe(self) -> Path:
        """Return the recipe that is fit for this world, for `--config NAME`."""
        self._lacks("recipe")

    def studies(self) -> Path:
        """Return the recipe that `maxi study` begins with where nobody names another, with a `[study]` section."""
        self._lacks("studies")

    def demonstration(self) -> "Demonstration":
        """Return the demonstration of the whole method in this world, for `maxi demo`."""
        self._lacks("demonstration")

    def _lacks(self, what: str) -> NoReturn:
        raise UsageError(f"the world '{self.name}' has no {what}", "name another world, or a path")


PATHS = (
    *("videos", "clip", "captioner", "pipeline", "replies", "captions", "labels", "benchmark", "recipe", "studies"),
)


def has(world: type[World], what: str) -> bool:
    """Return whether a world has `what`: whether it overrides the method."""
    return getattr(world, what) is not getattr(World, what)
