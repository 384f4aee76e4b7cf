"""Runs side by side with each other and with the published numbers: rows of one table, in any format."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.benchmark import METRICS
from maxi_core.evaluation.metrics import (
    Interval,
    by_class,
    paired_interval,
    positives,
    precision_interval,
    two_level_interval,
)
from maxi_core.evaluation.published import TABLES, published
from maxi_core.evaluation.records import RANKED, VIDEO, Predictions, own_score, read_predictions
from maxi_core.evaluation.saving import read_scores, to_csv
from maxi_core.texts import counted

TITLES = {"top1": "top-1", "top5": "top-5", "mean_class": "mean class", "map": "mAP", "map_cosine": "mAP (cosine)"}
Over = Literal["videos", "classes"]
SAME = ("prompt", "names", "frames", "views", "normalisation", "precision")


@dataclass(frozen=True)
class Line:
    """One score in percent: of which benchmark and metric, whose, and how it differs from the first run's.

    `forgetting` is how the run differs from the first one on a benchmark that training should not move.
    """

    benchmark: str
    metric: str
    who: str
    value: float
    deviation: float | None = None
    interval: Interval | None = None
    source: str = ""
    forgetting: Interval | None = None


@dataclass(frozen=True)
class Compared:
    """The lines, grouped by benchmark and metric, runs before published numbers; and what makes runs unlike."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def compare(
    scores: Sequence[Path],
    *,
    metrics: Sequence[str] = ("top1", "top5", "map"),
    tables: Sequence[str] = ("1", "2"),
    seed: int = 0,
    over: Over = "videos",
    forgetting: str | None = None,
) -> Compared:
    """Compare the runs of several scores.json (or folders with one); the first is what the others are held against.

    Differences have paired bootstrap intervals (95 %) where the two runs are of the same videos and their predictions
    are there; `over` classes, classes are drawn too, and then the videos of each (top-1 and top-5 of videos with one
    label; no interval for other metrics). A benchmark's own published metric is always among the metrics. `tables`
    names the published tables that are put beside (`published.TABLES`; none for none). `forgetting` names a benchmark
    of all runs whose difference from the first run, in its own metric, stands beside each score. Raises UsageError for
    files that are no scores and for unknown metrics, tables and benchmarks.
    """
    _check("draw over", [over], get_args(Over))
    runs = [_Run(path, read_scores(path)) for path in scores]
    _check("metric", metrics, dict.fromkeys((*METRICS, *(name for run in runs for name in run.metrics))))
    _check("table", tables, TABLES)
    names = _names(runs)
    lines: list[Line] = []
    benchmarks = list(dict.fromkeys(name for run in runs for name in run.benchmarks))
    forgotten = [_forgotten(run, runs[0], forgetting, benchmarks, seed, over) for run in runs]
    for benchmark in benchmarks:
        own_metric = (name for run in runs if (name := run.record(benchmark).get("metric")) not in (None, *METRICS))
        for metric in dict.fromkeys((*metrics, *own_metric)):
            own = [
                replace(_line(run, name, benchmark, metric, runs[0], seed, over), forgetting=lost)
                for run, name, lost in zip(runs, names, forgotten, strict=True)
                if metric in run.record(benchmark).get("metrics", {})
            ]
            if own:
                lines += own
                lines += _published(benchmark, metric, tables)
    damaged = (what for run in runs for what in run.damaged)
    return Compared(tuple(lines), (*_unlike(runs, names, benchmarks), *damaged))


class _Run:
    """The records of one scores.json; `damaged` says which predictions could not be read."""

    def __init__(self, path: Path, records: Sequence[Mapping[str, Any]]) -> None:
        if not records:
            raise UsageError(f"{path} holds no scores", "name the scores.json of a maxi eval")
        self.folder = path if path.is_dir() else path.parent
        self.records, self.damaged = records, dict[str, None]()
        self.benchmarks = list(dict.fromkeys(record["benchmark"] for record in records))

    @property
    def metrics(self) -> list[str]:
        return [name for record in self.records for name in record["metrics"]]

    @property
    def model(self) -> str:
        return str(self.records[0]["model"]) if self.records else str(self.folder)

    def splits(self, benchmark: str) -> list[Mapping[str, Any]]:
        return [one for one in self.records if one["benchmark"] == benchmark and one["split"] != "mean"]

    def record(self, benchmark: str) -> Mapping[str, Any]:
        """The record of the mean over splits, or of the only split; {} if the run has none of it."""
        own = [one for one in self.records if one["benchmark"] == benchmark]
        return next((one for one in own if one["split"] == "mean"), own[0] if own else {})

    def predictions(self, record: Mapping[str, Any], metric: str) -> Predictions | None:
        """The predictions of one split by video, None if the file is not there or damaged, which is noted."""
        path = self.folder / Path(record.get("predictions") or "").name
        try:
            return read_predictions(path, RANKED if metric in ("top1", "top5") else VIDEO)
        except UsageError as error:
            self.damaged[f"no intervals: {error.problem}"] = None
        except OSError:
            pass
        return None


def _check(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"there is no {what} '{name}'", f"one of {', '.join(known)}")


def _names(runs: Sequence[_Run]) -> list[str]:
    """Return what each run is called: its model, with its folder where two have one model."""
    models = [run.model for run in runs]
    return [
        f"{model} ({run.folder})" if models.count(model) > 1 else model for model, run in zip(models, runs, strict=True)
    ]


def _line(run: _Run, name: str, benchmark: str, metric: str, first: _Run, seed: int, over: Over) -> Line:
    record = run.record(benchmark)
    value, deviation = record["metrics"][metric], (record.get("deviations") or {}).get(metric)
    interval = None if run is first else _interval(first, run, benchmark, metric, seed, over)
    name += f" [{record['prompt']}]" if record.get("prompts") else ""
    source = counted(record["n"], "video") + (f", {record['skipped']} skipped" if record.get("skipped") else "")
    shown = None if deviation is None else 100 * deviation
    return Line(benchmark, metric, name, float("nan") if value is None else 100 * value, shown, interval, source)


def _forgotten(
    run: _Run, first: _Run, benchmark: str | None, known: Sequence[str], seed: int, over: Over
) -> Interval | None:
    """Return the difference of a run from the first one on a benchmark, in percent; None for the first and for none."""
    if benchmark is None:
        return None
    _check("benchmark", [benchmark], known)
    for one in (first, run):
        if not one.record(benchmark):
            raise UsageError(f"{one.folder} has no scores on {benchmark}", f"maxi eval it on {benchmark}, too")
    if run is first:
        return None
    ours, theirs = first.record(benchmark), run.record(benchmark)
    metric, value = own_score(theirs)
    found = _interval(first, run, benchmark, metric, seed, over)
    gap = 100 * (value - own_score({**ours, "metric": metric})[1])
    return found or Interval(gap, float("nan"), float("nan"))


def _interval(first: _Run, second: _Run, benchmark: str, metric: str, seed: int, over: Over) -> Interval | None:
    """Return the bootstrap of second minus first in percent, or None if the two cannot be paired."""
    ours, theirs = ({one["split"]: one for one in run.splits(benchmark)} for run in (first, second))
    if not ours or ours.keys() != theirs.keys():
        return None
    pairs = []
    for split, record in ours.items():
        if record.get("list_sha256") != theirs[split].get("list_sha256"):
            return None
        own, other = first.predictions(record, metric), second.predictions(theirs[split], metric)
        if own is None or other is None or own.keys() != other.keys():
            return None
        pairs.append((own, other))
    if metric in ("top1", "top5"):
        return _percent(_right(pairs, {"top1": 1, "top5": 5}[metric], seed=seed, over=over))
    if metric == "map" and len(pairs) == 1 and over == "videos":
        return _percent(_precision(*pairs[0], seed=seed))
    return None


def _right(pairs: Sequence[tuple[Predictions, Predictions]], most: int, *, seed: int, over: Over) -> Interval:
    """Return the bootstrap of the share of videos whose class is in the first `most` places."""
    values, classes = [], []
    for ours, theirs in pairs:
        first, second = (np.array([float(each[video]["rank"] <= most) for video in ours]) for each in (ours, theirs))
        values.append((first, second))
        classes.append([one["ids"][0] for one in ours.values()])
    if over == "classes":
        splits = [by_class(*split, names) for split, names in zip(values, classes, strict=True)]
        return two_level_interval(splits, seed=seed)
    return paired_interval(values, seed=seed)


def _precision(ours: Predictions, theirs: Predictions, *, seed: int) -> Interval | None:
    """Return the bootstrap of the mean average precision; None if the two runs number their classes differently."""
    if any(one["ids"] != theirs[video]["ids"] for video, one in ours.items()):
        return None
    width = max(len(one.get("scores", ())) for one in ours.values())
    first, second = (
        np.array([run[video].get("scores") or [-np.inf] * width for video in ours], dtype=np.float64)
        for run in (ours, theirs)
    )
    return precision_interval(first, second, positives([one["ids"] for one in ours.values()], width), seed=seed)


def _percent(interval: Interval | None) -> Interval | None:
    return interval and Interval(100 * interval.difference, 100 * interval.low, 100 * interval.high)


def _published(benchmark: str, metric: str, tables: Sequence[str]) -> list[Line]:
    return [
        Line(
            benchmark,
            metric,
            f"{one.method}{f' {one.setting}' if one.setting else ''}",
            one.value,
            one.deviation,
            None,
            f"table {one.table}",
        )
        for one in published()
        if one.table in tables and (one.benchmark, one.metric) == (benchmark, metric)
    ]


def _unlike(runs: Sequence[_Run], names: Sequence[str], benchmarks: Sequence[str]) -> list[str]:
    """Return what differs between the runs besides their weights, one line each."""
    notes = []
    for benchmark in benchmarks:
        having = [(name, run.record(benchmark)) for run, name in zip(runs, names, strict=True) if run.record(benchmark)]
        for key in SAME:
            values = {name: record.get(key) for name, record in having}
            if len({json.dumps(value) for value in values.values()}) > 1:
                said = ", ".join(f"{name}: {value}" for name, value in values.items())
                notes.append(f"{benchmark}: {key} differs ({said})")
        lists = {
            json.dumps([one.get("list_sha256") for one in run.splits(benchmark)])
            for run in runs
            if run.splits(benchmark)
        }
        if len(lists) > 1:
            notes.append(f"{benchmark}: the runs are of different videos or labels")
    return notes


# A table as Markdown, CSV or LaTeX, with whatever is in a cell escaped.

HEADER = ("benchmark", "metric", "who", "score", "against the first", "source")
FORGETTING = "forgetting"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''",
}  # fmt: skip


def cells(line: Line) -> tuple[str, ...]:
    """Return a line as text, in the order of HEADER, and what was forgotten if that was asked for."""
    value = "-" if math.isnan(line.value) else f"{line.value:.1f}"
    spread = "" if line.deviation is None else f"±{line.deviation:.1f}"
    row = line.benchmark, TITLES.get(line.metric, line.metric), line.who, value + spread, _gap(line.interval)
    return (*row, line.source, *([_gap(line.forgetting)] if line.forgetting else []))


def _gap(found: Interval | None) -> str:
    if found is None:
        return ""
    between = "" if math.isnan(found.low) else f" [{found.low:+.1f}, {found.high:+.1f}]"
    return f"{found.difference:+.1f}{between}"


def _rows(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the header and the lines as text, all of one length."""
    header = (*HEADER, *([FORGETTING] if any(line.forgetting for line in lines) else []))
    return [header, *((*row, *[""] * (len(header) - len(row))) for row in map(cells, lines))]


def as_markdown(lines: Sequence[Line]) -> str:
    """Return a Markdown table."""
    rows = [tuple(_flat(cell).replace("|", "\\|") for cell in row) for row in _rows(lines)]
    text = [f"| {' | '.join(row)} |" for row in rows]
    ruler = f"|---|---|---|---:|---:|---|{'---:|' if len(rows[0]) > len(HEADER) else ''}"
    return "\n".join([text[0], ruler, *text[1:]]) + "\n"


def as_csv(lines: Sequence[Line]) -> str:
    """Return a CSV of numbers: value, deviation, difference and its interval in columns of their own."""
    kept = [f"{FORGETTING}{end}" for end in ("", "_low", "_high")] if any(line.forgetting for line in lines) else []
    rows: list[list[object]] = [
        [*("benchmark", "metric", "who", "value", "deviation", "difference", "low", "high", "source"), *kept]
    ]
    for line in lines:
        shown, lost = (
            ["" if number is None or math.isnan(number) else round(number, 4) for number in numbers]
            for numbers in ([line.value, line.deviation, *_numbers(line.interval)], _numbers(line.forgetting))
        )
        row = [_flat(line.benchmark), line.metric, _flat(line.who), *shown, _flat(line.source)]
        rows.append([*row, *(lost if kept else [])])
    return to_csv(rows)


def _numbers(found: Interval | None) -> tuple[float | None, ...]:
    return (found.difference, found.low, found.high) if found else (None,) * 3


def as_latex(lines: Sequence[Line]) -> str:
    """Return a LaTeX tabular, a rule between benchmarks."""
    header, *rows = _rows(lines)
    columns = "lllrrl" + "r" * (len(header) - len(HEADER))
    text = [rf"\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(header) + r" \\", r"\hline"]
    for place, row in enumerate(rows):
        if place and lines[place].benchmark != lines[place - 1].benchmark:
            text.append(r"\hline")
        text.append(" & ".join(_latex(place, cell) for place, cell in enumerate(row)) + r" \\")
    return "\n".join([*text, r"\hline", r"\end{tabular}"]) + "\n"


def _latex(place: int, cell: str) -> str:
    escaped = latex_text(cell)
    if (*HEADER, FORGETTING)[place] in ("score", "against the first", FORGETTING):
        return escaped.replace("-", "$-$")
    escaped = escaped.replace("--", "-{}-")  # else a dash
    return f"{{}}{escaped}" if place == 0 and escaped.startswith(("[", "*")) else escaped  # else of the row before


def latex_text(cell: str) -> str:
    """Return a text as LaTeX that shows it, in one line."""
    return "".join(_LATEX.get(letter, letter) for letter in _flat(cell))


def _flat(cell: str) -> str:
    """Return a cell on one line, without control characters and lone surrogates."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in cell).split())


FORMATS = {"markdown": as_markdown, "csv": as_csv, "latex": as_latex}
