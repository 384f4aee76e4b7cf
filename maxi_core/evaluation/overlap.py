"""How the classes of a benchmark stand to the dictionary of training: by the verb, in any form (supplement, groups).

A rule of English spelling and no model: it reads class names, which are short and regular, and not sentences.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from maxi_core.texts import spell

Group = Literal["novel", "general", "in-dictionary"]
GROUPS: tuple[Group, ...] = ("in-dictionary", "general", "novel")

_VOWELS = "aeiou"
_SHORTEST = 3  # letters before `ing` in a gerund: `king` and `sing` are none


def groups_of(classes: Sequence[str], entries: Iterable[str]) -> tuple[Group, ...]:
    """Return the group of each class.

    novel: no entry has a form of the class's verb; general: the class is a bare verb and only longer entries have it;
    in-dictionary: all others. The verb of a class is its gerunds (`catching or throwing frisbee` has two), or else
    its first word (`kick ball`).
    """
    known = [_words(entry) for entry in entries]
    return tuple(_group(_words(name), known) for name in classes)


def _group(name: list[str], entries: Sequence[Sequence[str]]) -> Group:
    verbs = [word for word in name if _is_gerund(word)] or name[:1]
    wanted = {base for verb in verbs for base in _bases(verb)}
    holding = [entry for entry in entries if any(wanted & _bases(word) for word in entry)]
    if not holding:
        return "novel"
    if len(name) == 1 and all(len(entry) > 1 for entry in holding):
        return "general"
    return "in-dictionary"


def _words(name: str) -> list[str]:
    spaced = spell([name], "spaced")[0].casefold()
    return "".join(letter if letter.isalnum() else " " for letter in spaced).split()


def _is_gerund(word: str) -> bool:
    return word.endswith("ing") and len(word) >= _SHORTEST + 3 and any(letter in _VOWELS + "y" for letter in word[:-3])


def _bases(word: str) -> frozenset[str]:
    """Return the verbs that a word may be a form of: itself; of `hitting` hitt, hitte and hit; of `waves` wave.

    Those that are no words do no harm: two words share a verb if they have one of these in common.
    """
    found = {word}
    for ending in ("ing", "ed", "es", "s"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2 or word.endswith("ss"):
            continue
        found |= {stem, stem + "e"} if ending in ("ing", "ed") else {stem}
        if ending in ("ing", "ed") and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
            found.add(stem[:-1])
        if ending == "ing" and stem.endswith("y"):
            found.add(stem[:-1] + "ie")  # lying, tying
        if ending in ("ed", "es") and stem.endswith("i"):
            found.add(stem[:-1] + "y")
    return frozenset(found)
