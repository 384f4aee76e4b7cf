"""The lists of videos that people have: plain lists with or without labels, CSV, TSV, JSON and JSON lines."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from maxi_core.columns import list_columns
from maxi_core.errors import UsageError, nearest
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.text_files import excerpt
from maxi_core.system.urls import is_remote
from maxi_core.texts import counted
from maxi_core.video.annotations import is_annotations, read_annotations

ENDINGS = "3g2|3gp|asf|avi|divx|f4v|flv|m2ts|m2v|m4v|mkv|mov|mp4|mpe|mpeg|mpg|mts|mxf|ogv|rm|rmvb|ts|vob|webm|wmv|y4m"
EXTENSIONS = frozenset(f".{ending}" for ending in ENDINGS.split("|"))
COLUMNS = ("path", "id", "start", "end")

_FRAMES = re.compile(r"(\S+)[ \t]+\d+(?:[ \t]+\d+)+[ \t]*")  # of mmaction2: folder, number of frames, labels
_OF_URL = re.compile(rf"(.*?\.(?:{ENDINGS})(?:\?\S*)?)((?:[ \t]+-?[0-9]+)*)[ \t]*", re.IGNORECASE)
_LABELLED = re.compile(rf"(.*\.(?:{ENDINGS}))((?:[ \t]+-?[0-9]+)*)[ \t]*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list: where it stands, the path as written, an id if it has its own, and a window in seconds.

    Where `named` is false, the path is the name of a file that has yet to be found, without its ending.
    """

    line: int
    path: str
    id: str | None = None
    start: float | None = None
    end: float | None = None
    named: bool = True


def is_video_name(name: str) -> bool:
    """Whether the name ends like that of a video, in any case."""
    return Path(name).suffix.lower() in EXTENSIONS


def parse_list_line(line: str) -> tuple[str, tuple[int, ...]]:
    """Split a line of a list into path and labels: `dir/my clip.mp4 3 17` -> ("dir/my clip.mp4", (3, 17)).

    Integers at the end, after a known extension of a video, are labels; all before them is the path, with its spaces.
    """
    found = (_OF_URL if is_remote(line) else _LABELLED).fullmatch(line)
    if found is None:
        return line, ()
    return found[1], tuple(int(label) for label in found[2].split())


def read_rows(source: Path) -> Iterator[Row]:
    """Yield the entries of a list file by its extension (.csv, .tsv, .jsonl, .ndjson, .json, else one path a line).

    Raises UsageError naming file and line for one that cannot be understood.
    """
    if is_annotations(source):
        for one in read_annotations(source):
            yield Row(one.entry, one.path, None, one.start, one.end, one.named)
        return
    readers = {".csv": _from_csv, ".tsv": _from_csv, ".jsonl": _from_json, ".ndjson": _from_json}
    read = readers.get(source.suffix.lower(), _from_list)
    try:
        # Names that are not UTF-8 come back as the bytes that they are; only "\n" ends a line, whatever is in a name.
        with source.open(
            encoding="utf-8-sig", errors="surrogateescape", newline="" if read is _from_csv else "\n"
        ) as file:
            yield from read(source, file)
    except RemoteError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read the list {source}: {error.strerror or error}") from error


def wrong(source: Path, line: int, what: str, fix: str = "correct the line") -> UsageError:
    """Return the error for one line of a list, or one entry of a JSON document."""
    return UsageError(f"{source}, {'entry' if is_annotations(source) else 'line'} {line}: {what}", fix)


def _from_list(source: Path, file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        text = line.removesuffix("\n").removesuffix("\r")
        if not text.strip():
            continue
        path, labels = parse_list_line(text)
        if not labels and (folder := _FRAMES.fullmatch(text)) and (source.parent / folder[1]).is_dir():
            raise wrong(
                source, number, f"'{excerpt(folder[1])}' is a folder of frames, and maxi reads videos", "name those"
            )
        yield Row(number, path)


def _from_csv(source: Path, file: TextIO) -> Iterator[Row]:
    rows = csv.reader(file, delimiter="\t" if source.suffix.lower() == ".tsv" else ",", strict=True)
    names: list[str] = []
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise wrong(source, rows.line_num, f"this is not a row of a table ({error})") from error
        if cells is None:
            return
        if not names:
            names = _header(source, cells)
        elif any(cells):
            if len(cells) != len(names):
                raise wrong(
                    source,
                    rows.line_num,
                    f"{counted(len(cells), 'cell')} under {counted(len(names), 'column')}",
                    "quote the commas",
                )
            yield _row(source, rows.line_num, dict(zip(names, cells, strict=True)))


def _header(source: Path, cells: list[str]) -> list[str]:
    names = list(list_columns(tuple(cells)))
    if "path" not in names and "id" not in names:
        hint = "".join(nearest(name, ("path", "id")) for name in names[:1])
        raise wrong(
            source,
            1,
            f"the header has no column 'path' or 'id'{hint}",
            f"name the columns, out of {', '.join(COLUMNS)}",
        )
    return names


def _from_json(source: Path, file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise wrong(source, number, f"this is not JSON ({error})") from error
        if not isinstance(values, dict):
            raise wrong(source, number, "this is not a JSON object", 'write {"path": "..."} on each line')
        yield _row(source, number, dict(zip(list_columns(tuple(values)), values.values(), strict=True)))


def _row(source: Path, line: int, values: Mapping[str, object]) -> Row:
    own = values.get("id") or None
    path = values.get("path") or own
    if not isinstance(path, str) or not isinstance(own, str | None):
        raise wrong(source, line, "there is neither a path nor an id in it", "write at least one, as text")
    start, end = (_seconds(source, line, key, values.get(key)) for key in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise wrong(source, line, f"the end ({end:g} s) is not after the start ({start or 0:g} s)")
    return Row(line, path, own, start, end)


def _seconds(source: Path, line: int, key: str, value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or isinstance(value, bool):
        raise wrong(
            source, line, f"{key} is {excerpt(repr(value))}, not a time", "write seconds from the beginning of the file"
        )
    return number
