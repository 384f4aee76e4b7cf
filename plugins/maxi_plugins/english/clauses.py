"""What a reader finds in a text, and what every reader of texts can do."""

from dataclasses import dataclass
from typing import Protocol

from maxi_core.types import Failed


@dataclass(frozen=True, slots=True)
class Thing:
    """A direct object: what stands after the verb up to its head noun, as written, and that noun, "" for a pronoun."""

    text: str
    noun: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A main verb of a text, as its lemma and as written, with its direct objects."""

    lemma: str
    written: str
    things: tuple[Thing, ...] = ()


class Reader(Protocol):
    """Finds the clauses of texts; `rules` and spaCy pipelines are readers."""

    def read(self, texts: list[str]) -> list[list[Clause] | Failed]:
        """Return the clauses, or Failed, of each text."""
        ...
