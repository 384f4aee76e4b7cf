"""Matchers with one fault each, which its docstring names."""

from dataclasses import replace
from typing import TYPE_CHECKING

from maxi_core import Clip, Dictionary, Failed, Match
from tests.core.faulty import (
    DICTIONARY,
    NEIGHBOURS,
    PATHS,
    PLACES,
    TYPE,
    caught_by,
)
from tests.core.samples import First, Ranked

if TYPE_CHECKING:
    pass


Said = list[list[str] | Failed]
Matches = list[Match | Failed]


class Altered(First):
    """A matcher whose matches are altered before they leave."""

    def alter(self, match: Match) -> Match:
        return match

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        return [self.alter(found) for found in super().match(clips, dictionary) if isinstance(found, Match)]


class AlteredTop(Ranked):
    """The same with all entries in `top`."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        return top

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        found = super().match(clips, dictionary)
        return [replace(one, top=self.alter(one.top)) for one in found if isinstance(one, Match)]  # type: ignore[arg-type]


@caught_by(TYPE)
class Invents(Altered):
    """Fault: matches to an entry that nobody gave it."""

    def alter(self, match: Match) -> Match:
        return replace(match, entry="sleeping")


@caught_by(TYPE)
class LowersCase(Altered):
    """Fault: gives entries back in lower case."""

    def alter(self, match: Match) -> Match:
        return replace(match, entry=match.entry.lower())


@caught_by(TYPE)
class Doubts(Altered):
    """Fault: a score that is not a number."""

    def alter(self, match: Match) -> Match:
        return replace(match, score=float("nan"))


@caught_by(TYPE)
class NamesAnother(Altered):
    """Fault: the match names another video."""

    def alter(self, match: Match) -> Match:
        return replace(match, video=replace(match.video, id=f"{match.video.id} 2"))


@caught_by(TYPE)
class NamesTheId(Altered):
    """Fault: the match names a video by its id."""

    def alter(self, match: Match) -> Match:
        return replace(match, video=match.video.id)  # type: ignore[arg-type]


@caught_by(PATHS)
class Resolves(Altered):
    """Fault: gives the video back with an absolute path."""

    def alter(self, match: Match) -> Match:
        return replace(match, video=replace(match.video, path=match.video.path.resolve()))


@caught_by(TYPE)
class Rounds(Altered):
    """Fault: a score of NumPy's 32 bits, which is no float."""

    def alter(self, match: Match) -> Match:
        import numpy as np

        return replace(match, score=np.float32(match.score))  # type: ignore[arg-type]


@caught_by(TYPE)
class RoundsMore(AlteredTop):
    """Fault: the scores of `top` are of NumPy's 32 bits."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        import numpy as np

        return tuple((entry, np.float32(score)) for entry, score in top)


@caught_by(TYPE)
class ReversesTop(AlteredTop):
    """Fault: `top` begins with the worst."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        return top[::-1]


@caught_by(TYPE)
class LeavesOutTheBest(AlteredTop):
    """Fault: `top` begins with the second."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        return top[1:]


@caught_by(TYPE)
class SaysTheBestTwice(AlteredTop):
    """Fault: `top` has an entry twice."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        return (top[0], *top)


@caught_by(TYPE)
class ListsTheTop(AlteredTop):
    """Fault: `top` is a list."""

    def alter(self, top: tuple[tuple[str, float], ...]) -> object:
        return list(top)


@caught_by(DICTIONARY)
class KeepsTheFirstDictionary(First):
    """Fault: the entries of the first call are kept for all others."""

    entries: tuple[str, ...] = ()

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        self.entries = self.entries or dictionary.entries
        return [self.best(clip, self.entries) for clip in clips]


class KeepsByKey(First):
    """Keeps the entries of a dictionary by some key."""

    def open(self) -> None:
        self.kept: dict[object, tuple[str, ...]] = {}

    def key(self, dictionary: Dictionary) -> object:
        return dictionary

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        entries = self.kept.setdefault(self.key(dictionary), dictionary.entries)
        return [self.best(clip, entries) for clip in clips]


@caught_by(DICTIONARY)
class KeepsByName(KeepsByKey):
    """Fault: the entries of a dictionary are kept by its name."""

    def key(self, dictionary: Dictionary) -> object:
        return dictionary.name


@caught_by(DICTIONARY)
class KeepsByNumber(KeepsByKey):
    """Fault: the entries of a dictionary are kept by how many they are."""

    def key(self, dictionary: Dictionary) -> object:
        return len(dictionary.entries)


@caught_by(DICTIONARY)
class KeepsBySet(KeepsByKey):
    """Fault: the entries of a dictionary are kept whatever their order, and chosen by place."""

    def key(self, dictionary: Dictionary) -> object:
        return frozenset(dictionary.entries)


@caught_by(DICTIONARY)
class WantsTwo(First):
    """Fault: cannot take a dictionary of one entry."""

    def best(self, clip: Clip, entries: tuple[str, ...]) -> Match | Failed:
        bright = float(clip.frames.mean()) / 256
        step = 1 / (len(entries) - 1)
        return Match(clip.video, entries[int(bright / step)], bright)


@caught_by(PLACES)
class SwapsScores(First):
    """Fault: the matches of a batch name the right videos and have each other's entries."""

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        found = super().match(clips, dictionary)
        return [
            replace(other, video=clip.video) if isinstance(other, Match) else other
            for clip, other in zip(clips, found[::-1], strict=True)
        ]


@caught_by(NEIGHBOURS)
class NormalisesOverTheBatch(First):
    """Fault: brightness is taken relative to the batch."""

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        means = [float(clip.frames.mean()) for clip in clips]
        middle = sum(means) / len(means)
        return [
            Match(clip.video, dictionary.entries[0], mean - middle / 100)
            for clip, mean in zip(clips, means, strict=True)
        ]


@caught_by(NEIGHBOURS)
class PadsPictures(First):
    """Fault: pictures are padded to the largest of the batch, and the padding counts."""

    def match(self, clips: list[Clip], dictionary: Dictionary) -> Matches:
        largest = max(clip.frames[0].size for clip in clips)
        return [Match(clip.video, dictionary.entries[0], float(clip.frames[0].sum()) / largest / 256) for clip in clips]
