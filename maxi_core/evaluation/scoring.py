"""From features to scores: one split under one model, with a record of all that the numbers depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import PluginError
from maxi_core.evaluation import metrics
from maxi_core.evaluation.benchmarks.benchmark import METRICS
from maxi_core.evaluation.benchmarks.checking import checked_shares
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, Split
from maxi_core.evaluation.features import Features
from maxi_core.evaluation.overlap import GROUPS, Group
from maxi_core.evaluation.protocol import Protocol
from maxi_core.plugin.calls import blamed
from maxi_core.prompts import fill, templates_of
from maxi_core.system.urls import in_urls
from maxi_core.types import Failed, Video
from maxi_core.version import __version__

SCHEMA = 1
TOP = 5


@dataclass(frozen=True)
class Result:
    """The scores of one split: the record for scores.json, and what belongs to each video and each class.

    `scores` (n, C), -inf where a video was skipped; `by_class` (C,) accuracy or average precision, nan without videos.
    """

    record: dict[str, Any]
    split: Split
    scores: metrics.Array
    by_class: metrics.Array
    videos: tuple[Video, ...]
    skipped: tuple[tuple[Video, Failed], ...]
    groups: tuple[Group, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics over all videos of the split."""
        values: dict[str, float] = self.record["metrics"]
        return values


def score_split(
    model: VideoCLIP,
    protocol: Protocol,
    benchmark: OpenedBenchmark,
    split: Split,
    videos: Sequence[Video],
    answers: Sequence[Features | Failed],
    texts: Features,
    groups: Sequence[Group] = (),
    decoder: str = "",
) -> Result:
    """Score one split: features (V, D) of each video against the class features (C, D), in float64.

    With one view a score is the cosine; with several the sum over views of the softmax of cosine / sigma. Where videos
    may have several labels it is always the softmax, and the precision by mean cosines stands beside (method.md).
    A skipped video counts as wrong; `metrics_answered` are those of the others, if any was skipped.
    """
    cosines, scores = _scores(answers, texts, 1 / model.sigma, softmax=benchmark.multi_label)
    labels = [sample.labels for sample in split.samples]
    skipped = tuple(
        (video, answer) for video, answer in zip(videos, answers, strict=True) if isinstance(answer, Failed)
    )
    found, by_class = _metrics(benchmark, scores, cosines, labels)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "benchmark": benchmark.name,
        "split": split.name,
        "metric": benchmark.metric,
        "metrics": found,
        **_counts(split, len(skipped), by_class),
    }
    if skipped:
        rest = [place for place, answer in enumerate(answers) if not isinstance(answer, Failed)]
        own = (scores[rest], cosines[rest], [labels[place] for place in rest])
        record["metrics_answered"] = _metrics(benchmark, *own)[0] if rest else {}
    if groups:
        record["groups"] = _by_group(benchmark, groups, labels, scores, by_class)
    record |= _circumstances(model, protocol, benchmark, split, decoder)
    return Result(record, split, scores, by_class, tuple(videos), skipped, tuple(groups))


def _counts(split: Split, skipped: int, by_class: metrics.Array) -> dict[str, Any]:
    return {
        "n": len(split.samples),
        "skipped": skipped,
        "mostly_skipped": mostly(skipped, len(split.samples)),
        "classes": len(split.classes),
        "classes_without_videos": int(np.isnan(by_class).sum()),
    }


def mostly(skipped: int, videos: int) -> bool:
    """Whether more than half of the videos are skipped, so that a metric over all says little of the model."""
    return 2 * skipped > videos


def _scores(
    answers: Sequence[Features | Failed], texts: Features, scale: float, *, softmax: bool
) -> tuple[metrics.Array, metrics.Array]:
    """Return cosines (mean over views) and scores, both (n, C)."""
    names = texts.astype(np.float64).T  # (D, C)
    cosines = np.full((len(answers), names.shape[1]), -np.inf)
    scores = cosines.copy()
    for row, answer in enumerate(answers):
        if isinstance(answer, Failed):
            continue
        seen = answer.astype(np.float64) @ names  # (V, C)
        cosines[row] = seen.mean(axis=0)
        scores[row] = metrics.softmax(scale * seen).sum(axis=0) if softmax or len(seen) > 1 else seen[0]
    return cosines, scores


def _metrics(
    benchmark: OpenedBenchmark, scores: metrics.Array, cosines: metrics.Array, labels: Sequence[tuple[int, ...]]
) -> tuple[dict[str, float], metrics.Array]:
    found, by_class = _of_the_core(benchmark, scores, cosines, labels)
    return {**found, **(_own(benchmark, scores, labels) if benchmark.measure else {})}, by_class


def _own(benchmark: OpenedBenchmark, scores: metrics.Array, labels: Sequence[tuple[int, ...]]) -> dict[str, float]:
    """Return what the benchmark's own metric says; raises PluginError for what is no share by a name of its own."""
    assert benchmark.measure is not None
    with blamed(benchmark.ref, "when it was asked for its metric"):
        said = checked_shares(benchmark.ref, benchmark.measure(scores.copy(), list(labels)))
    if taken := [name for name in said if name in METRICS]:
        raise PluginError(f"benchmark '{benchmark.ref}' measured '{taken[0]}', which is a metric of the core")
    if benchmark.metric not in (*METRICS, *said):
        raise PluginError(f"benchmark '{benchmark.ref}' did not measure its metric '{benchmark.metric}'")
    return said


def _of_the_core(
    benchmark: OpenedBenchmark, scores: metrics.Array, cosines: metrics.Array, labels: Sequence[tuple[int, ...]]
) -> tuple[dict[str, float], metrics.Array]:
    classes = scores.shape[1]
    if benchmark.multi_label:
        by_softmax = metrics.mean_average_precision(scores, labels)
        by_cosine = metrics.mean_average_precision(cosines, labels)
        return {"map": by_softmax.mean, "map_cosine": by_cosine.mean}, by_softmax.each
    single = [places[0] for places in labels]
    rank = metrics.ranks(scores, single)
    found = {
        "top1": metrics.top_k(rank, 1, classes),
        "top5": metrics.top_k(rank, 5, classes),
        "mean_class": metrics.mean_class(rank, single, classes),
    }
    return found, metrics.per_class(rank, single, classes)


def _by_group(
    benchmark: OpenedBenchmark,
    groups: Sequence[Group],
    labels: Sequence[tuple[int, ...]],
    scores: metrics.Array,
    by_class: metrics.Array,
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for group in GROUPS:
        places = [place for place, other in enumerate(groups) if other == group]
        if not places:
            continue
        rows = [row for row, own in enumerate(labels) if set(own) & set(places)]
        values = by_class[places]
        mean = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        found[group] = {"classes": len(places), "n": len(rows)}
        if benchmark.multi_label:
            found[group]["map"] = mean
        else:
            rank = metrics.ranks(scores[rows], [labels[row][0] for row in rows])
            found[group] |= {"top1": metrics.top_k(rank, 1, scores.shape[1]), "mean_class": mean}
    return found


def _circumstances(
    model: VideoCLIP, protocol: Protocol, benchmark: OpenedBenchmark, split: Split, decoder: str
) -> dict[str, Any]:
    """Return everything that moves a score (method.md, files)."""
    about = model.about
    many = benchmark.multi_label or protocol.views != "1x1"
    return {
        **_shown(protocol, split.classes),
        "names": benchmark.spelling,
        "protocol": protocol.chosen and protocol.chosen.record(),
        "frames": protocol.frames,
        "views": protocol.views,
        "score": "softmax" if many else "cosine",
        "sigma": model.sigma,
        "image_size": model.image_size,
        "normalisation": model.normalisation,
        "statistics": [list(part) for part in model.statistics],
        "precision": protocol.precision,
        "device": model.device.type,
        "decoder": decoder,
        "temporal": model.temporal and dict(model.temporal),
        "model": model.name,
        "checkpoint": in_urls(str(model.checkpoint)) if model.checkpoint else None,
        "weights_sha256": model.identity,
        "started_from": about.get("started_from", {}).get("name"),
        "recipe_sha256": about.get("recipe_sha256"),
        "step": about.get("step"),
        "ensemble": about.get("ensemble"),
        "dictionary": about.get("dictionary"),
        "seed": about.get("seed"),
        "list_sha256": split.sha256,
        "published_n": split.published,
        "files": [path.name for path in split.files[:4]],
        "notes": list(split.notes),
        "version": __version__,
    }


def _shown(protocol: Protocol, classes: Sequence[str]) -> dict[str, Any]:
    """Return how class names were shown: in a prompt, or by texts of files, which no table mixes with that."""
    if protocol.texts is None:
        templates = templates_of(protocol.prompt)
        example, mark = fill(templates[0], classes[0]), protocol.prompt
        return {"prompt": mark, "prompts": None, "templates": len(templates), "example": example}
    texts = protocol.texts.of(classes)
    said = protocol.texts.record()
    return {"prompt": protocol.texts.mark, "prompts": said, "templates": len(texts[0]), "example": texts[0][0]}


def mean_record(results: Sequence[Result]) -> dict[str, Any]:
    """Return the record of the mean over splits, with the sample standard deviation over them beside it."""
    first = results[0].record
    values = {name: [result.metrics[name] for result in results] for name in first["metrics"]}
    both = {name: metrics.mean_and_deviation(list(each)) for name, each in values.items()}
    same = {
        key: value for key, value in first.items() if all(result.record.get(key) == value for result in results[1:])
    }
    counts = {key: sum(result.record[key] for result in results) for key in ("n", "skipped")}
    counts["mostly_skipped"] = any(result.record["mostly_skipped"] for result in results)
    record = {
        **same,
        "split": "mean",
        "splits": [result.split.name for result in results],
        "metrics": {name: mean for name, (mean, _) in both.items()},
        "deviations": {name: deviation for name, (_, deviation) in both.items()},
        **counts,
    }
    order = ["schema", "benchmark", "split", "splits", "metrics", "deviations", *counts]
    return {key: record[key] for key in [*order, *(key for key in record if key not in order)]}
