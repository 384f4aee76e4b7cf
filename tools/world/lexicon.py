"""The words of the generated sentences on which the sandbox's spaCy pipeline is trained, and how verbs inflect."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LISTS: dict[str, list[str]] = json.loads((Path(__file__).parent / "data" / "words.json").read_text(encoding="utf-8"))


def _words(name: str) -> tuple[str, ...]:
    return tuple(word for line in _LISTS[name] for word in line.split())


NOUNS = _words("nouns")
MASS = frozenset(_words("mass"))
PEOPLE = _words("people")
ADJECTIVES = _words("adjectives")
ADVERBS = _words("adverbs")
PARTICLES = _words("particles")
PREPOSITIONS = _words("prepositions")
DETERMINERS = _words("determiners")
POSSESSIVES = _words("possessives")
NUMBERS = _words("numbers")
PRONOUNS = ("he", "she", "it", "someone")
PLURALS = {
    "child": "children",
    "foot": "feet",
    "leaf": "leaves",
    "shelf": "shelves",
    "knife": "knives",
    "fish": "fish",
    "man": "men",
    "woman": "women",
    "person": "people",
}


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb with its five forms, and whether it takes an object."""

    lemma: str
    third: str
    gerund: str
    past: str
    participle: str
    transitive: bool


def inflect(entry: str, transitive: bool) -> Verb:
    """Return the verb of an entry such as `throw:threw:thrown`; in `hug+`, -ing and -ed double the last letter."""
    stem, *irregular = entry.split(":")
    lemma = stem.rstrip("+")
    base = lemma + lemma[-1] if stem.endswith("+") else lemma
    if lemma.endswith("ie"):
        gerund = lemma[:-2] + "ying"
    elif lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")):
        gerund = lemma[:-1] + "ing"
    else:
        gerund = base + "ing"
    past = _regular(lemma, base, "ed")
    first, second = irregular or (past, past)
    return Verb(lemma, _regular(lemma, lemma, "s"), gerund, first, second, transitive)


def _regular(lemma: str, base: str, ending: str) -> str:
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        return lemma[:-1] + ("ies" if ending == "s" else "ied")
    if ending == "s":
        return lemma + ("es" if lemma.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    return lemma + "d" if lemma.endswith("e") else base + "ed"


def plural(noun: str) -> str:
    """Return the plural of a noun of the lists above."""
    return PLURALS.get(noun) or _regular(noun, noun, "s")


def lemma_tables() -> dict[str, Mapping[str, object]]:
    """Return the tables of spaCy's rule lemmatizer: forms of the words above, and endings to cut from all others."""
    rules: dict[str, list[list[str]]] = {
        "verb": [["ies", "y"], ["es", ""], ["s", ""], ["ied", "y"], ["ed", ""], ["ing", ""]],
        "aux": [],
        "noun": [["ies", "y"], ["ches", "ch"], ["shes", "sh"], ["xes", "x"], ["s", ""]],
    }
    verbs: dict[str, list[str]] = {}
    for verb in VERBS:
        for form in (verb.lemma, verb.third, verb.gerund, verb.past, verb.participle):
            verbs.setdefault(form, [verb.lemma])
    # `lay`, `saw` and the like are listed once, for the first verb that has them; forms of `be` belong to no list.
    be = {form: ["be"] for form in ("is", "are", "am", "was", "were", "be", "being", "been", "'s", "'re")}
    nouns = {plural(noun): [noun] for noun in (*NOUNS, *PEOPLE)} | {noun: [noun] for noun in (*NOUNS, *PEOPLE)}
    return {
        "lemma_rules": rules,
        "lemma_exc": {"verb": verbs | be, "aux": be, "noun": nouns},
        "lemma_index": {"verb": sorted(verb.lemma for verb in VERBS), "aux": ["be"], "noun": sorted(NOUNS)},
    }


VERBS = tuple(inflect(entry, True) for entry in _words("transitive")) + tuple(
    inflect(entry, False) for entry in _words("intransitive")
)
