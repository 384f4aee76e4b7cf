"""A vote over the captions of a benchmark's own videos: what a captioner knows without CLIP and without training."""

from collections.abc import Sequence
from pathlib import Path

from maxi_core.bags.bag import read_bags
from maxi_core.types import TextBag


def votes(run: Path, classes: Sequence[str], captioner: str) -> dict[str, tuple[str, ...]]:
    """Return by video the classes that most of its captions name, of a run whose videos were captioned.

    More than one where they tie; all where no caption names any. A class of one word is named only where the augmenter
    took that word for a verb. The matches of the run are not looked at.
    """
    return {bag.match.video.id: _most(bag, classes, captioner) for bag in read_bags(run)}


def right(elected: Sequence[str], label: str) -> float:
    """Return the chance that one drawn of the elected classes is the right one: a tie counts as a share."""
    return (label in elected) / len(elected)


def _most(bag: TextBag, classes: Sequence[str], captioner: str) -> tuple[str, ...]:
    captions = [f" {' '.join(text.split())} " for text in dict(bag.said).get(captioner, ())]
    spoken = {text.text for text in bag.texts if captioner in (text.source, *text.also)}  # verbs, by the augmenter
    counts = [sum(f" {name} " in one for one in captions) if " " in name or name in spoken else 0 for name in classes]
    return tuple(name for name, count in zip(classes, counts, strict=True) if count == max(counts))
