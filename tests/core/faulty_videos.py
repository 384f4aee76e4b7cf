"""Captioners and matchers with one fault each, which its docstring names."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from maxi_core import Dictionary, Failed, Match, Video
from tests.core.samples import First, Ranked, Scribbles


class Blind(Scribbles):
    """Fault: describes a file that is no video."""

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        for answer in super().caption(videos):
            yield ["a picture"] if isinstance(answer, Failed) else answer


class Trips(Scribbles):
    """Fault: one video that fails takes the next one with it."""

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        fell = False
        for answer in super().caption(videos):
            yield Failed("still dizzy") if fell else answer
            fell = isinstance(answer, Failed)


class Passes(Scribbles):
    """Fault: leaves out a video that it cannot read."""

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        for answer in super().caption(videos):
            if not isinstance(answer, Failed):
                yield answer


class Invents(First):
    """Fault: matches to an entry that nobody gave it."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, entry="sleeping")


class Doubts(First):
    """Fault: a score that is not a number."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, score=float("nan"))


class Swaps(First):
    """Fault: the match speaks of another video."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            other = None if isinstance(answer, Failed) else replace(answer.video, id=f"{answer.video.id} 2")
            yield answer if other is None else replace(answer, video=other)


class Rounds(First):
    """Fault: a score of NumPy's 32 bits, which is no float."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        import numpy as np

        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, score=np.float32(answer.score))


class RoundsMore(Ranked):
    """Fault: the scores of `top` are of NumPy's 32 bits."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        import numpy as np

        for answer in super().match(videos, dictionary):
            top = () if isinstance(answer, Failed) else tuple((entry, np.float32(score)) for entry, score in answer.top)
            yield replace(answer, top=top) if top else answer


class Reverses(Ranked):
    """Fault: `top` begins with the worst."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, top=answer.top[::-1])
