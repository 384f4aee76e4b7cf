"""The reader that needs no model: a dictionary of word forms and the order of words."""

from maxi_core.types import Failed
from maxi_plugins.english.clauses import Clause
from maxi_plugins.english.lexicon import Lexicon
from maxi_plugins.english.objects import Objects
from maxi_plugins.english.tagging import Tagger


class Rules:
    """Reads English captions, phrases and names of actions; docs/verbs.md has its precision and recall."""

    def __init__(self) -> None:
        lexicon = Lexicon()
        self._tagger = Tagger(lexicon)
        self._objects = Objects(lexicon)

    def read(self, texts: list[str]) -> list[list[Clause] | Failed]:
        """Return the clauses of each text; none is Failed."""
        return [self._clauses(text) for text in texts]

    def _clauses(self, text: str) -> list[Clause]:
        at = self._tagger.tag(text)
        return [
            Clause(lemma, at.written[place].lower(), self._objects.of(at, place)) for place, lemma in at.lemmas.items()
        ]
