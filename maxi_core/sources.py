"""The five roles of a language source. One law binds them: many in, as many out, in order.

A role is one abstract method over an iterable. It yields exactly one answer per item, and an item that cannot be
answered is `Failed(reason)`, never an exception: a generator that raises is dead and takes the rest with it.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from maxi_core.options import Configured
from maxi_core.types import Dictionary, Failed, Form, Match, Video
from maxi_core.video.options import VideoOptions

Augment: TypeAlias = Callable[[Iterable[str]], list[list[Form]]]


class Source(Configured):
    """A language source: a class of one of the five roles below, with a `name` and its options."""

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers, such as the identity of a model's weights."""
        return {}

    def probe(self) -> dict[str, str]:
        """Try what the source stands on outside this machine, at no cost, and return what it says; `maxi env --llm`.

        A source that stands on nothing of the kind leaves it as it is. Raises MaxiError with what is wrong and the fix.
        """
        return {}

    def notes(self) -> list[str]:
        """Return what a reader of a run's results should know of how the answers came; asked when all are there."""
        return []


class Injector(Source):
    """Changes the dictionary before any matching, for example by noise verbs (SPEC section 3)."""

    role = "injector"

    @abstractmethod
    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        """Return the new dictionary; `augment` is the recipe's augmenter, texts -> one list of forms per text."""


class Matcher(Source):
    """Matches each video to its best dictionary entry (SPEC section 2).

    `video` says how videos are read; a run puts its own `[video]` section there.
    """

    role = "matcher"
    video = VideoOptions()

    @abstractmethod
    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        """Yield one match, or Failed, per video, in order."""


class Expander(Source):
    """Says more about an action name; asked once for each entry that some video matched (SPEC section 3)."""

    role = "expander"

    @abstractmethod
    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        """Yield the phrases, or Failed, per entry, in order; an entry of which nothing can be said gets []."""


class Captioner(Source):
    """Describes what is seen in a video; asked once for each video (SPEC section 3).

    `video` says how videos are read; a run puts its own `[video]` section there.
    """

    role = "captioner"
    video = VideoOptions()

    @abstractmethod
    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        """Yield the sentences, or Failed, per video, in order."""


class Augmenter(Source):
    """Turns texts into the word forms that go into the bags; asked once for each distinct text (SPEC section 3)."""

    role = "augmenter"

    @abstractmethod
    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        """Yield the forms, or Failed, per text, in order; a text without any gets []."""


ROLES: dict[str, type[Source]] = {cls.role: cls for cls in (Injector, Matcher, Expander, Captioner, Augmenter)}
