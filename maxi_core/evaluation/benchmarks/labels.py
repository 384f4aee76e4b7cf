"""Class names by number, and how the names of two files find each other (method.md, field files)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from maxi_core.class_lists import read_class_list
from maxi_core.errors import UsageError
from maxi_core.names import CAMEL, SHOWN, name_key


def read_labels(path: Path) -> dict[int, str]:
    """Return {number: class name} of a file of class names (`read_class_list`); numbers are read, not counted.

    Raises UsageError with the line for a name without a number, a number that comes twice, and names that differ only
    in case, spaces or punctuation.
    """
    listed = read_class_list(path, numbered=True)
    labels: dict[int, str] = {}
    seen: dict[str, tuple[str, int]] = {}
    for one in listed.names:
        name = " ".join(one.name.split())
        if one.number is None or not name:
            raise listed.wrong(one.place, f"'{one.name}' is not a name with a number", "write a table id,name")
        if one.number in labels:
            what = f"the number {one.number} is '{labels[one.number]}' already"
            raise listed.wrong(one.place, what, "give each name its own")
        key = name_key(name)
        if key in seen:
            what = f"'{name}' is '{seen[key][0]}' of {listed.unit} {seen[key][1]} again"
            raise listed.wrong(one.place, what, "rename one, or take it out")
        seen[key] = name, one.place
        labels[one.number] = name
    if not labels:
        raise UsageError(f"{path} names no class", "write one id,name a line")
    return labels


def read_names(path: Path) -> tuple[str, ...]:
    """Return the class names of a file in its order, with numbers or without; raises UsageError if it has none."""
    names = tuple(filter(None, dict.fromkeys(" ".join(one.name.split()) for one in read_class_list(path).names)))
    if not names:
        raise UsageError(f"{path} names no class", "write one name a line")
    return names


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
    parts = re.split(r"[\W_]+", CAMEL.sub(" ", name).casefold())
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


def in_order(path: Path, labels: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names by number; raises UsageError if the numbers are not 0, 1, 2 and so on."""
    gap = next((number for number in range(len(labels)) if number not in labels), None)
    if gap is not None:
        raise UsageError(f"{path} has no class {gap}: its numbers are not 0 to {len(labels) - 1}", "number them so")
    return tuple(labels[number] for number in range(len(labels)))
