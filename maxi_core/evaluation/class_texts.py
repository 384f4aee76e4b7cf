"""Several texts for each class, of files: descriptions by a language model as FROSTER, OST and others distribute them.

What they give is no score of the paper's protocol: the record of a score says so, and every table marks it.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from maxi_core.columns import NAME, NUMBER, find_column
from maxi_core.errors import UsageError
from maxi_core.system.text_files import check_text, read_text
from maxi_core.texts import has_words, name_key, tidy

FORM = "{text}"
NAMES = NAME[1:]  # a template is a text here
DIGITS = 9  # of the number of a class
TABLES = {".csv": ",", ".tsv": "\t"}
FIX = 'write {"class name or number": ["text", "text"]}, or a table of names and texts'


@dataclass(frozen=True)
class ClassTexts:
    """Texts by the key of a class's name, and by its number from 0; `form` puts {text} and {name} together."""

    files: tuple[Path, ...]
    by_name: Mapping[str, tuple[str, ...]]
    by_number: Mapping[int, tuple[str, ...]]
    form: str = FORM

    @property
    def mark(self) -> str:
        """What marks a score in a table: `prompts ucf.json (1f2e3d4c)`, with a hash of the texts."""
        return f"prompts {'+'.join(path.name for path in self.files)} ({self.sha256[:8]})"

    @property
    def sha256(self) -> str:
        """The hash of the texts and the form."""
        said = json.dumps([sorted(self.by_name.items()), sorted(self.by_number.items()), self.form])
        return sha256(said.encode()).hexdigest()

    def record(self) -> dict[str, object]:
        """Return what scores.json says of them."""
        return {"files": [path.name for path in self.files], "form": self.form, "sha256": self.sha256}

    def of(self, names: Sequence[str]) -> list[list[str]]:
        """Return the texts of each class, by its name, or else by its place.

        Raises UsageError for a class without any, for numbers of another list of classes, and for a number whose text
        begins with the name of another class (`Archery: ...`).
        """
        files = " and ".join(map(str, self.files))
        keys = [name_key(name) for name in names]
        numbered = not all(key in self.by_name for key in keys) and bool(self.by_number)
        if numbered and not self.by_name and len(self.by_number) != len(names):
            raise UsageError(
                f"{files} has texts of {len(self.by_number)} classes by number, and there are {len(names)}",
                "name the file of this list of classes",
            )
        found = []
        for place, (name, key) in enumerate(zip(names, keys, strict=True)):
            texts = [*self.by_name.get(key, ()), *(self.by_number.get(place, ()) if numbered else ())]
            if not texts:
                raise UsageError(f"{files} has no text of the class '{name}'", "add one, by its name or its number")
            other = next((one for text in texts for one in _named(text, keys) if one != key), None)
            if numbered and other is not None:
                raise UsageError(
                    f"{files} has a text of '{names[keys.index(other)]}' under the number {place}, "
                    f"which is '{name}' here",
                    "the file is of another order of classes: name them in it",
                )
            found.append([self.form.replace("{text}", text).replace("{name}", name) for text in texts])
        return found

    def unused(self, names: Sequence[str]) -> list[str]:
        """Return what the files have texts of beside these classes."""
        keys = {name_key(name) for name in names}
        here = range(0 if keys <= self.by_name.keys() else len(names))
        return [key for key in self.by_name if key not in keys] + [str(n) for n in self.by_number if n not in here]


def _named(text: str, keys: Sequence[str]) -> list[str]:
    """Return the key of the class whose name a text begins with: `Archery: This video ...`."""
    head, colon, _ = text.partition(":")
    return [key] if colon and (key := name_key(head)) in keys else []


def read_class_texts(files: Iterable[Path], form: str = FORM) -> ClassTexts:
    """Read files of texts; those that several have of a class go together.

    A file is a JSON object {class name or number: text, texts, or tables of them}, a JSON list (by place), or a CSV or
    TSV whose rows are a class and its texts. Raises UsageError that names the file for anything else, and for a form
    without {text}.
    """
    if "{text}" not in form or set("{}") & set(form.replace("{text}", "").replace("{name}", "")):
        raise UsageError(
            f"the form '{form}' needs {{text}}, and may have {{name}}", "such as 'a video of {name}: {text}'"
        )
    by_name: dict[str, list[str]] = {}
    by_number: dict[int, list[str]] = {}
    for file in files:
        if not (rows := list(_rows(file))):
            raise UsageError(f"{file} has no texts of classes", FIX)
        for key, said in rows:
            texts = [text for one in said if has_words(text := tidy(one))]
            if not texts:
                raise UsageError(f"{file} has no text of '{key:.40}'", FIX)
            if key.isdecimal() and len(key) <= DIGITS:
                by_number.setdefault(int(key), []).extend(texts)
            else:
                by_name.setdefault(name_key(key), []).extend(texts)
    return ClassTexts(
        tuple(files),
        {key: tuple(dict.fromkeys(texts)) for key, texts in by_name.items()},
        {key: tuple(dict.fromkeys(texts)) for key, texts in by_number.items()},
        form,
    )


def _rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each class of a file, by name or number, with its texts."""
    check_text(file, "no file of texts")
    text = read_text(file)
    if (delimiter := TABLES.get(file.suffix.lower())) is not None:
        yield from _table(file, text, delimiter)
        return
    try:
        document: Any = json.loads(text, object_pairs_hook=_together)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}", FIX) from None
    if isinstance(document, list):
        yield from (_entry(file, place, one) for place, one in enumerate(document))
    elif isinstance(document, dict):
        yield from ((key, list(_flat(file, key, value))) for key, value in document.items())
    else:
        raise UsageError(f"{file} has no texts of classes", FIX)


def _together(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; what it has under one name twice goes together, as rows of one class do."""
    found: dict[str, object] = {}
    for name, value in pairs:
        found[name] = [found[name], value] if name in found else value
    return found


def _entry(file: Path, place: int, value: object) -> tuple[str, list[str]]:
    """Return the class and the texts of an entry of a list: the class that it names, or else its place."""
    key, said = str(place), value
    if isinstance(value, dict):
        named, others = _columns(list(value))
        cells = list(value.values())
        if named is not None and isinstance(cells[named], (str, int)):
            key, said = str(cells[named]), [cells[other] for other in others]
    return key, list(_flat(file, key, said))


def _flat(file: Path, key: str, value: object) -> Iterator[str]:
    """Yield the texts of a value: itself, or those of a list or table (`{"spatial": [...], "temporal": [...]}`)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _flat(file, key, one)
    else:
        raise UsageError(f"{file}: {value!r:.40} of '{key:.40}' is no text", FIX)


def _table(file: Path, text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [row for row in ([cell.strip() for cell in line] for line in lines) if any(row)]
    except csv.Error as error:
        raise UsageError(f"{file} is no table: {error}", FIX) from None
    key, others = 0, list(range(1, max(map(len, rows), default=0)))
    if rows and find_column(rows[0][:1], (*NAMES, *NUMBER)) is not None:
        (named, told), width = _columns(rows[0]), len(rows.pop(0))
        key, others = named or 0, [*told, *(place for place in others if place >= width)]
    for row in rows:
        yield row[key] if key < len(row) else "", [row[place] for place in others if place < len(row)]


def _columns(header: Sequence[str]) -> tuple[int | None, list[int]]:
    """Return the column that says which class, by its name if it can, and those of texts: numbers are none."""
    key = next((place for called in (NAMES, NUMBER) if (place := find_column(header, called)) is not None), None)
    return key, [place for place, cell in enumerate(header) if place != key and name_key(cell) not in NUMBER]
