"""What a plugin's benchmark gave, looked at once: a listing whose rows can be read, and numbers that are shares."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path, PurePath
from typing import Any

from maxi_core.errors import PluginError, one_line
from maxi_core.evaluation.benchmarks.lists import Listing, Row
from maxi_core.texts import counted, written_out

SLACK = 1e-6  # by which a share that was computed in single precision may be beyond 0 or 1
LATEST = 1e9  # seconds


def checked_listing(name: str, said: object, *, multi_label: bool) -> Listing:
    """Return what a loader gave, if it is a listing whose rows have classes of its own.

    Lists and generators become tuples, paths of rows texts. Raises PluginError that names the benchmark for the rest.
    """
    try:
        return _listing(said, multi_label=multi_label)
    except _WrongError as error:
        raise PluginError(f"benchmark '{name}' gave {error}") from None


class _WrongError(Exception):
    """What a loader gave instead of what is wanted, as the end of a sentence."""


def _listing(said: object, *, multi_label: bool) -> Listing:
    if not isinstance(said, Listing):
        raise _WrongError(f"{type(said).__name__} for a split, not a Listing")
    classes = _all(said.classes, "classes", "texts", _is_text)
    if len(set(classes)) < len(classes):
        twice = next(name for place, name in enumerate(classes) if name in classes[:place])
        raise _WrongError(f"the class {twice!r:.80} twice")
    known = frozenset(classes)
    rows = tuple(_row(row, known, multi_label=multi_label) for row in _all(said.rows, "rows", "Rows", _is_row))
    if not rows:
        raise _WrongError("a split without videos")
    files = _all(said.files, "files", "Paths", lambda file: isinstance(file, Path))
    notes = _all(said.notes, "notes", "texts", lambda note: isinstance(note, str))
    if not _is_whole(said.unlabelled) or said.unlabelled < 0:
        raise _WrongError(f"{said.unlabelled!r:.80} for the number of videos without a class")
    return Listing(classes, rows, files, said.unlabelled, tuple(map(one_line, notes)))


def _all(said: object, what: str, wanted: str, holds: Any) -> tuple[Any, ...]:
    if not isinstance(said, Iterable) or isinstance(said, (str, bytes, Mapping)):
        raise _WrongError(f"{said!r:.80} for its {what}, not {wanted}")
    items = tuple(said)
    for item in items:
        if not holds(item):
            raise _WrongError(f"{item!r:.80} among its {what}, which are {wanted}")
    return items


def _row(row: Row, classes: Collection[str], *, multi_label: bool) -> Row:
    path = _written(row.path)
    if not _is_text(path) or "\0" in path:
        raise _WrongError(f"a row with the path {path!r:.80}, which no file has")
    own = isinstance(row.names, (tuple, list)) and all(isinstance(name, str) and name in classes for name in row.names)
    if not own or not row.names:
        raise _WrongError(f"{path!r:.80} the classes {row.names!r:.80}, which are not its own")
    names = tuple(dict.fromkeys(row.names))
    if len(names) > 1 and not multi_label:
        raise _WrongError(f"{path!r:.80} {counted(len(names), 'class')}, where each video has one (no multi_label)")
    if not _is_whole(row.line):
        raise _WrongError(f"{path!r:.80} the line {row.line!r:.80}, which is no number")
    start, end = row.start, row.end
    if not _is_time(start) or not _is_time(end):
        raise _WrongError(f"{path!r:.80} the window {start!r:.40} to {end!r:.40}, which is not in seconds")
    if start is not None and end is not None and end <= start:
        raise _WrongError(f"{path!r:.80} the window {start!r:.40} to {end!r:.40}, which ends before it begins")
    same = path is row.path and names == row.names
    return row if same else replace(row, path=path, names=names)


def _written(path: object) -> Any:
    return path.as_posix() if isinstance(path, PurePath) else path


def _is_row(item: object) -> bool:
    return isinstance(item, Row)


def _is_text(item: object) -> bool:
    """Return whether an item is a text that is not blank and can be written to a file, as any name on the disk can."""
    if not isinstance(item, str) or not item.strip():
        return False
    try:
        item.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_whole(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _is_time(item: object) -> bool:
    return item is None or _is_number(item, 0, LATEST)


def _is_number(item: Any, least: float, most: float) -> bool:
    number: Any = item if isinstance(item, Real) else None
    return number is not None and not isinstance(number, bool) and bool(least <= number <= most)


def checked_shares(name: str, said: object) -> dict[str, float]:
    """Return what the metric of a benchmark said, if it is numbers from 0 to 1 by name; raises PluginError if not."""
    if not isinstance(said, Mapping):
        raise PluginError(f"benchmark '{name}' measured {said!r:.80}, not numbers by name")
    found: dict[str, float] = {}
    for key, value in said.items():
        if not isinstance(key, str) or not key.strip() or written_out(key) != key:
            raise PluginError(f"benchmark '{name}' measured {key!r:.80}, which is no name in one line")
        number = value.item() if hasattr(value, "item") else value  # of NumPy or torch
        if not _is_number(number, -SLACK, 1 + SLACK):
            raise PluginError(f"benchmark '{name}' measured {value!r:.80} as '{key:.80}', not a number from 0 to 1")
        found[key] = min(max(float(number), 0.0), 1.0)
    return found
