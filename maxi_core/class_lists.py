"""Lists of class names in the forms that people have them, for dictionaries, labels and benchmarks alike.

One name a line; numbered lines (`1 ApplyEyeMakeup`, `adult+female+singing,0`, `c000 Holding some clothes`, `- waving`);
CSV, TSV and JSON tables with a column of names; JSON lists, and objects of names and numbers; JSON lines. A line that
begins with # is a comment.
"""

import csv
import io
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from maxi_core.columns import NAME, NUMBER, VIDEO, YOUTUBE, find_column
from maxi_core.errors import UsageError
from maxi_core.system.files import parsed_json
from maxi_core.system.text_files import read_text
from maxi_core.texts import counted, name_key, without_brackets
from maxi_core.video.lists import is_video_name, parse_list_line

FIX = "write one name a line, or a table with the header id,name"
JSON = (".json", ".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
FOREIGN = (".html", ".htm", ".ini", ".md", ".pbtxt", ".py", ".toml", ".xml", ".yaml", ".yml")
MODEL = ("id2label", "label2id")  # of a Hugging Face config.json
EXCERPT = 60

_JSON = re.compile(r"""\{|\[\s*($|["'\[{\d])""")  # how one begins; `[Something] falling` is a name
_AHEAD = re.compile(
    r"(?P<code>[A-Za-z]{0,2})(?P<number>\d{1,30})(?P<gap>\s*[,;|\t=]\s*|[.):]\s*(?=[^\d\s])|\s+-\s+|\s+)(?P<name>.+)"
)
_BEHIND = re.compile(r"(?P<name>.*[^\s,;|:=])(?P<gap>\s*[,;|\t:=]\s*|\s+)(?P<number>\d{1,30})")
_BULLET = re.compile(r"(?P<gap>[-*\u2022])\s+(?P<name>.+)")
_QUOTED = re.compile(r"""(["'])(?P<name>.+)\1,?""")
_MARKUP = re.compile(r"<(!doctype|html|\?xml)|.*[{\[(]$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ClassName:
    """One name as its file has it, where it stands, and the number beside it if there is one."""

    name: str
    place: int
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ClassList:
    """The names of a file in its order; `unit` is what their places count: lines, or the entries of a JSON document."""

    path: Path
    names: list[ClassName]
    unit: str = "line"

    def wrong(self, place: int, what: str, fix: str = "correct it") -> UsageError:
        """Return the error for one place of the file."""
        return UsageError(f"{self.path}, {self.unit} {place}: {what}", fix)


def read_class_list(path: Path, *, numbered: bool = False) -> ClassList:
    """Return the names of a file of class names, whichever of the forms above it has.

    Names are stripped and have no quotes around them; in JSON, templates lose the brackets of their placeholders
    (Something-Something v2). Of a table of labelled videos each name comes once. Numbers with nothing but space
    between them and the names must count from 0 or 1, unless the file is known to be `numbered`. Raises UsageError for
    a file that cannot be read and for one whose names cannot be told from the rest of it.
    """
    text = read_text(path)
    if path.suffix.lower() in FOREIGN:
        _refuse(path, f"a {path.suffix.lower()} file is no list of names")
    lines = list(_kept(text))
    if path.suffix.lower() in JSON or (lines and _JSON.match(lines[0][1])):
        found = _from_json(path, text, lines)
    else:
        found = ClassList(path, _from_lines(path, text, lines, numbered=numbered))
    if any(is_video_name(parse_list_line(one.name)[0]) for one in found.names[:1]):
        _refuse(path, "this is a list of videos, and not of class names")
    return found


def _refuse(path: Path, what: str, line: int | None = None) -> NoReturn:
    raise UsageError(f"{path}{f', line {line}' if line else ''}: {what}", FIX)


def _kept(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of the lines that are neither blank nor a comment."""
    for number, raw in enumerate(io.StringIO(text, newline=None), start=1):  # every kind of line end
        line = raw.strip().strip("\ufeff\u200b").strip()
        if line and not line.startswith("#"):
            yield number, line


def _from_json(path: Path, text: str, lines: Sequence[tuple[int, str]]) -> ClassList:
    try:
        value = _parsed(text)
    except ValueError as whole:
        try:
            values = [_parsed(line) for _, line in lines]
        except ValueError:
            _refuse(path, f"this is not JSON ({whole})")
        return ClassList(path, _of_list(path, values, [number for number, _ in lines]))
    return ClassList(path, _of_value(path, value), "entry")


def _parsed(text: str) -> Any:
    """Return a JSON document; its objects are tuples of pairs, so that none is lost that comes twice."""
    return parsed_json(text, object_pairs_hook=tuple)


def _of_value(path: Path, value: Any) -> list[ClassName]:
    if isinstance(value, list):
        return _of_list(path, value, range(1, len(value) + 1))
    if isinstance(value, tuple) and value:
        keys, values = zip(*value, strict=True)
        by_name, by_number = ([_number(one) for one in side] for side in (values, keys))
        if None not in by_name:
            return [ClassName(_plain(key), place, by_name[place - 1]) for place, key in enumerate(keys, start=1)]
        if None not in by_number and all(isinstance(one, str) for one in values):
            return [ClassName(_plain(one), place, by_number[place - 1]) for place, one in enumerate(values, start=1)]
        column = find_column(keys, (*NAME, *MODEL))
        if column is not None and isinstance(values[column], (list, tuple)):
            return _of_value(path, values[column])
    _refuse(path, "this JSON is neither a list of names nor an object of names and numbers")


def _of_list(path: Path, values: Sequence[Any], places: Sequence[int]) -> list[ClassName]:
    if all(isinstance(one, str) for one in values):
        return [ClassName(_plain(one), place) for place, one in zip(places, values, strict=True)]
    if all(isinstance(one, tuple) and one for one in values):
        header = [key for key, _ in values[0]]
        rows = [[dict(one).get(key) for key in header] for one in values]
        return _of_table(path, header, list(zip(places, rows, strict=True)), "entry")
    kind = str if isinstance(values[0], str) else tuple
    odd = next(place for place, one in zip(places, values, strict=True) if not isinstance(one, kind) or not one)
    _refuse(path, f"entry {odd} is neither a name nor an object with a name")


def _plain(name: str) -> str:
    return without_brackets(name.strip().strip('"'))  # of Kinetics, some have quotes inside


def _number(value: object) -> int | None:
    """Return a class number, written as a number or as digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    written = value.strip() if isinstance(value, str) else ""
    return int(written) if written.isascii() and written.isdigit() and len(written) <= 30 else None


def _of_table(
    path: Path, header: Sequence[str], rows: Sequence[tuple[int, Sequence[Any]]], unit: str = "line"
) -> list[ClassName]:
    """Return the names of a table: of the first of its columns of names that does not hold numbers alone."""
    columns = [place for key in NAME if (place := find_column(header, (key,))) is not None]
    if not columns:
        _refuse(path, f"no column of '{_short(','.join(header))}' is called name or label")
    numbers = [place for place in columns if rows and all(_number(cells[place]) is not None for _, cells in rows)]
    name = next((place for place in columns if place not in numbers), None)
    if name is None:
        _refuse(path, f"the column '{header[columns[0]]}' has numbers and no names")
    number = find_column(header, NUMBER)
    number = next(iter(numbers), None) if number is None else number
    found = []
    for place, cells in rows:
        written = cells[name]
        if not isinstance(written, str):
            _refuse(path, f"{unit} {place} has no '{header[name]}' that is text")
        text = _plain(written) if unit == "entry" else written
        found.append(ClassName(text, place, None if number is None else _number(cells[number])))
    if find_column(header, (*VIDEO, *YOUTUBE)) is None and name_key(header[name]) != "template":
        return found
    first: dict[str, ClassName] = {}
    for one in found:
        first.setdefault(one.name, one)
    return list(first.values())


def _from_lines(path: Path, text: str, lines: list[tuple[int, str]], *, numbered: bool) -> list[ClassName]:
    if not lines:
        return []
    number, first = lines[0]
    if _MARKUP.match(first):
        _refuse(path, f"'{_short(first)}' does not begin a list of names", number)
    if is_video_name(parse_list_line(first)[0]):
        return [ClassName(first, number)]
    delimiter = _delimiter(path, first)
    if delimiter:
        header, *rows = _cells(path, text, delimiter)
        return _of_table(path, header[1], rows)
    if name_key(first) in NAME and len(lines) > 1:  # so the others are names, whatever they begin with
        return [ClassName(line, place) for place, line in lines[1:]]
    words = set(map(name_key, first.split()))
    if words <= {*NAME, *NUMBER} and words & {*NUMBER}:
        lines = lines[1:]
    lines = _without_commas(lines)
    for pattern in (_AHEAD, _BEHIND, _BULLET):
        if (found := _numbered(path, lines, pattern, any_numbers=numbered)) is not None:
            return found
    return _alone(path, lines)


def _delimiter(path: Path, first: str) -> str | None:
    """Return what separates the columns of a table that `first` is the header of; None if it is none."""
    table = TABLES.get(path.suffix.lower())
    for delimiter in "\t,;|":
        cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
        known = [name_key(cell) in (*NAME, *NUMBER, *VIDEO, *YOUTUBE) for cell in cells]
        if find_column(cells, NAME) is not None and (all(known) if table is None else any(known)) and len(cells) > 1:
            return delimiter
    return table if name_key(first) in NAME else None


def _cells(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of the rows of a table, the header first; all have as many cells as that."""
    file = io.StringIO(text.lstrip("\ufeff"), newline=None)
    uncommented = ("\n" if line.lstrip().startswith("#") else line for line in file)
    reader = csv.reader(uncommented, delimiter=delimiter, strict=True, skipinitialspace=True)
    header: list[str] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            header = header or cells
            if len(cells) != len(header):
                what = f"{counted(len(cells), 'column')} instead of {_short(','.join(header))}"
                fix = "put a name that holds a comma in double quotes"
                raise UsageError(f"{path}, line {reader.line_num}: {what}", fix)
            yield reader.line_num, cells
    except csv.Error as error:
        _refuse(path, f"this is not CSV ({error})", reader.line_num)


def _numbered(
    path: Path, lines: Sequence[tuple[int, str]], pattern: re.Pattern[str], *, any_numbers: bool
) -> list[ClassName] | None:
    """Return the names of lines that all have a number or mark of one kind beside them, None if they are of another.

    Numbers with nothing but space beside them are such if they count from 0 or 1, or `any_numbers` do. Raises
    UsageError for a line that lacks what most have, and for such numbers that do not count: `100 meter sprint` is a
    name.
    """
    matches = [pattern.fullmatch(line) for _, line in lines]
    found = [match.groupdict() for match in matches if match]
    if 2 * len(found) <= len(lines) or len({one.get("code") for one in found}) > 1:
        return None
    numbers = [int(one.get("number") or 0) for one in found]
    if not any_numbers and all(one["gap"].strip() == "" and "\t" not in one["gap"] for one in found):
        if len({one["name"] for one in found}) < len(found):
            return None  # only the numbers tell some apart, so they belong to the names: `step 1`, `step 2`
        counted = set(numbers) in ({*range(len(found))}, {*range(1, len(found) + 1)})
        if not counted and len(found) == len(lines) > 1:
            what = f"every line has a number, such as '{_short(lines[0][1])}', and they do not count from 0 or 1"
            raise UsageError(f"{path}: {what}", "write id,name or, if they belong to the names, name above them")
        if not counted:
            return None
    odd = next((place for place, match in enumerate(matches) if not match), None)
    if odd is not None:
        _refuse(path, f"'{_short(lines[odd][1])}' has no number or mark as the other lines", lines[odd][0])
    return [
        ClassName(_unquoted(one["name"]), place, number if one.get("number") else None)
        for (place, _), one, number in zip(lines, found, numbers, strict=True)
    ]


def _without_commas(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the lines without the comma or semicolon that ends each of them, except maybe the last, in code."""
    if len(lines) == 1 or not all(line[-1] in ",;" for _, line in lines[:-1]):
        return lines
    return [(place, line.rstrip(",; ")) for place, line in lines]


def _alone(path: Path, lines: Sequence[tuple[int, str]]) -> list[ClassName]:
    """Return lines that are names and nothing else; raises UsageError for a table without a header, and for marks."""
    quoted = all(_QUOTED.fullmatch(line) for _, line in lines)
    delimiter = TABLES.get(path.suffix.lower())
    table = [place for place, line in lines if (delimiter or "\t") in line]
    if not quoted and (table if delimiter else len(table) == len(lines)):
        _refuse(path, "there are several columns, and no header says which one has the names", table[0])
    for place, line in lines:
        if not line.strip(string.punctuation + " "):
            _refuse(path, f"'{_short(line)}' is no name", place)
    return [ClassName(_unquoted(line) if quoted else line, place) for place, line in lines]


def _unquoted(name: str) -> str:
    found = _QUOTED.fullmatch(name)
    return found["name"].replace('""', '"') if found else name


def _short(text: str) -> str:
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "..."
