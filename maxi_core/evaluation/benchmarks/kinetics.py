"""Kinetics as downloaded: CSV `label,youtube_id,time_start,time_end,split`; files `<id>_%06d_%06d.mp4` (SPEC 11)."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from maxi_core.evaluation.benchmarks.labels import Names
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing, Row, at, read_text

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_VALIDATION = ("val", "validate", "validation")


def official(files: Annotations, parts: Sequence[str], classes: Sequence[str] = ()) -> Listing | None:
    """Return the videos of the named parts (`val`, `test`, ...), of `classes` only if any are named; None without CSV.

    Every CSV of the folder with the columns of Kinetics is read.
    """
    wanted = {name for part in parts for name in (_VALIDATION if part in _VALIDATION else (part,))}
    tables = [path for path in files.find_all("*.csv") if _is_kinetics(path)]
    if not tables:
        return None
    rows = [(path, *row) for path in tables for row in _rows(path)]
    every = tuple(sorted({label for _, _, label, _, _ in rows})) if not classes else tuple(classes)
    names = Names(every, "the classes asked for")
    found: dict[str, Row] = {}
    for path, line, label, video, part in rows:
        place = names.find(label)
        if part not in wanted or place is None:
            continue
        if video in found and found[video].names != (every[place],):
            raise at(path, line, f"{video} is '{found[video].names[0]}' elsewhere and '{label}' here")
        found[video] = Row(f"{part}/{video}.mp4", (every[place],), line)
    return Listing(every, tuple(found.values()), tuple(tables)) if found else None


def _is_kinetics(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.readline(200).decode("utf-8", "replace").lstrip("\ufeff").strip().lower()
    return [cell.strip().strip('"') for cell in header.split(",")][:4] == list(COLUMNS[:4])


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line, label, name of the file without its ending, part)."""
    table = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    for row in table:
        line = table.line_num
        label, video = (row.get("label") or "").strip(), (row.get("youtube_id") or "").strip()
        try:
            start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
        except (KeyError, TypeError, ValueError):
            raise at(path, line, f"'{video}' has no start and end in seconds") from None
        if not label or not video:
            raise at(path, line, "a row without label or youtube_id")
        part = (row.get("split") or "").strip().lower() or ("val" if "val" in path.stem.lower() else "test")
        yield line, label, f"{video}_{start:06d}_{end:06d}", part
