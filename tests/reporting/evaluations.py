"""Folders of trainings and evaluations to be shown: scores of an evaluation are saved as it saves them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.evaluation import metrics
from maxi_core.evaluation.benchmarks.splits import Sample, Split
from maxi_core.evaluation.evaluating import ModelScores
from maxi_core.evaluation.saving import save
from maxi_core.evaluation.scoring import Result
from maxi_core.types import Failed, Video

CLASSES = ("juggling balls", "=SUM(A1)", "<i>chess</i>")


def write_training(run: Path, steps: int = 40, **manifest: object) -> Path:
    """Write what a training leaves: a loss that falls, one step that was left out, a validation."""
    run.mkdir(parents=True)
    records: list[dict[str, Any]] = [
        {"step": step, "epoch": (step - 1) // 20, "loss": 2 / step, "lr": 0.001, "sigma": 0.02, "norm": 1.0,
         "videos": 32 * step, "videos_per_s": 100.0 + step, "data_wait": 0.25, "skipped": False}
        for step in range(1, steps + 1)
    ]  # fmt: skip
    if steps:
        records[2] |= {"loss": None, "norm": None, "skipped": True}
        records.append({"step": steps, "epoch": 1, "val": {"ucf101 top1": 0.5}})
    (run / "metrics.jsonl").write_text("".join(json.dumps({"schema": 1, **record}) + "\n" for record in records))
    if manifest:
        (run / "manifest.json").write_text(json.dumps({"steps": steps, **manifest}))
    (run / "recipe.toml").write_text('[train]\nname = "</pre><script>document.title=1</script>"\n')
    return run


def write_scores(
    folder: Path,
    model: str,
    scores: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    videos: Path,
    skipped: int = 0,
) -> Path:
    """Save the scores (n, C) of one split as `maxi eval` does; the last `skipped` videos could not be used."""
    array = np.array(scores, dtype=np.float64)
    array[len(array) - skipped :] = -np.inf
    samples = tuple(Sample(f"clip {place}.mp4", f"clip {place}.mp4", (label,)) for place, label in enumerate(labels))
    split = Split("ucf101", "1", CLASSES, samples, ())
    rank = metrics.ranks(array, labels)
    each = metrics.per_class(rank, labels, len(CLASSES))
    record = {
        "schema": 1, "benchmark": "ucf101", "split": "1", "metric": "top1", "model": model, "n": len(labels),
        "metrics": {"top1": metrics.top_k(rank, 1, 3), "top5": 1.0}, "skipped": skipped, "frames": 16,
        "groups": {"novel": {"classes": 3, "n": len(labels), "top1": 0.5}}, "files": ["split.txt"], "list_sha256": "x",
    }  # fmt: skip
    all_videos = tuple(Video(sample.id, videos / sample.path) for sample in samples)
    lost = tuple((video, Failed("no such file")) for video in all_videos[len(all_videos) - skipped :])
    result = Result(record, split, array, each, all_videos, lost, ("novel",) * 3)
    save(ModelScores(None, (result,)), folder)  # type: ignore[arg-type]
    return folder
