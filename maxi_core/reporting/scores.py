"""The part of a report that is of evaluations: against each other and the published numbers, by class, by video."""

import csv
import heapq
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from maxi_core.evaluation.comparing import HEADER, TITLES, cells, compare
from maxi_core.evaluation.saving import FORMULA, read_scores
from maxi_core.reporting.part import Look, Part, Wish
from maxi_core.texts import Spelling
from maxi_core.types import Video

MATRIX = 40  # classes of a confusion matrix that is shown whole
PAIRS = 20  # confusions that are listed
SHOWN = 6  # best and worst videos of a split
GUESSES = 5
SETTINGS = (
    *("prompt", "example", "names", "frames", "views", "score", "normalisation", "image_size", "precision"),
    *("device", "decoder"),
    *("temporal", "checkpoint", "weights_sha256", "started_from", "step", "ensemble", "dictionary", "seed", "files"),
    *("list_sha256", "published_n", "version", "notes"),
)

Row = dict[str, Any]


def scores_part(places: Sequence[Path]) -> Part:
    """Read the folders (or scores.json files) of evaluations; the first is what the others are compared with.

    Raises UsageError for files that are no scores. What else an evaluation has written and is not there any more, or
    is damaged, is named on the page.
    """
    found = compare(places)
    wishes: dict[int, Wish] = {}
    splits = [
        _split(place if place.is_dir() else place.parent, record, wishes)
        for place in places
        for record in read_scores(place)
        if record["split"] != "mean"
    ]
    values = {
        "kind": "scores",
        "name": ", ".join(map(str, places)),
        "heads": HEADER,
        "lines": [cells(line) for line in found.lines],
        "notes": found.notes,
        "splits": splits,
    }
    return Part(values, wishes)


def _split(folder: Path, record: Mapping[str, Any], wishes: dict[int, Wish]) -> Row:
    """Return all that one model scored on one split."""
    missing: list[str] = []
    name = Path(str(record.get("predictions", ""))).name.removeprefix("predictions-").removesuffix(".jsonl")
    videos = _videos(folder / f"predictions-{name}.jsonl", missing)
    best, worst = ([_shown(row, wishes, record) for row in rows] for rows in _extremes(videos))
    return {
        "model": record["model"],
        "label": f"{record['benchmark']}:{record['split']}",
        "n": record.get("n"),
        "skipped": record.get("skipped"),
        "mostly_skipped": record.get("mostly_skipped") is True,
        "metrics": [(TITLES.get(key, key), value) for key, value in record["metrics"].items()],
        "groups": _groups(record.get("groups")),
        "settings": {key: _plain(record[key]) for key in SETTINGS if record.get(key) not in (None, [], {})},
        "classes": _classes(folder / f"classes-{name}.csv", missing),
        "ranked": "top1" in record["metrics"],
        "best": best,
        "worst": worst,
        "missing": missing,
        **_confusion(folder / f"confusion-{name}.csv", missing, wanted="top1" in record["metrics"]),
    }


def _groups(groups: object) -> list[tuple[str, Any, Any, Any]]:
    """Return each group with its classes, videos and top-1, or mean average precision."""
    found = groups.items() if isinstance(groups, Mapping) else ()
    return [
        (str(name), values.get("classes"), values.get("n"), values.get("top1", values.get("map")))
        for name, values in found
        if isinstance(values, Mapping)
    ]


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(path: Path, missing: list[str]) -> list[list[str]]:
    """Return the rows of a CSV of ours, without the quotes that keep spreadsheets from running a cell."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [[cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell for cell in row]
                    for row in csv.reader(file)]  # fmt: skip
    except (OSError, ValueError, csv.Error) as error:
        missing.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")
        return []


def _classes(path: Path, missing: list[str]) -> list[Row]:
    """Return each class with its accuracy or average precision, best first; those without videos last."""
    found = []
    try:
        for _, name, videos, value, *group in _table(path, missing)[1:]:
            number = float(value) if value else None
            found.append({"name": name, "videos": int(videos), "value": number, "group": "".join(group)})
    except ValueError as error:
        missing.append(f"{path.name}: {error}")
    return sorted(found, key=lambda row: -1.0 if row["value"] is None else row["value"], reverse=True)


def _confusion(path: Path, missing: list[str], *, wanted: bool) -> Row:
    """Return the confusion matrix of a few classes, and the most frequent confusions."""
    head, *rows = (_table(path, missing) if wanted else []) or [[]]
    names, counts = head[1:], []
    try:
        counts = [[int(cell) for cell in row[1:]] for row in rows]
        pairs = [
            (count, rows[place][0], names[other], sum(row))
            for place, row in enumerate(counts)
            for other, count in enumerate(row)
            if count and other != place
        ]
    except (ValueError, IndexError) as error:
        missing.append(f"{path.name}: {error}")
        return {"matrix": None, "pairs": []}
    matrix = None
    if 0 < len(rows) <= MATRIX:
        lines = [
            (row[0], [(count, _shade(count, sum(each))) for count in each])
            for row, each in zip(rows, counts, strict=True)
        ]
        matrix = {"names": names, "rows": lines}
    return {"matrix": matrix, "pairs": heapq.nlargest(PAIRS, pairs, key=lambda pair: pair[0])}


def _shade(count: int, of: int) -> int:
    """Return which of ten shades a cell has: the share of the videos of its class, 0 for none."""
    return math.ceil(9 * count / of) if of else 0


def _videos(path: Path, missing: list[str]) -> Iterator[Row]:
    """Yield the predictions of the videos that could be used."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                    if row["top"]:
                        yield _video(row)
                except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
                    missing.append(f"{path.name}: line {number} is no prediction")
                    return
    except (OSError, ValueError) as error:
        missing.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")


def _video(row: Mapping[str, Any]) -> Row:
    top = [(str(name), float(score)) for name, score in row["top"][:GUESSES]]
    labels = [str(label) for label in row["labels"]]
    return {
        "video": str(row["video"]),
        "file": str(row.get("file", "")),
        "labels": labels,
        "top": top,
        "rank": int(row.get("rank", 0)),
        "right": top[0][0] in labels,
        "margin": top[0][1] - top[1][1] if len(top) > 1 else 0.0,
    }


def _extremes(videos: Iterator[Row]) -> tuple[list[Row], list[Row]]:
    """Return those that are right by the widest margin, and wrong with the right class last, by the widest margin."""
    rows = list(videos)
    right = heapq.nlargest(SHOWN, (row for row in rows if row["right"]), key=lambda row: row["margin"])
    wrong = heapq.nlargest(
        SHOWN, (row for row in rows if not row["right"]), key=lambda row: (row["rank"], row["margin"])
    )
    return right, wrong


def _shown(row: Row, wishes: dict[int, Wish], record: Mapping[str, Any]) -> Row:
    place = len(wishes)
    if row["file"]:
        wishes[place] = Wish(Video(row["video"], Path(row["file"])), look=_look(row, record))
    return {**row, "place": place if row["file"] else None}


def _look(row: Row, record: Mapping[str, Any]) -> Look | None:
    """Return the maps of the true class and the first one, against the other guesses; None if no model scored it."""
    said = [record.get(key) for key in ("model", "weights_sha256", "prompt")]
    frames, normalisation = record.get("frames"), record.get("normalisation")
    spelling = next((one for one in get_args(Spelling) if one == record.get("names")), None)
    if not all(said) or not isinstance(frames, int):
        return None
    if spelling is None or normalisation not in ("model", "imagenet"):
        return None
    names = [name for name, _ in row["top"]]
    texts = tuple(dict.fromkeys([*row["labels"][:1], names[0]]))
    others = tuple(name for name in names if name not in texts)
    model, identity, prompt = map(str, said)
    return Look(model, identity, texts, others, frames, prompt, spelling, normalisation)
