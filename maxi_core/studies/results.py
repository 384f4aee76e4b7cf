"""What a study has found: a row for each variant, mean and deviation over seeds, differences, and published numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.clip.model_rules import Rule
from maxi_core.errors import UsageError
from maxi_core.evaluation.metrics import Interval, by_class, mean_and_deviation, two_level_interval
from maxi_core.evaluation.published import Published
from maxi_core.evaluation.records import RANKED, VOTED, Predictions, own_score, read_predictions
from maxi_core.evaluation.saving import read_scores
from maxi_core.plugin.catalog import Catalog
from maxi_core.studies.plan import Plan, Row
from maxi_core.studies.run import done, failure
from maxi_core.studies.steps import ScoreStep, accuracy_of
from maxi_core.studies.study import published_rows
from maxi_core.system.files import parsed_json
from maxi_core.texts import counted

SCHEMA, RECORD = 1, "study.json"
DEVIATION = "sample standard deviation (n - 1) over seeds, of the mean over splits"
INTERVAL = "95 %, bootstrap over classes and then the videos of each; of several seeds a video counts with its mean"


@dataclass(frozen=True)
class Cell:
    """One row on one benchmark, in percent: a score for each seed that is done, and the difference from the base.

    `difference` has no interval where the metric is no share of videos, as mAP: then `low` and `high` are None.
    """

    benchmark: str
    metric: str
    seeds: tuple[float, ...] = ()
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    published: tuple[Published, ...] = ()

    @property
    def mean(self) -> float | None:
        """The mean over seeds."""
        return mean_and_deviation(self.seeds)[0] if self.seeds else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation over seeds; None for fewer than two."""
        return mean_and_deviation(self.seeds)[1] if len(self.seeds) > 1 else None


@dataclass(frozen=True)
class Line:
    """One variant: `state` is done, partly done, failed, left out or not begun, `why` says why.

    `scores` are the folders of its scores (`maxi compare`), `models` its checkpoints, one for each seed that is done.
    """

    name: str
    title: str
    state: str
    why: str = ""
    cells: tuple[Cell, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """The table of a study; `base` is the name of the row that the others are held against, `file` where the study is.

    `file` is "" for one that ships, None where a record does not say it.
    """

    name: str
    title: str
    table: str
    about: str
    base: str
    seeds: tuple[int, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    file: str | None = None

    @property
    def failed(self) -> list[Line]:
        """The variants that failed."""
        return [line for line in self.lines if line.state == "failed"]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done."""
        return all(line.state in ("done", "left out") for line in self.lines)

    def as_record(self) -> dict[str, Any]:
        """Return it as study.json has it."""
        lines = []
        for line in self.lines:
            cells = [{**asdict(cell), "mean": cell.mean, "deviation": cell.deviation} for cell in line.cells]
            lines.append({**asdict(line), "cells": cells})
        return {"schema": SCHEMA, "deviation": DEVIATION, "interval": INTERVAL, **asdict(self), "lines": lines}


def read_record(path: Path) -> Results:
    """Return the results that a study.json, or the one in a folder, holds; raises UsageError naming what is wrong."""
    path = path / RECORD if path.is_dir() else path
    help = "name the folder of a maxi study"
    try:
        record = parsed_json(path.read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA:
            raise UsageError(f"{path} is not of schema {SCHEMA}, which this maxi reads", "pip install -U maxi")
        lines = tuple(map(_line_of, record["lines"]))
        kept = {key: record[key] for key in ("name", "title", "table", "about", "base")}
        return Results(
            **{key: str(value) for key, value in kept.items()},
            seeds=tuple(map(int, record["seeds"])),
            lines=lines,
            notes=tuple(map(str, record["notes"])),
            file=None if record.get("file") is None else str(record["file"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as a study: {type(error).__name__}: {error}", help) from None


def _line_of(said: Mapping[str, Any]) -> Line:
    name, title, state, why = (str(said[key]) for key in ("name", "title", "state", "why"))
    scores, models = (tuple(map(str, said[key])) for key in ("scores", "models"))
    return Line(name, title, state, why, tuple(map(_cell_of, said["cells"])), dict(said["facts"]), scores, models)


def _cell_of(said: Mapping[str, Any]) -> Cell:
    numbers = {key: None if said[key] is None else float(said[key]) for key in ("difference", "low", "high")}
    beside = tuple(Published(**one) for one in said["published"])
    return Cell(
        str(said["benchmark"]), str(said["metric"]), tuple(map(float, said["seeds"])), **numbers, published=beside
    )


def read_results(plan: Plan, out: Path, catalog: Catalog) -> Results:
    """Return what is known of a study now, of all variants and seeds that are done."""
    base = _hits(plan.base, out)
    lines = [_line(plan, row, out, catalog, base) for row in plan.rows]
    lines += [Line(name, name, "left out", why) for name, why in plan.left_out.items()]
    head = plan.study.head
    return Results(
        plan.study.name, head.title, head.table, head.about, plan.base.variant.name, plan.seeds, tuple(lines),
        plan.notes, plan.study.file,
    )  # fmt: skip


# benchmark -> split -> class -> (videos,), means over seeds
Hits = dict[str, dict[str, dict[str, np.ndarray[Any, Any]]]]


def _line(plan: Plan, row: Row, out: Path, catalog: Catalog, base: Hits) -> Line:
    ready = [step for step in row.scores if done(step, out) is not None]
    why = next((found for step in row.scores if (found := failure(step, out)) is not None), None)
    state, said = "done", ""
    if len(ready) < len(row.scores):
        state, said = ("partly done" if ready else "not begun"), f"{len(ready)} of {counted(len(row.scores), 'seed')}"
        if why is not None:
            state, said = ("left out" if why["refused"] and row.variant.about.optional else "failed"), why["message"]
    folders = [step.folder(out) for step in ready]
    models = tuple(str(step.of.model(out)) for step in ready if isinstance(step, ScoreStep) and step.of)
    cells = tuple(_cells(plan, row, folders, base, _hits(row, out))) if ready else ()
    return Line(
        row.variant.name, row.variant.title, state, said, cells, _facts(plan, row, out, catalog),
        tuple(map(str, folders)), models,
    )  # fmt: skip


def _cells(plan: Plan, row: Row, folders: Sequence[Path], base: Hits, hits: Hits) -> Iterator[Cell]:
    records = [{one["benchmark"]: one for one in _means(read_scores(folder))} for folder in folders]
    for benchmark in plan.benchmarks:
        found = [record[benchmark.name] for record in records if benchmark.name in record]
        if not found:
            continue
        metric, _ = own_score(found[0])
        scores = tuple(100 * own_score({**one, "metric": metric})[1] for one in found)
        against: Interval | None = None
        if row is not plan.base and base.get(benchmark.name) and hits.get(benchmark.name):
            against = _difference(base[benchmark.name], hits[benchmark.name])
        named = published_rows(plan.study.head, row.variant)
        beside = tuple(one for one in named if (one.benchmark, one.metric) == (benchmark.name, metric))
        if against is None:
            yield Cell(benchmark.name, metric, scores, published=beside)
        else:
            yield Cell(benchmark.name, metric, scores, against.difference, against.low, against.high, beside)


def _means(records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one record for each benchmark: that of the mean over splits where it has several."""
    for name in dict.fromkeys(str(one["benchmark"]) for one in records):
        own = [one for one in records if one["benchmark"] == name]
        mean = next((one for one in own if one["split"] == "mean"), own[0])
        if len(own) > 1 and mean["split"] != "mean":  # of a vote
            metric, _ = own_score(mean)
            value = float(np.mean([own_score({**one, "metric": metric})[1] for one in own]))
            mean = {**mean, "metrics": {metric: value}}
        yield {"metric": own_score(own[0])[0], **mean}


def _hits(row: Row, out: Path) -> Hits:
    """Return which videos a row names right, by benchmark, split and class; of several seeds the share of them."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for step in row.scores:
        if done(step, out) is None:
            continue
        for record in read_scores(step.folder(out)):
            if record["split"] == "mean" or own_score(record)[0] != "top1":
                continue
            lines = _predictions(step.folder(out), record, RANKED if isinstance(step, ScoreStep) else VOTED)
            named = {video: _named(one) for video, one in lines.items()}
            found.setdefault(record["benchmark"], {}).setdefault(record["split"], []).append(named)
    return {
        benchmark: {split: _of_seeds(seeds) for split, seeds in splits.items()} for benchmark, splits in found.items()
    }


def _predictions(folder: Path, record: Mapping[str, Any], needed: Mapping[str, Rule]) -> Predictions:
    path = folder / Path(record.get("predictions") or f"predictions-{record['benchmark']}-{record['split']}.jsonl").name
    try:
        return read_predictions(path, needed)
    except OSError as error:
        again = f"delete {folder}, and type the command again"
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", again) from None


def _named(line: Mapping[str, Any]) -> tuple[int, float]:
    """Return the class of a video, and whether it was named first; of a vote the chance of it."""
    return int(line["ids"][0]), float(line.get("right", line.get("rank") == 1))


def _of_seeds(seeds: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    videos = sorted(seeds[0])
    means = np.array([[one[video][1] for video in videos] for one in seeds]).mean(axis=0)
    classes = [str(seeds[0][video][0]) for video in videos]
    return {str(name): values for name, (values, _) in by_class(means, means, classes).items()}


def _difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> Interval | None:
    """Return the difference in percent; None for rows that were scored on other splits."""
    if base.keys() != other.keys():
        return None
    splits = [{name: (base[split][name], other[split][name]) for name in base[split]} for split in base]
    found = two_level_interval(splits)
    return Interval(100 * found.difference, 100 * found.low, 100 * found.high)


def _facts(plan: Plan, row: Row, out: Path, catalog: Catalog) -> dict[str, Any]:
    """Return what the bags of a row are like, and with true labels how many of its matches are right."""
    from maxi_core.bags.stats import named_labels

    said = done(row.bags, out) if row.bags is not None else None
    if row.bags is None or said is None:
        return {}
    facts = {"keep": row.keep, **said["facts"]}
    if plan.section.labels is not None:
        labels = named_labels(str(plan.section.labels), catalog)
        facts["right"] = accuracy_of(row.bags.folder(out), labels, row.keep)
    return facts
