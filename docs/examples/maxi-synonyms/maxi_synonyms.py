"""`synonyms`: says an action name again with other verbs, from a small table or from one of your own."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pydantic import Field

import maxi_core
from maxi_core import Expander, Failed, UsageError, hookimpl

MAXI_API = 1

TABLE = {
    "throwing": ("tossing", "hurling", "pitching"),
    "riding": ("steering", "driving"),
    "jumping": ("leaping", "hopping"),
    "running": ("sprinting", "jogging"),
    "cutting": ("slicing", "chopping"),
    "cleaning": ("wiping", "scrubbing"),
    "hitting": ("striking", "beating"),
    "juggling": ("tossing", "catching"),
}


def read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """Read lines such as `throwing: tossing, hurling`; raises UsageError if there is no such text file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        fix = "name a text file of lines `verb: synonym, synonym`"
        raise UsageError(f"cannot read the table {path}: {why}", fix) from None
    table = {}
    for line in text.splitlines():
        word, _, others = line.partition(":")
        table[word.strip()] = tuple(other.strip() for other in others.split(",") if other.strip())
    return table


class Synonyms(Expander):
    """Replace each verb of an action name by its synonyms, one phrase for each: throwing a ball, tossing a ball."""

    name = "synonyms"

    class Options(maxi_core.Options):
        table: Path | None = Field(None, description="file of lines `verb: synonym, synonym` instead of the built-in")
        limit: int = Field(5, ge=1, description="phrases for one action name at most")

    options: Options

    def fingerprint(self) -> dict[str, str]:
        """Return a digest of the table, so that answers from another one are not taken for its."""
        return {"table": hashlib.sha256(repr(sorted(self._table.items())).encode()).hexdigest()}

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the phrases for each action name; a name without a known verb gets none."""
        return [self._phrases(entry.split()) for entry in entries]

    def _phrases(self, words: list[str]) -> list[str]:
        phrases = [
            " ".join([*words[:place], other, *words[place + 1 :]])
            for place, word in enumerate(words)
            for other in self._table.get(word, ())
        ]
        return phrases[: self.options.limit]

    @cached_property
    def _table(self) -> dict[str, tuple[str, ...]]:
        return TABLE if self.options.table is None else read_table(self.options.table)


@hookimpl
def maxi_register_sources() -> Iterable[type[Expander]]:
    """Offer `synonyms`."""
    return [Synonyms]
