"""English verb forms by pyinflect: from a lemma to its forms, and from a form back to its lemmas.

pyinflect is a table of 16,000 verbs with rules for the rest; it inflects any word it is given, so what comes in must be
a verb already. docs/verbs.md says why it was chosen.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache

from maxi_plugins.english.words import common_verbs, word_lists

TAGS = ("VB", "VBZ", "VBG", "VBD", "VBN")
REMEMBERED = 5_000  # words of each kind; the lexicon remembers more of what it has made of them

Inflect = Callable[..., tuple[str, ...] | None]
Table = Mapping[str, tuple[str, ...]]


@cache
def _library() -> tuple[Inflect, Callable[[str, str], Table]]:
    from pyinflect import getAllInflections, getInflection  # type: ignore[import-untyped]  # it ships no types

    return getInflection, getAllInflections


@lru_cache(REMEMBERED)
def gerund(lemma: str) -> str | None:
    """Return the gerund of a verb, None for a word that is no verb (`footage`)."""
    if not lemma:
        return None
    found = _library()[0](lemma, "VBG", inflect_oov=True)
    return found[0] if found else None


@lru_cache(REMEMBERED)
def forms(lemma: str) -> Table:
    """Return {Penn tag: forms} of a verb in the table, an empty mapping for any other word."""
    return _library()[1](lemma, "V")


@lru_cache(REMEMBERED)
def is_noun(word: str) -> bool:
    """Whether the table has the word as a noun, too."""
    return bool(_library()[1](word, "N"))


@lru_cache(REMEMBERED)
def readings(word: str) -> tuple[tuple[str, str], ...]:
    """Return all (lemma, Penn tag) of a word in lower case that the table knows, those of common verbs first.

    The order matters since the table has rare verbs, too: by it "riding" is of "rid" and "ironing" of "irone".
    """
    found = list(_irregular().get(word, ()))
    for lemma in dict.fromkeys(_stems(word)):
        table = forms(lemma)
        found += [(lemma, tag) for tag in TAGS if word in table.get(tag, ())]
    return tuple(sorted(found, key=lambda one: one[0] not in common_verbs()))


@cache
def _irregular() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for lemma in sorted(word_lists()["irregular"]):
        for tag in TAGS:
            for form in forms(lemma).get(tag, ()):
                found.setdefault(form, []).append((lemma, tag))
    return found


def _stems(word: str) -> Iterator[str]:
    yield word
    for ending in ("ing", "ed", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield from _without(word, ending)


def _without(word: str, ending: str) -> Iterator[str]:
    stem = word.removesuffix(ending)
    if ending == "s":
        yield stem
        yield stem.removesuffix("e")  # washes
        yield re.sub("ie$", "y", stem)  # carries
        return
    # After one vowel and one consonant the e goes first: were it "rid", there would be two d.
    yield from (stem + "e", stem) if re.search(r"[^aeiou][aeiou][^aeiouwxy]$", stem) else (stem, stem + "e")
    if stem[-1:] == stem[-2:-1]:
        yield stem[:-1]  # running
    yield stem.removesuffix("k")  # picnicking
    yield re.sub("y$", "ie", stem) if ending == "ing" else re.sub("i$", "y", stem)  # tying, carried


@lru_cache(REMEMBERED)
def lemma_of_gerund(word: str) -> str:
    """Return the lemma of a word in -ing, whether the table has it or not (`breadcrumbing`: `breadcrumb`).

    A word that is another form of a verb (`swing`), or a noun by the table and no compound of a gerund (`handspring`),
    is returned as it is.
    """
    for start in (0, *range(1, len(word) - 5)):  # the word, or a compound of a known verb, as kite + surfing
        if known := [lemma for lemma, tag in readings(word[start:]) if tag == "VBG"]:
            return word[:start] + known[0]
    if readings(word) or is_noun(word):
        return word
    stem = word.removesuffix("ing")
    if re.search(r"([^aeioulsz])\1$", stem):
        return stem[:-1]
    return stem + "e" if re.search(r"([vcuz]|[^aeiou]g|[^aeiou][aeiou]s)$", stem) else stem


def lemma_of(word: str, guess: str) -> str:
    """Return the lemma of a verb form in lower case for which a tagger says `guess`.

    The guess is kept if it is a common verb or nothing better is known: statistical lemmatizers make up lemmas for
    words that they have not seen (`smeare`), and leave out what they do not know at all ("").
    """
    known = [lemma for lemma, _ in readings(word)]
    if guess in common_verbs() or (guess in known and known[0] not in common_verbs()):
        return guess
    if known:
        return known[0]
    return lemma_of_gerund(word) if word.endswith("ing") else guess or word
