"""How well a heatmap finds something, and how much of the score hangs on what it finds."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Map = NDArray[np.float64]
STEPS = (4, 9, 18)  # patches of 36 that are taken away or put in: of few there is most to tell


def on_patches(mask: Map, rows: int, columns: int) -> Map:
    """Return which share of each patch a mask covers, (T, S, S) -> (T, rows, columns)."""
    side = mask.shape[-1]
    return mask.reshape(len(mask), rows, side // rows, columns, side // columns).mean(axis=(2, 4))


def auc(found: Map, covered: Map) -> float:
    """Return the chance that a pixel of the mask ranks above one outside (ties count half), mean over frames.

    `found` and `covered` are (T, rows, columns); all pixels of a patch rank alike. Frames without the mask drop out.
    """
    return auc_within(found, covered, np.ones_like(covered))


def auc_within(found: Map, part: Map, whole: Map) -> float:
    """Return `auc` of the pixels of `whole` alone: whether those of `part` rank above its others."""
    values = []
    for one, inside, outside in zip(found, part, np.clip(whole - part, 0, None), strict=True):
        above = np.sign(one.ravel()[:, None] - one.ravel()[None, :])
        pairs = inside.ravel() @ above @ outside.ravel()
        values.append(_share(pairs, inside.sum() * outside.sum()))
    return 0.5 + 0.5 * _mean(values)


def lift(found: Map, covered: Map) -> float:
    """Return the mean of the map in the mask over its mean in the frame, after each frame's map goes from 0 to 1."""
    values = []
    for one, inside in zip(found, covered, strict=True):
        high = one - one.min()
        values.append(_share((high * inside).sum(), inside.sum() * high.mean()) if high.max() > 0 else 1.0)
    return _mean(values)


def pointing(found: Map, mask: Map) -> float:
    """Return the share of frames whose highest patch has its centre on the mask (T, S, S)."""
    hits, (rows, columns), side = [], found.shape[1:], mask.shape[-1]
    for one, pixels in zip(found, mask, strict=True):
        row, column = divmod(int(one.argmax()), columns)
        down, across = (int((place + 0.5) * side / count) for place, count in ((row, rows), (column, columns)))
        hits.append(float(pixels[down - 1 : down + 1, across - 1 : across + 1].mean() >= 0.5))
    return _mean(hits) if mask.any() else float("nan")


def changed(frames: Tensor, empty: Tensor, found: Map) -> tuple[Tensor, Tensor]:
    """Return the clips of deletion and of insertion, frames (T, 3, S, S) -> (STEPS, T, 3, S, S) each.

    Deletion puts the highest patches of each frame out of `empty` (3, S, S); insertion has only these of the frame.
    """
    count, side = len(frames), frames.shape[-1]
    rows, columns = found.shape[1:]
    ranks = np.argsort(np.argsort(-found.reshape(count, -1), axis=1, kind="stable"), axis=1).reshape(found.shape)
    large = torch.from_numpy(ranks).repeat_interleave(side // rows, 1).repeat_interleave(side // columns, 2)
    away = torch.stack([large < step for step in STEPS])[:, :, None]  # (STEPS, T, 1, S, S)
    return torch.where(away, empty, frames), torch.where(away, frames, empty)


def deletion_and_insertion(
    frames: Tensor, empty: Tensor, orders: dict[str, Map], score: Callable[[Tensor], Map]
) -> dict[str, tuple[float, float]]:
    """Return for each map the mean score of its clips of deletion and of insertion; `score` takes all clips at once."""
    clips = [part for found in orders.values() for part in changed(frames, empty, found)]
    scores = score(torch.cat(clips)).reshape(len(orders), 2, len(STEPS)).mean(axis=2)
    return {name: (float(one[0]), float(one[1])) for name, one in zip(orders, scores, strict=True)}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
