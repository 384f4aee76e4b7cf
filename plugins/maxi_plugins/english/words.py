"""The word lists of words.txt."""

from functools import cache
from importlib.resources import files


@cache
def word_lists() -> dict[str, frozenset[str]]:
    """Return all lists by name, their words in lower case, with blanks for underscores."""
    lists: dict[str, list[str]] = {}
    for line in files("maxi_plugins.english").joinpath("words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            words = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            words += [word.replace("_", " ") for word in line.split()]
    return {name: frozenset(words) for name, words in lists.items()}


@cache
def common_verbs() -> frozenset[str]:
    """Return the lemmas of all verbs that are known by name."""
    return word_lists()["verb"] | word_lists()["noun or verb"] | word_lists()["thing or verb"]
