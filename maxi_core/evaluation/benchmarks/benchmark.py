"""The role of a benchmark: what is published of it, what its files are called, and how those are read.

A benchmark that says its `lists` and `labels` is complete. One with other files writes `official`, or `listing` as a
loader of its own; one with another metric writes `measure`. Splits, agreement of two sources, few-shot draws, scores
and tables are the core's for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from maxi_core.errors import UsageError, nearest
from maxi_core.settings.options import Configured

if TYPE_CHECKING:
    from maxi_core.evaluation.benchmarks.agreement import Trust
    from maxi_core.evaluation.benchmarks.lists import Annotations, Listing
    from maxi_core.evaluation.metrics import Array, Labels

METRICS = ("top1", "top5", "mean_class", "map", "map_cosine")  # the core's


@dataclass(frozen=True)
class BenchmarkFiles:
    """Where the files of a benchmark are: its annotations, and its videos if a folder was named.

    `trust` is which source counts where lists and official files differ. `official` is also told of the `labels` CSV
    and of the list (`listed`) that were found.
    """

    annotations: Annotations
    videos: Path | None = None
    trust: Trust | None = None
    labels: Path | None = None
    listed: Listing | None = None

    def classes(self) -> tuple[str, ...]:
        """Return the classes of the labels CSV, in order of their numbers; none if there is none."""
        from maxi_core.evaluation.benchmarks.lists import in_order, read_labels

        return in_order(self.labels, read_labels(self.labels)) if self.labels else ()


class Benchmark(Configured):
    """A benchmark by name; all but `name`, `title` and a way to read it has a default. A benchmark has no options.

    `counts` are the videos of each split as published (None: not published), by the split's name; `classes` how many
    were published. In `lists`, `labels`, `official_files` and `few_shot`, which name files, `{}` is the split (in
    `few_shot` K). `metric` is the published one: `top1`, with `multi_label` `map`, or one of `measure`.
    """

    role = "benchmark"

    title: ClassVar[str]
    metric: ClassVar[str] = "top1"
    multi_label: ClassVar[bool] = False
    classes: ClassVar[int | None] = None
    counts: ClassVar[Mapping[str, int | None]] = {"1": None}
    aliases: ClassVar[tuple[str, ...]] = ()
    lists: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = ()
    official_files: ClassVar[str] = ""
    few_shot: ClassVar[str] = ""

    def listing(self, files: BenchmarkFiles, split: str) -> Listing:
        """Return the videos of a split with their classes: the one method of a loader of one's own.

        As it stands it reads the split list with its labels CSV and what `official` reads, and checks them against each
        other. Raises UsageError for files that are missing or wrong, with the line.
        """
        from maxi_core.evaluation.benchmarks.reading import read_listing

        return read_listing(self, files, split)

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return a split as the files that were downloaded say, or None if they are not there."""
        return None

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training split of a split, which few-shot lists are drawn from, or None if there is none."""
        return None

    def class_in_name(self, stem: str, classes: tuple[str, ...]) -> str | None:
        """Return the class that the name of a file says (without folder and ending), or None."""
        return None

    def measure(self, scores: Array, labels: Labels) -> Mapping[str, float]:
        """Return numbers from 0 to 1 by name, beside the core's; they are shown in percent.

        `scores` are (n, C), higher is better, a row of minus infinity for a video without an answer; `labels` are the
        places of each video's classes.
        """
        return {}

    def dictionary(self) -> Sequence[str]:
        """Return the class names as a dictionary, for a benchmark that knows them without any file."""
        return ()


def overrides(cls: type[Benchmark], method: str) -> bool:
    """Return whether a benchmark has its own `method`."""
    return getattr(cls, method) is not getattr(Benchmark, method)


def benchmark_flaws(cls: type[Benchmark]) -> list[str]:
    """Return in which ways the attributes and methods of a benchmark, each right by itself, do not fit together."""
    found = []
    if bool(cls.lists) != bool(cls.labels):
        found.append("has lists without labels, or labels without lists")
    if not cls.lists and not overrides(cls, "official") and not overrides(cls, "listing"):
        found.append("cannot be read: name lists and labels, or write official or listing")
    own = "map" if cls.multi_label else "top1"
    if cls.metric in METRICS and cls.metric != own:
        found.append(f"has the metric {cls.metric}, and {own} is that of one with multi_label = {cls.multi_label}")
    if cls.metric not in METRICS and not overrides(cls, "measure"):
        found.append(f"has the metric {cls.metric!r}, which is not the core's, and no method measure")
    return found


def check_split(benchmark: Benchmark, split: str) -> None:
    """Raise UsageError if the benchmark has no split of that name."""
    if split not in benchmark.counts:
        near = nearest(split, benchmark.counts)
        raise UsageError(
            f"{benchmark.name} has no split '{split}'{near}", f"its splits are {', '.join(benchmark.counts)}"
        )
