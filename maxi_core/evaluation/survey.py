"""What a benchmark is like: videos, classes, labels of a video, durations, what is missing on the disk."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Listing, Row
from maxi_core.evaluation.benchmarks.reading import Places
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, Split
from maxi_core.texts import counted
from maxi_core.types import Video
from maxi_core.video.archives import is_archive


@dataclass(frozen=True)
class Survey:
    """The numbers of one split; those of the disk are None where no folder of videos was named.

    `seconds` are (shortest, median, mean, longest) of the videos that say how long they are; `unreadable` counts those
    that are there and cannot be opened.
    """

    split: Split
    per_class: tuple[int, float, int]
    labels: tuple[int, float, int]
    missing: tuple[str, ...] | None = None
    seconds: tuple[float, float, float, float] | None = None
    unreadable: int | None = None

    def as_record(self) -> dict[str, object]:
        """Return the numbers as plain values."""
        split = self.split
        return {
            "benchmark": split.benchmark,
            "split": split.name,
            "videos": len(split.samples),
            "published": split.published,
            "classes": len(split.classes),
            "videos_per_class": list(self.per_class),
            "labels_per_video": list(self.labels),
            "missing": None if self.missing is None else list(self.missing),
            "seconds": None if self.seconds is None else list(self.seconds),
            "unreadable": self.unreadable,
            "list_sha256": split.sha256,
            "files": [str(path) for path in split.files],
            "notes": list(split.notes),
        }


def survey(benchmark: OpenedBenchmark, *, durations: bool = False, allow_outside: bool = False) -> Iterator[Survey]:
    """Yield the numbers of each split; `durations` opens every video that is there."""
    places = None
    if benchmark.videos is not None and (benchmark.videos.is_dir() or is_archive(benchmark.videos)):
        places = Places(benchmark.videos, allow_outside=allow_outside)
    for split in benchmark.splits:
        counts = Counter(place for sample in split.samples for place in sample.labels)
        per_class = _spread([counts[place] for place in range(len(split.classes))])
        labels = _spread([len(sample.labels) for sample in split.samples])
        if places is None:
            yield Survey(split, per_class, labels)
            continue
        placed = places.place(split)
        gone = set(placed.missing)
        lengths = _lengths(video for video in placed.videos if video.id not in gone) if durations else None
        known = None if lengths is None else [length for length in lengths if length is not None]
        seconds = (min(known), median(known), mean(known), max(known)) if known else None
        unreadable = None if lengths is None or known is None else len(lengths) - len(known)
        yield Survey(split, per_class, labels, placed.missing, seconds, unreadable)


def _spread(values: list[int]) -> tuple[int, float, int]:
    return (min(values), mean(values), max(values)) if values else (0, 0.0, 0)


def _lengths(videos: Iterable[Video]) -> list[float | None]:
    from maxi_core.video.lengths import length_of
    from maxi_core.video.pyav_decoder import opened
    from maxi_core.video.skips import VideoError

    found: list[float | None] = []
    for video in videos:
        try:
            with opened(video.path) as (container, stream):
                found.append(length_of(container, stream))
        except VideoError:
            found.append(None)
    return found


# Few-shot lists: K videos of each class (the paper's K: 2, 4, 8, 16) out of a training split, drawn with a seed.


def few_shot(listing: Listing, shots: int, seed: int = 0) -> Listing:
    """Return `shots` videos of each class, in the order of the listing.

    Each class has a draw of its own, seeded by (seed, class), and larger K contain smaller ones. Raises UsageError for
    a class with fewer videos.
    """
    by_class: dict[str, list[Row]] = {name: [] for name in listing.classes}
    for row in listing.rows:
        if len(row.names) == 1:
            by_class[row.names[0]].append(row)
    chosen: set[str] = set()
    for name, rows in by_class.items():
        if len(rows) < shots:
            raise UsageError(f"'{name}' has {counted(len(rows), 'video')}, and {shots} are wanted", "take fewer shots")
        chosen |= _drawn(sorted(row.path for row in rows), shots, f"{seed}\n{name}")
    return Listing(listing.classes, tuple(row for row in listing.rows if row.path in chosen), listing.files)


def _drawn(paths: Sequence[str], shots: int, seed: str) -> set[str]:
    order = list(paths)
    random.Random(seed).shuffle(order)  # noqa: S311 (a draw, not a secret)
    return set(order[:shots])
