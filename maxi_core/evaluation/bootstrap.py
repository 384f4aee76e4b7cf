"""Whether two models differ: paired bootstrap over the same videos, or over classes and their videos, seeded."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maxi_core.evaluation.metrics import Array, weighted_precision

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
