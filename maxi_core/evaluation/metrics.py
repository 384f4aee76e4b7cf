"""Metrics of zero-shot recognition on plain arrays: exact, with every rule for ties and gaps stated (method.md).

Scores are (n, C): a row for each video, a column for each class, higher is better. A video without an answer has a row
of minus infinity: it counts as wrong everywhere and never leaves the denominator.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = Sequence[Sequence[int]]


def ranks(scores: Array, labels: Sequence[int]) -> NDArray[np.int64]:
    """Return the place of each video's class, 1 for the best; C + 1 for a video without an answer.

    Of equal scores the class with the lower number is first. (scikit-learn's `top_k_accuracy_score` puts the higher
    number first; without ties the two agree.)
    """
    places = np.asarray(labels, dtype=np.int64)
    own = scores[np.arange(len(scores)), places][:, None]  # (n, 1)
    before = np.arange(scores.shape[1])[None] < places[:, None]
    rank = 1 + (scores > own).sum(axis=1) + ((scores == own) & before).sum(axis=1)
    places_of: NDArray[np.int64] = np.where(answered(scores), rank, scores.shape[1] + 1)
    return places_of


def answered(scores: Array) -> NDArray[np.bool_]:
    """Return which rows are answers: those with only finite scores, (n, C) -> (n,)."""
    return np.asarray(np.isfinite(scores).all(axis=1), dtype=np.bool_)


def top_k(rank: NDArray[np.int64], k: int, classes: int) -> float:
    """Return the share of videos whose class is among the best min(k, C); nan for no video."""
    return float((rank <= min(k, classes)).mean()) if len(rank) else float("nan")


def per_class(rank: NDArray[np.int64], labels: Sequence[int], classes: int) -> Array:
    """Return the top-1 accuracy of each class, (C,); nan for a class without videos."""
    places = np.asarray(labels, dtype=np.int64)
    total = np.bincount(places, minlength=classes).astype(np.float64)
    right = np.bincount(places[rank == 1], minlength=classes).astype(np.float64)
    shares: Array = np.divide(right, total, out=np.full(classes, np.nan), where=total > 0)
    return shares


def mean_class(rank: NDArray[np.int64], labels: Sequence[int], classes: int) -> float:
    """Return the mean of the classes' accuracies; classes without videos are left out (scikit-learn: balanced)."""
    accuracies = per_class(rank, labels, classes)
    return float(np.nanmean(accuracies)) if np.isfinite(accuracies).any() else float("nan")


def confusion(scores: Array, labels: Sequence[int]) -> NDArray[np.int64]:
    """Return how often each class (row) was taken for each class (column), (C, C + 1); the last column: no answer."""
    classes = scores.shape[1]
    best = np.where(answered(scores), scores.argmax(axis=1), classes)  # argmax: the lowest number of equal scores
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (np.asarray(labels, dtype=np.int64), best), 1)
    return table


def average_precision(scores: Array, positive: NDArray[np.bool_]) -> float:
    """Return the average precision of one class, (n,) and (n,): the sum of precision x step in recall.

    Videos of equal score come in together, so no order of theirs matters (as in scikit-learn). nan without positives
    (scikit-learn says 0). A positive without an answer is never found.
    """
    return float(weighted_precision(scores, positive, np.ones(len(scores))))


def weighted_precision(scores: Array, positive: NDArray[np.bool_], weights: Array) -> float:
    """Return the average precision where a video counts `weights` times: what a bootstrap draws."""
    total = float((weights * positive).sum())
    if total == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum((weights * positive)[order])
    seen = np.cumsum(weights[order])
    last = np.append(ranked[1:] != ranked[:-1], True) & np.isfinite(ranked)  # of each group of equal scores
    found, seen = found[last], seen[last]
    steps = np.diff(found, prepend=0.0)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return float((steps * precision).sum() / total)


@dataclass(frozen=True)
class Precisions:
    """The average precision of each class, (C,), nan for a class without positives; their mean without those."""

    each: Array

    @property
    def mean(self) -> float:
        """The mean average precision."""
        return float(np.nanmean(self.each)) if np.isfinite(self.each).any() else float("nan")

    @property
    def left_out(self) -> int:
        """How many classes have no positives."""
        return int(np.isnan(self.each).sum())


def mean_average_precision(scores: Array, labels: Labels) -> Precisions:
    """Return the average precision of every class, macro (method.md, evaluation)."""
    positive = positives(labels, scores.shape[1])
    columns = range(scores.shape[1])
    return Precisions(np.array([average_precision(scores[:, place], positive[:, place]) for place in columns]))


def positives(labels: Labels, classes: int) -> NDArray[np.bool_]:
    """Return which video has which class, (n, C)."""
    table = np.zeros((len(labels), classes), dtype=np.bool_)
    for row, places in enumerate(labels):
        table[row, list(places)] = True
    return table


def softmax(logits: Array) -> Array:
    """Return the softmax over the last axis, in float64."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (divided by n - 1) over splits or seeds; 0 for a single one."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


# Whether two models differ: paired bootstrap over the same videos, or over classes and their videos, seeded.

DRAWS, LEVEL = 10_000, 0.95
DRAWS_OF_PRECISION = 1_000  # each sorts nothing again, but still goes through all videos and classes


@dataclass(frozen=True)
class Interval:
    """A difference, second minus first, and the percentile interval of its bootstrap."""

    difference: float
    low: float
    high: float


def paired_interval(
    pairs: Sequence[tuple[Array, Array]], *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> Interval:
    """Return the interval of the difference of two means over the same videos, (n,) and (n,) for each split.

    Videos are drawn anew with replacement, both models' values together; over several splits the mean of the splits'
    differences. Of n equal draws only how often each value occurs matters, so a draw costs no more than the number of
    distinct differences.
    """
    total, point = np.zeros(draws), 0.0
    for number, (first, second) in enumerate(pairs):
        values, counts = np.unique(second - first, return_counts=True)
        rng = np.random.default_rng([seed, number])
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=draws)  # (draws, distinct values)
        total += drawn @ values / counts.sum() / len(pairs)
        point += float((second - first).mean()) / len(pairs)
    return _interval(point, total, level)


def by_class(first: Array, second: Array, classes: Sequence[Hashable]) -> dict[Hashable, tuple[Array, Array]]:
    """Return both models' values of the videos of each class, (n,) each; `classes` (all videos,) are in their order."""
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(classes):
        places.setdefault(name, []).append(place)
    return {name: (first[own], second[own]) for name, own in places.items()}


def two_level_interval(
    pairs: Sequence[Mapping[Hashable, tuple[Array, Array]]], *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> Interval:
    """Return the interval of the difference of two means over videos of classes that are a draw too.

    A split is a class -> both models' values of its videos, (n,) and (n,); see `by_class`. Classes are drawn anew with
    replacement, and the videos of each class that was drawn anew within it, each time that it was drawn. So the
    interval speaks of other classes of the kind, where `paired_interval` speaks of other videos of these. With few
    classes (six, say) it is rather too narrow: an interval of percentiles knows no more classes than there are. Over
    several splits the mean of the splits' differences.
    """
    total, point = np.zeros(draws), 0.0
    for number, classes in enumerate(pairs):
        differences = [second - first for first, second in classes.values()]
        rng = np.random.default_rng([seed, number])
        times = rng.multinomial(len(differences), np.full(len(differences), 1 / len(differences)), size=draws)
        sums, videos = np.zeros(draws), np.zeros(draws)
        for often, own in zip(times.T, differences, strict=True):
            values, counts = np.unique(own, return_counts=True)
            sums += rng.multinomial(often * len(own), counts / len(own)) @ values  # (draws, distinct values)
            videos += often * len(own)
        total += sums / videos / len(pairs)
        point += float(np.concatenate(differences).mean()) / len(pairs)
    return _interval(point, total, level)


def precision_interval(
    first: Array,
    second: Array,
    positive: NDArray[np.bool_],
    *,
    draws: int = DRAWS_OF_PRECISION,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Return the interval of the difference of two mean average precisions, scores (n, C) of the same videos."""
    rng = np.random.default_rng([seed, 0])
    videos = len(first)
    weights = rng.multinomial(videos, np.full(videos, 1 / videos), size=draws).astype(np.float64)  # (draws, n)
    everyone = np.ones((1, videos))
    ours, theirs = (_precisions(scores, positive, np.vstack([everyone, weights])) for scores in (first, second))
    differences = np.nanmean(theirs - ours, axis=1)
    return _interval(float(differences[0]), differences[1:], level)


def _precisions(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Return the weighted average precision of each class for each row of weights, (draws, C)."""
    columns = [_column(scores[:, place], positive[:, place], weights) for place in range(scores.shape[1])]
    return np.stack(columns, axis=1)


def _column(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Return `weighted_precision` of one class for every row of weights at once, (draws,)."""
    if not positive.any():
        return np.full(len(weights), np.nan)
    if len(weights) == 1:
        return np.array([weighted_precision(scores, positive, weights[0])])
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True) & np.isfinite(ranked)
    found = np.cumsum((weights * positive)[:, order], axis=1)[:, last]
    seen = np.cumsum(weights[:, order], axis=1)[:, last]
    steps = np.diff(found, prepend=0.0, axis=1)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    total = (weights * positive).sum(axis=1)
    sums = (steps * precision).sum(axis=1)
    shares: Array = np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0)
    return shares


def _interval(point: float, draws: Array, level: float) -> Interval:
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(point, float(low), float(high))
