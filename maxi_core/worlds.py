"""The role of a world: a named bundle of videos, action names and models that works offline.

Wherever videos, a dictionary, a MODEL, labels, a benchmark, a recipe or the answers of a source are named, the name of
a world does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from maxi_core.errors import UsageError
from maxi_core.options import Configured


class Command(Protocol):
    """One `maxi` command of a demonstration; as text it is what one types in a shell."""

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


@dataclass(frozen=True, slots=True)
class Shown:
    """A line or a table as a terminal shows it, and its style (`bold`, `dim`, a colour)."""

    what: str | Grid
    style: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demonstration has come to: what is shown, the same for programs, and lines on what to do next."""

    shown: tuple[Shown, ...]
    data: Mapping[str, object]
    afterwards: tuple[str, ...] = ()


class Demonstration(Protocol):
    """The whole method in public commands, and what they have come to; `beside` says what no command does."""

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

    def demonstration(self) -> "Demonstration":
        """Return the demonstration of the whole method in this world, for `maxi demo`."""
        self._lacks("demonstration")

    def _lacks(self, what: str) -> NoReturn:
        raise UsageError(f"the world '{self.name}' has no {what}", "name another world, or a path")


PATHS = ("videos", "clip", "captioner", "pipeline", "replies", "labels", "benchmark", "recipe")


def has(world: type[World], what: str) -> bool:
    """Return whether a world has `what`: whether it overrides the method."""
    return getattr(world, what) is not getattr(World, what)
