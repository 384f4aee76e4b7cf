"""The five roles of a language source. One law binds them: a batch in, a batch out.

A role is one method from a list to a list of the same length: one answer for each item, a value or `Failed(reason)`.
The core does all else: it decodes the frames that a source asks for, forms the batches, asks a failing batch again in
halves until the one bad item is alone, looks once whether answers sit at their questions, and keeps the answers.
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, TypeAlias

from pydantic import Field, create_model

from maxi_core.options import Configured, Options
from maxi_core.types import Clip, Dictionary, Failed, Form, Match
from maxi_core.video.sampling import Sampling

Augment: TypeAlias = Callable[[Iterable[str]], list[list[Form]]]


class Source(Configured):
    """A language source: a class of one of the five roles below, with a `name` and its options.

    `batch` items go into one call and `concurrency` calls are under way at once, in threads. Both are options of every
    source (`-o NAME.batch=4`) whose defaults the class may set; they change effort, not answers.
    """

    batch: int = 16
    concurrency: int = 1

    def open(self) -> None:
        """Make ready what the answers need, such as a model; called once, when something unknown is to be asked."""

    def close(self) -> None:
        """Let go of what `open` made ready, and wake whoever waits in a call; called at the end, after an error too."""

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
    """Changes the dictionary before any matching, for example by noise verbs (paper section 4.5.2)."""

    role = "injector"

    @abstractmethod
    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        """Return the new dictionary; `augment` is the recipe's augmenter, texts -> one list of forms per text."""


class Matcher(Source):
    """Matches each video to its best dictionary entry (paper Eq. 1)."""

    role = "matcher"

    @property
    def frames(self) -> Sampling | None:
        """The frames that are wanted of each video, read after `open`; None: the source reads the file itself."""
        return Sampling("middles", 16)

    @abstractmethod
    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        """Return one match, or Failed, for each clip."""


class Expander(Source):
    """Says more about an action name; asked once for each entry that some video matched (paper Table 6, "GPT3")."""

    role = "expander"

    @abstractmethod
    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the phrases, or Failed, for each entry; an entry of which nothing can be said gets []."""


class Captioner(Source):
    """Describes what is seen in a video; asked once for each video (paper Table 6, "BLIP")."""

    role = "captioner"
    costs_money: ClassVar[bool] = False  # whether each answer is paid for: then only videos that are kept are captioned

    @property
    def frames(self) -> Sampling | None:
        """The frames that are wanted of each video, read after `open`; None: the source reads the file itself."""
        return Sampling("uniform", 8)

    @abstractmethod
    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the sentences, or Failed, for each clip."""


class Augmenter(Source):
    """Turns texts into the word forms that go into the bags; asked once for each distinct text (supplement Fig. 6)."""

    role = "augmenter"
    batch = 256

    @abstractmethod
    def augment(self, texts: list[str]) -> list[list[Form] | Failed]:
        """Return the forms, or Failed, for each text; a text without any gets []."""


ROLES: dict[str, type[Source]] = {cls.role: cls for cls in (Injector, Matcher, Expander, Captioner, Augmenter)}
ASKED = (Matcher, Expander, Captioner, Augmenter)  # the roles that answer item by item


CALLS = {"batch": (1, sys.maxsize), "concurrency": (1, 256)}  # the options of the core for them: least and most


def with_effort(cls: type[Source]) -> type[Options]:
    """Return the options of an asked source with those of the core: the class's own `batch` and `concurrency`."""
    return create_model(
        cls.Options.__name__,
        __base__=cls.Options,
        __module__=cls.__module__,
        batch=(int, Field(cls.batch, ge=1, description="items in one call")),
        concurrency=(int, Field(cls.concurrency, ge=1, le=256, description="calls at once")),
    )
