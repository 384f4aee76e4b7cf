"""The words that the rules know by name: closed classes, common verbs, and how they look wherever they stand."""

from dataclasses import dataclass, field
from functools import lru_cache

from maxi_plugins.english.inflection import is_noun, lemma_of_gerund, readings
from maxi_plugins.english.words import common_verbs, word_lists

# Lists whose words have one part of speech only, under the letter that tagging.py uses for it (H is
# "have" and "do"); the first one wins.
_CLOSED = {
    "possessive": "D", "determiner": "D", "be": "X", "modal": "X", "have": "H", "do": "H", "conjunction": "C",
    "opener": "S", "pronoun": "R", "preposition": "P", "adverb": "B",
}  # fmt: skip
REMEMBERED = 30_000  # words, about 12 MB: names and typing errors of millions of captions come once
_DEPENDS = frozenset(("like", "her", "to", "that", "can"))  # words of closed classes that tagging.py looks at


@dataclass(frozen=True, slots=True)
class Word:
    """A word with all that can be said of it without its neighbours.

    `closed` is the part of speech of a closed class, "" for an open one, and `always` is the same where no neighbour
    can change it; `lemmas` has the lemma under each Penn tag that the word may have; `common` says that it is a verb
    often enough to be one without -ing or -ed, `noun` that it is as often a noun, `thing` that this noun is no action.
    """

    text: str
    closed: str = ""
    always: str = ""
    lemmas: dict[str, str] = field(default_factory=dict)
    common: bool = False
    noun: bool = False
    thing: bool = False
    adjective: bool = False
    animate: bool = False


class Lexicon:
    """Looks words up: `look_up(text in lower case)` returns the Word and remembers the most recent ones."""

    def __init__(self) -> None:
        self.lists = word_lists()
        self.look_up = lru_cache(REMEMBERED)(self._look_up)

    def _look_up(self, text: str) -> Word:
        """Return what is known of a word in lower case."""

        adjective, animate = text in self.lists["adjective"], text in self.lists["animate"]
        closed = self._closed(text)
        # Of the closed classes, "have", "do" and "like" are main verbs where tagging.py says so.
        lemmas = _lemmas(text) if closed in ("", "H") or text == "like" else {}
        if text in self.lists["noun only"]:
            return Word(text, noun=True)
        if closed or (not lemmas and len(text) > 4 and text.endswith("ly")):
            closed = closed or "B"
            always = "" if closed == "H" or text in _DEPENDS else closed
            return Word(text, closed, always, lemmas, adjective=adjective, animate=animate)
        known = {lemmas[tag] for tag in ("VB", "VBZ") if tag in lemmas}
        common = bool(known & common_verbs()) or (bool(known) and not any(is_noun(lemma) for lemma in known))
        noun = not common or bool(known & self.lists["noun or verb"])
        thing = bool(known & self.lists["thing or verb"])
        return Word(text, "", "", lemmas, common, noun or thing, thing, adjective, animate)

    def _closed(self, text: str) -> str:
        for name, letter in _CLOSED.items():
            if text in self.lists[name]:
                return letter
        if not text[0].isalpha():
            return "D" if text[0].isdigit() else ","
        if text.endswith(("'s", "s'")):
            return "X" if text[:-2] in self.lists["pronoun"] else "D"  # "he's", but "the man's"
        return ""


def _lemmas(text: str) -> dict[str, str]:
    lemmas: dict[str, str] = {}
    for lemma, tag in readings(text):
        lemmas.setdefault(tag, lemma)
    if text.endswith("ing") and len(text) > 4 and "VBG" not in lemmas and (lemma := lemma_of_gerund(text)) != text:
        lemmas["VBG"] = lemma
    return lemmas
