"""`descriptors`: texts about action classes that others have published, in the layouts of OST and FROSTER."""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

import maxi_core
from maxi_core import Expander, Failed, UsageError, hookimpl
from maxi_core.texts import name_key, tidy

MAXI_API = 1

Table = dict[str, tuple[str, tuple[str, ...]]]  # name_key of a class -> its name, its descriptors


def read_descriptors(file: Path, labels: Path | None) -> Table:
    """Read a JSON file of descriptors by class name, or by label id with the labels CSV.

    Raises UsageError, which names both sides, for ids that the CSV does not have and texts of another class.
    """
    document = _parsed(file)
    by_id = all(key.isdecimal() for key in document)
    if by_id and labels is None:
        raise UsageError(
            f"the keys of {file} are label ids, such as {next(iter(document))}",
            "name the CSV that says which is which: -o descriptors.labels=FILE",
        )
    names = read_labels(labels) if by_id and labels else {key: key for key in document}
    table: Table = {}
    for key, value in document.items():
        if key not in names:
            raise UsageError(f"{file} has label {key}, which is not in {labels}", "name the CSV of the same labels")
        name = tidy(names[key])
        if name_key(name) in table:
            raise UsageError(
                f"{file} speaks of '{name}' twice, of '{table[name_key(name)][0]}' too", "remove one of them"
            )
        table[name_key(name)] = (name, _texts(file, name, value, names))
    return table


def read_labels(path: Path) -> dict[str, str]:
    """Read a labels CSV, `id,name` with that header, as id -> name; raises UsageError that names the line."""
    rows = csv.DictReader(_text(path).splitlines())
    if [field.strip().lower() for field in rows.fieldnames or ()] != ["id", "name"]:
        raise UsageError(f"{path} is no labels CSV: its header is not id,name", "name a CSV with that header")
    rows.fieldnames = ["id", "name"]
    found: dict[str, str] = {}
    for row in rows:
        number = (row["id"] or "").strip()
        if not number.isdecimal() or not row["name"] or None in row:
            raise UsageError(f"{path}:{rows.line_num} is not of the form id,name", "correct that line")
        if number in found:
            raise UsageError(f"{path}:{rows.line_num} has label {number} a second time", "remove one of them")
        found[number] = row["name"]
    return found


def _parsed(file: Path) -> Mapping[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise UsageError(f"{file} has the key '{twice}' twice", "remove one of them")
        return dict(pairs)

    try:
        document = json.loads(_text(file), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}", "name a file of descriptors") from None
    if not isinstance(document, dict) or not document:
        raise UsageError(f"{file} is no JSON object with a key for each class", "name a file of descriptors")
    return document


def _texts(file: Path, name: str, value: object, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the texts of class `name`, one that begins with `its name:` without that; `names` are all classes."""
    if isinstance(value, str):
        head, colon, rest = value.partition(":")
        if (
            colon
            and name_key(head) != name_key(name)
            and name_key(head) in {name_key(other) for other in names.values()}
        ):
            raise UsageError(
                f"{file} says of '{name}' what begins with another class, '{head.strip()}'",
                "name the CSV of the same labels",
            )
        value = [rest if colon and name_key(head) == name_key(name) else value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{file}: '{name}' has neither a text nor a list of texts", "correct it")
    return tuple(dict.fromkeys(text for item in value if (text := tidy(item))))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read {path}: {why}", "name a text file") from None


class Descriptors(Expander):
    """Say what a file of published descriptors says of each action.

    JSON by class name, or by label id (OST, FROSTER) with the labels CSV; nobody is asked and nothing is paid.
    """

    name = "descriptors"

    class Options(maxi_core.Options):
        """Which files."""

        file: Path | None = Field(None, description="JSON of descriptors, by class name or label id")
        labels: Path | None = Field(None, description="labels CSV (id,name) for a file by label id")
        limit: int | None = Field(None, ge=1, description="descriptors of one action at most; none: all")

    options: Options

    def fingerprint(self) -> dict[str, str]:
        """Return a digest of the descriptors; raises UsageError, before any work, for files that are not right."""
        return {"table": hashlib.sha256(json.dumps(self._table, sort_keys=True).encode()).hexdigest()}

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the descriptors of each action; Failed for one that the file does not know."""
        return [self._texts(entry) for entry in entries]

    def _texts(self, entry: str) -> list[str] | Failed:
        if found := self._table.get(name_key(entry)):
            return list(found[1][: self.options.limit])
        near = get_close_matches(entry, [name for name, _ in self._table.values()], n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        return Failed(f"{self.options.file} has no descriptors of '{tidy(entry, 60)}'{hint}")

    @cached_property
    def _table(self) -> Table:
        if self.options.file is None:
            raise UsageError("descriptors has no file", "type -o descriptors.file=FILE")
        return read_descriptors(self.options.file, self.options.labels)


@hookimpl
def maxi_register_sources() -> Iterable[type[Expander]]:
    """Offer `descriptors`."""
    return [Descriptors]
