"""`own-kitchen`: a benchmark whose annotations are one JSON file, scored by the verb, too."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row, UsageError, hookimpl

CLASSES = ("cut bread", "cut cheese", "pour milk", "pour tea")
VERBS = tuple(name.split()[0] for name in CLASSES)


class Kitchen(Benchmark):
    """Four things done in a kitchen; `verb` is the share of videos whose verb is right, whatever the object."""

    name = "own-kitchen"
    title = "My kitchen"
    classes = len(CLASSES)
    counts = {"test": None}
    aliases = ("kitchen",)
    metric = "verb"
    official_files = "kitchen.json"

    def listing(self, files: BenchmarkFiles, split: str) -> Listing:
        """Return the videos of a part of kitchen.json; raises UsageError if it is not there or not of the form."""
        return read(files.annotations, split)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the videos to draw few-shot lists from."""
        return read(annotations, "train")

    def measure(self, scores: Any, labels: Any) -> Mapping[str, float]:
        """Return the share of videos whose best class has the right verb; a video without an answer is wrong."""
        right = [
            max(row) > float("-inf") and VERBS[row.argmax()] == VERBS[own[0]]
            for row, own in zip(scores, labels, strict=True)
        ]
        return {"verb": sum(right) / len(right)}


def read(annotations: Annotations, part: str) -> Listing:
    """Return the videos of one part of the JSON file."""
    path = annotations.find("kitchen.json")
    if path is None:
        raise UsageError(f"there is no kitchen.json in {annotations.place}", "correct --annotations")
    return Listing(CLASSES, tuple(_rows(path, part)), (path,))


def _rows(path: Path, part: str) -> Iterable[Row]:
    try:
        videos = json.loads(path.read_text(encoding="utf-8"))[part]
        yield from (Row(str(video["file"]), (str(video["class"]),)) for video in videos)
    except (ValueError, KeyError, TypeError):
        what = f'{path} is not of the form {{"{part}": [{{"file": ..., "class": ...}}]}}'
        raise UsageError(what, "correct it") from None


@hookimpl
def maxi_register_benchmarks() -> Iterable[type[Benchmark]]:
    """Offer `own-kitchen`."""
    return [Kitchen]
