"""What a benchmark is like: videos, classes, labels of a video, durations, what is missing on the disk."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import mean, median

from maxi_core.evaluation.benchmarks.places import Places
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, Split
from maxi_core.types import Video


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
    if benchmark.videos is not None and benchmark.videos.is_dir():
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
    from maxi_core.video.problems import VideoError
    from maxi_core.video.pyav_decoder import opened

    found: list[float | None] = []
    for video in videos:
        try:
            with opened(video.path) as (container, stream):
                found.append(length_of(container, stream))
        except VideoError:
            found.append(None)
    return found
