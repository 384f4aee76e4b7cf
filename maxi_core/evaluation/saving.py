"""The files of an evaluation: scores.json, predictions, tables by class, skip records (method.md, files)."""

import csv
import io
import logging
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.errors import UsageError
from maxi_core.evaluation import metrics
from maxi_core.evaluation.evaluating import ModelScores
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.records import wrong_in
from maxi_core.evaluation.scoring import SCHEMA, TOP, Result
from maxi_core.system.files import check_replaceable, parsed_json, to_json, write_lines, write_text
from maxi_core.system.remote_folders import Upload
from maxi_core.system.replacing import refuse_foreign
from maxi_core.system.text_files import check_regular
from maxi_core.system.urls import is_remote
from maxi_core.types import Failed
from maxi_core.video.skips import skip_record, to_line

log = logging.getLogger("maxi")

SCORES, SKIPPED = "scores.json", "skipped.jsonl"
MARKS = {  # what stands in each file that lies beside the scores
    "predictions-*.jsonl": b'"top": [',
    "classes-*.csv": b"id,name,videos,",
    "confusion-*.csv": b"true \\ taken for,",
    SKIPPED: b'"stage": "eval"',
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets run


def folder_name(model: str) -> str:
    """Return MODEL as the name of a folder: `ViT-B-16/openai` is `ViT-B-16-openai`, `runs/mine/x` is `mine-x`."""
    parts = [part for part in re.split(r"[/\\:]+", model) if part not in ("", ".", "..", "~", "checkpoints")]
    return re.sub(r"[^\w.+-]+", "-", "-".join(parts[-2:])) or "model"


def folders_for(names: Sequence[str], out: Path, protocol: Protocol) -> list[Path]:
    """Return a folder below `out` for each model; raises UsageError if two share one, or somebody's files are there.

    So it does for scores there that cannot be read, since others are to be added to them. Scores of other texts lie
    beside those of the paper's protocol, and not in their place.
    """
    ending = "" if protocol.texts is None else "+prompts"
    folders = [out / f"{folder_name(name)}{ending}" for name in names]
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            both = f"'{names[folders.index(folder)]}' and '{names[place]}'"
            raise UsageError(f"{both} would both be written to {folder}", "evaluate them with two --out")
        if not is_remote(folder):
            check_replaceable(folder / SCORES)
            if not read_scores(folder / SCORES, may_miss=True):
                _refuse_foreign(folder)
    return folders


def _refuse_foreign(folder: Path) -> None:
    """Raise UsageError for a folder with files of somebody that are called as those of an evaluation."""
    for pattern, mark in MARKS.items():
        for path in sorted(folder.glob(pattern)):
            refuse_foreign(path, mark, "file of maxi eval", "--out")


def save(scores: ModelScores, folder: Path) -> list[dict[str, Any]]:
    """Write what one model scored into its folder and return all records that scores.json has now.

    Records of the same benchmark are replaced; those of other benchmarks stay. Each file is written whole or not.
    """
    for result in scores.results:
        name = _file_name(result)
        result.record["predictions"] = f"predictions-{name}.jsonl"
        write_lines(folder / f"predictions-{name}.jsonl", _predictions(result))
        write_text(folder / f"classes-{name}.csv", _classes(result))
        if "top1" in result.metrics:
            write_text(folder / f"confusion-{name}.csv", _confusion(result))
    fresh = scores.records()
    replaced = {record["benchmark"] for record in fresh}
    for record in read_scores(folder / SCORES, may_miss=True):
        now = [one for one in fresh if (one["benchmark"], one["split"]) == (record["benchmark"], record["split"])]
        if now and record.get("list_sha256") != now[0].get("list_sha256"):
            log.warning("%s of %s had scores of another list, which are replaced", record["benchmark"], folder)
    kept = [record for record in read_scores(folder / SCORES, may_miss=True) if record["benchmark"] not in replaced]
    records = [*kept, *fresh]
    write_text(folder / SCORES, to_json(records, indent=1) + "\n")
    lines = {
        to_line(skip_record(str(video.path), failed, "eval")): None
        for result in scores.results
        for video, failed in result.skipped
    }
    write_lines(folder / SKIPPED, lines)
    return records


def take_over(place: Upload) -> None:
    """Take over scores that are on a server; scores of other benchmarks that are only here stay beside them.

    Raises UsageError for what is no scores.json there.
    """
    copy = place.folder / SCORES
    mine: list[dict[str, Any]] = []
    with suppress(UsageError):  # what was copied from there, and is right by now
        mine = read_scores(copy, may_miss=True)
    place.begin()
    try:
        theirs = read_scores(copy, may_miss=True)
    except UsageError as error:
        problem = error.problem.replace(str(copy), f"{place.at / SCORES}, copied to {copy},")
        raise UsageError(problem, "correct or remove both, or choose another --out") from None
    known = {record["benchmark"] for record in theirs}
    if more := [record for record in mine if record["benchmark"] not in known]:
        write_text(copy, to_json([*theirs, *more], indent=1) + "\n")


def read_scores(path: Path, *, may_miss: bool = False) -> list[dict[str, Any]]:
    """Return the records of a scores.json, or of the one in a folder; raises UsageError naming what is wrong."""
    path = path / SCORES if path.is_dir() else path
    check_regular(path)
    try:
        records = parsed_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if may_miss:
            return []
        raise UsageError(f"there are no scores at {path}", "name the scores.json of a maxi eval") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as scores: {error}", "name the scores.json of a maxi eval") from None
    if not isinstance(records, list):
        raise UsageError(f"{path} holds no scores", "name the scores.json of a maxi eval")
    for place, record in enumerate(records, 1):
        if isinstance(record, dict) and record.get("schema") != SCHEMA:
            raise UsageError(f"{path} is not of schema {SCHEMA}, which this maxi reads", "pip install -U maxi")
        if what := wrong_in(record):
            raise UsageError(f"{path} holds no scores: record {place}: {what}", "evaluate the model again: maxi eval")
    return [{**record, "from": str(path)} if not may_miss else record for record in records]


def _file_name(result: Result) -> str:
    return re.sub(r"[^\w.+-]+", "-", f"{result.split.benchmark}-{result.split.name}")


def _predictions(result: Result) -> Iterator[str]:
    split, scores = result.split, result.scores
    single = "top1" in result.metrics
    rank = metrics.ranks(scores, [sample.labels[0] for sample in split.samples]) if single else None
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    why = {id(video): failed for video, failed in result.skipped}
    for row, (sample, video) in enumerate(zip(split.samples, result.videos, strict=True)):
        failed: Failed | None = why.get(id(video))
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "video": sample.id,
            "path": sample.path,
            "file": str(video.path),
            "labels": [split.classes[place] for place in sample.labels],
            "ids": list(sample.labels),
            "top": [] if failed else [[split.classes[place], float(scores[row, place])] for place in order[row]],
        }
        if rank is not None:
            record["rank"] = int(rank[row])
        elif not failed:
            record["scores"] = [float(f"{value:.9g}") for value in scores[row]]
        if failed:
            record["skipped"] = failed.reason
        yield to_line(record)


def _classes(result: Result) -> str:
    split = result.split
    counts = np.bincount([place for sample in split.samples for place in sample.labels], minlength=len(split.classes))
    what = "accuracy" if "top1" in result.metrics else "average_precision"
    rows: list[list[object]] = [["id", "name", "videos", what, *(["group"] if result.groups else [])]]
    for place, name in enumerate(split.classes):
        value = result.by_class[place]
        rows.append([place, name, int(counts[place]), "" if math.isnan(value) else f"{value:.6f}"])
        rows[-1] += [result.groups[place]] if result.groups else []
    return to_csv(rows)


def _confusion(result: Result) -> str:
    table = metrics.confusion(result.scores, [sample.labels[0] for sample in result.split.samples])
    names = result.split.classes
    rows: list[list[object]] = [["true \\ taken for", *names, "(skipped)"]]
    rows += [[name, *map(int, table[place])] for place, name in enumerate(names)]
    return to_csv(rows)


def to_csv(rows: Sequence[Sequence[object]]) -> str:
    """Return a CSV in which no cell of text is a formula to a spreadsheet: such get a quote before them."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    for row in rows:
        table.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row])
    return out.getvalue()
