"""A vote over the captions of a benchmark's own videos: what the captioner knows without CLIP and without training."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from maxi_core.bags.records import read_bags
from maxi_core.types import TextBag

CAPTIONER = "blip"


def votes(run: Path, classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return by video the classes that most of its captions name, of a run whose videos were captioned.

    More than one where they tie; all where no caption names any. The matches of the run are not looked at.
    """
    return {bag.match.video.id: _most(bag, classes) for bag in read_bags(run)}


def right(elected: Sequence[str], label: str) -> float:
    """Return the chance that one drawn of the elected classes is the right one: a tie counts as a share."""
    return (label in elected) / len(elected)


def _most(bag: TextBag, classes: Sequence[str]) -> tuple[str, ...]:
    captions = dict(bag.said).get(CAPTIONER, ())
    spoken = {text.text for text in bag.texts if CAPTIONER in (text.source, *text.also)}  # verbs, by the augmenter
    counts = [_naming(captions, name) if name in spoken else 0 for name in classes]
    return tuple(name for name, count in zip(classes, counts, strict=True) if count == max(counts))


def _naming(captions: Iterable[str], name: str) -> int:
    return sum(name in caption.split() for caption in captions)
