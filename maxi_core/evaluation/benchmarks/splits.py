"""What was read of a benchmark: its splits, each with class names and labelled videos, and where the files lie."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Listing, Names, Row, write_list
from maxi_core.texts import Spelling, counted, name_key, spell
from maxi_core.video.inputs import with_window

if TYPE_CHECKING:
    from maxi_core.evaluation.metrics import Array, Labels

Measure = Callable[["Array", "Labels"], Mapping[str, float]]  # scores (n, C) and labels -> numbers from 0 to 1 by name


@dataclass(frozen=True, slots=True)
class Sample:
    """One video: `id` is its name in predictions, `path` as the list has it, `labels` are places in the classes.

    `start` and `end` are those of a window in seconds, None for the ends of the file.
    """

    id: str
    path: str
    labels: tuple[int, ...]
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Split:
    """One split of a benchmark; `published` is how many videos and `notes` what a reader of its scores should know."""

    benchmark: str
    name: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    files: tuple[Path, ...]
    published: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`benchmark:split`, as it is typed."""
        return f"{self.benchmark}:{self.name}"

    @cached_property
    def sha256(self) -> str:
        """The checksum of who is labelled what: the same for any order, folder, spelling and form of the files.

        Over the sorted lines `<id> TAB <name keys of the classes, sorted>` (`maxi_core.texts.name_key`).
        """
        keys = [name_key(name) or name for name in self.classes]
        lines = sorted(
            f"{sample.id}\t{' '.join(sorted(keys[place] for place in sample.labels))}\n" for sample in self.samples
        )
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()

    def only(self, names: Sequence[str], where: str) -> "Split":
        """Return the split with these classes only, in this order: base and novel halves.

        Videos that have none of them are left out. Raises UsageError for a name that is no class of the split.
        """
        mine = Names(self.classes, self.label)
        places = [mine.find(name) for name in names]
        unknown = [name for name, place in zip(names, places, strict=True) if place is None]
        if unknown:
            raise UsageError(f"'{unknown[0]}' of {where} is no class of {self.label}", "correct the names")
        new = {place: number for number, place in enumerate(places) if place is not None}
        samples = tuple(
            replace(sample, labels=labels)
            for sample in self.samples
            if (labels := tuple(new[place] for place in sample.labels if place in new))
        )
        note = f"{len(names)} of {counted(len(self.classes), 'class')}, by {where}"
        classes = tuple(self.classes[place] for place in new)
        return replace(self, classes=classes, samples=samples, published=None, notes=(*self.notes, note))


@dataclass(frozen=True)
class OpenedBenchmark:
    """A benchmark that was read: `metric` is the published one, `videos` the folder that its paths start from.

    With `multi_label` its videos may have several classes. `measure` is its own metric, beside the core's; `ref` is
    `dist:name` of the plugin that has it.
    """

    name: str
    metric: str
    splits: tuple[Split, ...]
    videos: Path | None
    spelling: Spelling = "written"
    multi_label: bool = False
    measure: Measure | None = None
    ref: str = ""


def make_split(
    benchmark: str,
    name: str,
    listing: Listing,
    *,
    by_stem: bool,
    spelling: Spelling = "written",
    published: int | None = None,
    notes: Sequence[str] = (),
) -> Split:
    """Turn a listing into a split; ids are file names without their ending where they are unique (`by_stem`).

    Raises UsageError if two videos have one id.
    """
    place = {name: number for number, name in enumerate(listing.classes)}
    samples = tuple(
        Sample(
            with_window(row.stem if by_stem else row.path, row.start, row.end),
            row.path,
            tuple(place[name] for name in row.names),
            row.start,
            row.end,
        )
        for row in listing.rows
    )
    seen: dict[str, str] = {}
    for sample in samples:
        if sample.id in seen:
            both = f"'{seen[sample.id]}' and '{sample.path}'"
            raise UsageError(f"{benchmark}:{name}: {both} are videos of one name", "take one of them out")
        seen[sample.id] = sample.path
    notes = list(notes)
    if published is not None and len(samples) != published:
        notes.append(f"{counted(len(samples), 'video')}, and {published} in the published split")
    seen_classes = len({place for sample in samples for place in sample.labels})
    if published is not None and seen_classes < len(listing.classes):
        notes.append(f"only {seen_classes} of {counted(len(listing.classes), 'class')} have videos")
    if listing.unlabelled:
        notes.append(f"left out: {counted(listing.unlabelled, 'video')} without any label")
    return Split(benchmark, name, spell(listing.classes, spelling), samples, listing.files, published, tuple(notes))


def write_splits(opened: OpenedBenchmark, out: Path) -> list[tuple[Path, Split]]:
    """Write each split as a split list with its labels CSV into `out`, and return the lists and the splits.

    Splits with classes of their own get a folder each.
    """
    same, written = len({split.classes for split in opened.splits}) == 1, []
    for split in opened.splits:
        rows = tuple(Row(one.path, tuple(split.classes[place] for place in one.labels)) for one in split.samples)
        folder = out if same else out / split.name
        path = folder / (f"split{split.name}.txt" if same and len(opened.splits) > 1 else "split.txt")
        write_list(Listing(split.classes, rows, split.files), path, folder / "labels.csv")
        written.append((path, split))
    return written
