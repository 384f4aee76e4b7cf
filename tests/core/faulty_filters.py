"""Filters with one fault each."""

from dataclasses import replace
from itertools import count

from maxi_core import Clip, Failed, Text, TextBag, UsageError
from tests.core.faulty import FAILED, FRAMES, NEIGHBOURS, PLACES, TYPE, caught_by
from tests.core.samples import Bright, Sampling, Short


@caught_by(TYPE)
class Adds(Short):
    """Fault: puts a text of its own into the bags."""

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        return replace(bag, texts=(*bag.texts, Text("moving", self.name, bag.match.entry, "verb")))


@caught_by(TYPE)
class Tells(Short):
    """Fault: answers with the texts that stay and not with a bag."""

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        return [text.text for text in bag.texts]  # type: ignore[return-value]


@caught_by(TYPE)
class Unmatches(Short):
    """Fault: gives the bag another match."""

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        return replace(bag, match=replace(bag.match, score=1.0))


@caught_by(PLACES)
class Sorts(Short):
    """Fault: answers in the order of sizes."""

    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        return list(super().filter(clips, sorted(bags, key=lambda bag: len(bag.texts))))


@caught_by(NEIGHBOURS)
class Compares(Short):
    """Fault: drops what another bag of the batch has, too."""

    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        said = [{text.text for text in bag.texts} for bag in bags]
        seen = [set.union(set(), *(other for other in said if other != own)) for own in said]
        return [
            replace(bag, texts=tuple(text for text in bag.texts if text.text not in others))
            for bag, others in zip(bags, seen, strict=True)
        ]


@caught_by(FAILED)
class Wants(Short):
    """Fault: an empty bag ends the run."""

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        if not bag.texts:
            raise UsageError("an empty bag")
        return super().left(clip, bag)


@caught_by(FRAMES)
class Blinks(Bright):
    """Fault: wants other frames each time."""

    turns = count(2)

    @property
    def frames(self) -> Sampling | None:  # type: ignore[override]
        return Sampling("middles", next(self.turns))
