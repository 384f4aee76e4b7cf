"""Class names: the labels CSV `id,name`, and how the names of two files find each other (method.md, field files)."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.listing import at, read_text
from maxi_core.names import SHOWN, name_key

Spelling = Literal["written", "spaced"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_labels(path: Path) -> dict[int, str]:
    """Return {number: class name} of a CSV with the header `id,name`; numbers are read, not counted.

    Raises UsageError with the line for a missing header, a number that is none or comes twice, and names that differ
    only in case, spaces or punctuation.
    """
    rows = csv.reader(io.StringIO(read_text(path)), strict=True)
    labels: dict[int, str] = {}
    seen: dict[str, tuple[str, int]] = {}
    try:
        header = next(rows, [])
        if [cell.strip().lower() for cell in header] != ["id", "name"]:
            raise at(path, 1, f"the header is '{','.join(header)}' and not id,name", "write id,name above the names")
        for row in rows:
            if any(cell.strip() for cell in row):
                _take(path, rows.line_num, row, labels, seen)
    except csv.Error as error:
        raise at(path, rows.line_num, f"this is not CSV ({error})") from None
    if not labels:
        raise UsageError(f"{path} names no class", "write one id,name a line")
    return labels


def _take(path: Path, line: int, row: list[str], labels: dict[int, str], seen: dict[str, tuple[str, int]]) -> None:
    if len(row) != 2:
        raise at(path, line, f"{len(row)} columns instead of id,name", "put a name that holds a comma in double quotes")
    number, name = row[0].strip(), " ".join(row[1].split())
    if not (number.isascii() and number.isdigit()) or not name:
        raise at(path, line, f"'{','.join(row)}' is not a number and a name")
    if int(number) in labels:
        raise at(path, line, f"the number {number} is '{labels[int(number)]}' already", "give each name its own")
    key = name_key(name)
    if key in seen:
        other, first = seen[key]
        raise at(path, line, f"'{name}' is '{other}' of line {first} again", "rename one, or take it out")
    seen[key] = name, line
    labels[int(number)] = name


class Names:
    """The class names of a benchmark, found by how others write them: case, spaces, punctuation, order of words."""

    def __init__(self, names: Sequence[str], where: str) -> None:
        self.names, self.where = tuple(names), where
        self._keys = {name_key(name): place for place, name in enumerate(names)}
        words: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            words.setdefault(_words(name), []).append(place)
        self._words = {key: places[0] for key, places in words.items() if len(places) == 1}

    def find(self, name: str) -> int | None:
        """Return the place of the class that `name` means, or None."""
        place = self._keys.get(name_key(name))
        return self._words.get(_words(name)) if place is None else place


def _words(name: str) -> str:
    parts = re.split(r"[\W_]+", _CAMEL.sub(" ", name).casefold())
    return " ".join(sorted(part for part in parts if part))


def same_classes(ours: Names, theirs: Names) -> None:
    """Raise UsageError that shows both sides unless the two name the same classes, in any order and spelling."""
    missing = [name for name in ours.names if theirs.find(name) is None]
    extra = [name for name in theirs.names if ours.find(name) is None]
    if missing or extra:
        raise UsageError(
            f"the class names differ: only {ours.where} has {_some(missing)}, only {theirs.where} has {_some(extra)}",
            "correct one of them, or name one of them alone with --annotations",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(f"'{name}'" for name in names[:SHOWN]) + more) or "none"


def spell(name: str, spelling: Spelling) -> str:
    """Return a class name as it goes into the prompt: as written, or with its words apart (`Apply Eye Makeup`)."""
    if spelling == "written":
        return name
    return " ".join(_CAMEL.sub(" ", name).replace("_", " ").replace("+", " ").split())


def in_order(path: Path, labels: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names by number; raises UsageError if the numbers are not 0, 1, 2 and so on."""
    gap = next((number for number in range(len(labels)) if number not in labels), None)
    if gap is not None:
        raise UsageError(f"{path} has no class {gap}: its numbers are not 0 to {len(labels) - 1}", "number them so")
    return tuple(labels[number] for number in range(len(labels)))
