"""The part of a report that is of a training: its curves, validation, what it was made of."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from maxi_core.bags.manifest import finished, read_manifest
from maxi_core.errors import UsageError
from maxi_core.reporting.part import Part, made_of
from maxi_core.system.files import read_json
from maxi_core.training.metrics_log import LARGEST, SMOOTH, read_through, running_mean

METRICS, NOT_FINITE = "metrics.jsonl", "nonfinite.json"
POINTS = 300  # of a curve at most, each of as many equal runs of steps
SMOOTHED = ("loss", "norm", "videos_per_s", "data_wait")  # shown as running means, with the steps behind them
CURVES = {
    "loss": "Loss",
    "lr": "Learning rate",
    "sigma": "Temperature sigma",
    "norm": "Norm of the gradient",
    "videos_per_s": "Videos a second",
    "data_wait": "Share of the time that waits for data",
}


def training_part(run: Path) -> Part:
    """Read what a training has written; metrics that are gone or damaged are named on the page.

    Raises UsageError for other files that cannot be read.
    """
    manifest = read_manifest(run)
    records, missing = _metrics(run / METRICS, manifest)
    not_finite = _not_finite(run, missing)
    steps = [one for one in records if "val" not in one]
    values = {
        "kind": "training",
        "name": str(run),
        "steps": len(steps),
        "videos": steps[-1].get("videos") if steps else None,
        "epochs": 1 + max((_number(one.get("epoch")) or 0 for one in steps), default=-1),
        "left_out": sum(one.get("skipped") is True for one in steps),
        "speed": _median(steps, "videos_per_s"),
        "wait": _median(steps, "data_wait"),
        "curves": [(title, curve, _ends(steps, key)) for key, title in CURVES.items() if (curve := _curve(steps, key))],
        "validation": _validation(records),
        "not_finite": not_finite,
        "missing": missing,
        "seed": settings.get("seed") if isinstance(settings := manifest.get("settings"), Mapping) else None,
        "checkpoint": str(manifest.get("checkpoint") or ""),
        "best": _best(manifest.get("best")),
        "made_of": made_of(run, manifest, ("settings", "model", "counts", "versions")),
    }
    return Part(values)


def _metrics(path: Path, manifest: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of the steps that can be read, and what is gone or damaged."""
    done = finished(manifest)
    records, damage = read_through(path, finished=done)
    if damage:
        return records, [f"{path.name}: {damage}"]
    taken, last = manifest.get("steps"), max((one["step"] for one in records if "val" not in one), default=0)
    if not done or (last and not (isinstance(taken, int) and last < taken)):
        return records, []
    if not path.is_file():
        return records, [f"{path.name}: it is not there"]
    ends = f"it ends with step {last}" if last else "it has no step"
    return records, [f"{path.name}: {ends}, and the training is finished"]


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and abs(value) < LARGEST else None


def _points(steps: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(one["step"], value) for one in steps if (value := _number(one.get(key))) is not None]


def _median(steps: Sequence[Mapping[str, Any]], key: str) -> float | None:
    points = _points(steps, key)
    return median(value for _, value in points) if points else None


def _ends(steps: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Return the first, smallest, largest and last value."""
    found = [value for _, value in _points(steps, key)]
    return [found[0], min(found), max(found), found[-1]]


def _curve(steps: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float, float, float]]:
    """Return (step, value, smallest, largest) of equal runs of steps; [] without numbers.

    Step and value are those at the end of each, the value of what is `SMOOTHED` the running mean there.
    """
    points = _points(steps, key)
    shown = [value for _, value in points]
    if key in SMOOTHED:
        shown = running_mean(shown, max(1, round(SMOOTH * len(shown))))
    width = math.ceil(len(points) / POINTS) or 1
    found: list[tuple[float, float, float, float]] = []
    for start in range(0, len(points), width):
        values = [value for _, value in points[start : start + width]]
        end = start + len(values) - 1
        found.append((points[end][0], shown[end], min(values), max(values)))
    return found


def _validation(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[int, float]]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for one in records:
        scores = one.get("val")
        for name, value in scores.items() if isinstance(scores, Mapping) else ():
            if (number := _number(value)) is not None:
                found.setdefault(str(name), []).append((one["step"], number))
    return list(found.items())


def _best(best: object) -> str:
    return f"{best[0]} ({best[1]})" if isinstance(best, list) and len(best) == 2 else ""


def _not_finite(run: Path, missing: list[str]) -> dict[str, object]:
    try:
        return read_json(run / NOT_FINITE)
    except FileNotFoundError:
        return {}
    except UsageError as error:
        missing.append(error.problem.replace(f"{run / NOT_FINITE}", f"{NOT_FINITE}:", 1))
        return {}
