"""Making any text fit to be read: what every entry, phrase and caption goes through before it is used."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

LONGEST = 1000  # characters of one text; CLIP reads 77 tokens, about 400 characters

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_BLANK = " \u200b\u2060"  # what is left at an end of words that are joined by spaces
_UNUSABLE = re.compile("[\ud800-\udfff\ufeff\ufffe\uffff]")  # lone surrogates, byte order marks, no characters


def tidy(text: str, longest: int = LONGEST) -> str:
    """Return `text` in NFC on one line, single-spaced and stripped, cut to `longest` characters; "" if nothing shows.

    Control characters become spaces, lone surrogates and byte order marks go, and a text of nothing but invisible
    characters (zero-width spaces, joiners, marks of direction) is empty. Joiners inside a text stay: some scripts and
    emoji need them; zero-width spaces at its ends go.
    """
    if text.isascii() and text.isprintable():  # most texts, at a tenth of the time
        return " ".join(text.split())[:longest].strip()
    text = _UNUSABLE.sub("", _CONTROL.sub(" ", text))
    text = " ".join(text.split())[:longest]
    text = unicodedata.normalize("NFC", text)[:longest].strip(_BLANK)
    return text if any(unicodedata.category(letter)[0] not in "CZ" for letter in text) else ""


_UNSEEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def written_out(text: str) -> str:
    """Return `text` in one line; what controls a terminal, turns the order of letters or is no letter is written out.

    An escape is then the four characters `\\x1b`; tabs stay.
    """
    return _UNSEEN.sub(lambda found: ascii(found.group())[1:-1], text)


def has_words(text: str) -> bool:
    """Return whether a text has a letter or digit of any script: a comma alone says nothing."""
    return any(map(str.isalnum, text))


FEW = 3  # names of a list, in a message
AND_MORE = " and {} more"


def first_few(names: Sequence[object], most: int = FEW, rest: str = ", ...") -> str:
    """Return the first names with commas between them; `rest` is for the others, and `{}` in it for their number."""
    shown = ", ".join(map(str, names[:most]))
    return shown + rest.format(len(names) - most) if len(names) > most else shown


def by_comma(text: str) -> list[str]:
    """Return the names in a text that has commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


_VERBS = {"are": "is", "have": "has", "were": "was", "do": "does"}


def counted(count: object, noun: str, verb: str = "") -> str:
    """Return a count before its noun, and then a verb that is given in the plural: `1 video is`, `2 classes are`."""
    if count == 1:
        return f"1 {noun} {_VERBS.get(verb) or _with_s(verb)}" if verb else f"1 {noun}"
    return f"{count} {_with_s(noun)} {verb}".rstrip()


def _with_s(word: str) -> str:
    if word.endswith("ry"):
        return f"{word[:-1]}ies"
    return f"{word}{'es' if word.endswith(('s', 'x', 'tch')) else 's'}"


# Names of actions that are written differently in different files: when two are the same, and how they are spelt.

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!ing\b|ed\b|s\b)[a-z])")  # between the words of a name
_JOINED = re.compile(r"(?<=\w)\+(?=\w)")
_BRACKETS = re.compile(r"\[([^\W\d_]{2}[\w ,'-]*)\]")  # `[b]` is none
_HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
_SHORTEST_PLURAL = 4  # letters; shorter words that end in s are mostly no plurals (gas, bus)


def name_key(name: str) -> str:
    """Return what is left of a name without case, spaces and punctuation: `ApplyEyeMakeup` is `apply eye_makeup`."""
    key = name.casefold().replace(" ", "")
    return key if key.isalnum() else "".join(filter(str.isalnum, key))


Spelling = Literal["written", "spaced"]


def spell(names: Sequence[str], spelling: Spelling) -> tuple[str, ...]:
    """Return names as they go into a prompt: as written, or with the words of those apart that are run together.

    `ApplyEyeMakeup`, `apply_eye_makeup` and `apply+eye+makeup` are `apply eye makeup`. So is `apply-eye-makeup` where
    no name has a space and most have a hyphen; else a hyphen belongs to its word (`push-up`). A name that has spaces
    already keeps its capitals (`using an iPhone`); beside `ApplyEyeMakeup` also `Archery` is written small.
    """
    if spelling == "written":
        return tuple(names)
    single = [name for name in names if not any(map(str.isspace, name))]
    hyphens = len(single) == len(names) < 2 * sum(bool(_HYPHEN.search(name)) for name in names)
    camel = any(CAMEL.search(name) for name in single)
    return tuple(_apart(name, hyphens=hyphens, camel=camel) for name in names)


def without_brackets(template: str) -> str:
    """Return a template without the brackets of its placeholders: `Pushing [something] off`, of Something-Something."""
    return " ".join(_BRACKETS.sub(r"\1", template).split())


def _apart(name: str, *, hyphens: bool, camel: bool) -> str:
    words = _JOINED.sub(" ", without_brackets(name)).replace("_", " ")
    if " " in name:
        return " ".join(words.split()) if words != name else name
    words = _HYPHEN.sub(" ", words) if hyphens else words
    if camel:
        parts = CAMEL.sub(" ", words).split()
        words = " ".join(part if len(part) > 1 and part.isupper() else part.lower() for part in parts)
    return " ".join(words.split()) if words != name else name


def near_duplicates(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs (earlier, later) of names that differ only in case, punctuation or the plural of a word."""
    seen: dict[str, str] = {}
    for name in names:
        key = name_key(" ".join(_singular(word) for word in name.casefold().replace("_", " ").split()))
        if not key:  # all punctuation: nothing to compare
            continue
        if key in seen:
            yield seen[key], name
        else:
            seen[key] = name


def _singular(word: str) -> str:
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-1]
