"""Making any text fit to be read: what every entry, phrase and caption goes through before it is used."""

import re
import unicodedata

LONGEST = 1000  # characters of one text; CLIP reads 77 tokens, about 400 characters

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_UNUSABLE = re.compile("[\ud800-\udfff\ufeff\ufffe\uffff]")  # lone surrogates, byte order marks, no characters


def tidy(text: str, longest: int = LONGEST) -> str:
    """Return `text` in NFC on one line, single-spaced and stripped, cut to `longest` characters; "" if nothing shows.

    Control characters become spaces, lone surrogates and byte order marks go, and a text of nothing but invisible
    characters (zero-width spaces, joiners, marks of direction) is empty. Joiners inside a text stay: some scripts and
    emoji need them.
    """
    if text.isascii() and text.isprintable():  # most texts, at a tenth of the time
        return " ".join(text.split())[:longest].strip()
    text = _UNUSABLE.sub("", _CONTROL.sub(" ", text))
    text = " ".join(text.split())[:longest]
    text = unicodedata.normalize("NFC", text)[:longest].strip()
    return text if any(unicodedata.category(letter)[0] not in "CZ" for letter in text) else ""
