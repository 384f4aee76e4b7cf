"""The table of the demonstration: top-1 by model and benchmark, over seeds, and the difference from raw CLIP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maxi_core.demo.commands import BENCHMARKS, TRAININGS, scores, training
from maxi_core.errors import MaxiError
from maxi_core.evaluation.bootstrap import Interval, paired_interval
from maxi_core.evaluation.saving import folder_name, read_scores

RAW = "raw"


@dataclass(frozen=True)
class Cell:
    """Top-1 in percent of one kind of model on one benchmark: by seed, and against raw CLIP on the same videos.

    `difference` has the 95 % interval of a bootstrap over videos; of several seeds a video counts with its mean.
    """

    seeds: tuple[float, ...]
    difference: Interval | None

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.seeds))

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation over seeds; None for one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None


Table = Mapping[tuple[str, str], Cell]  # by (model, benchmark)


def read_table(out: Path, seeds: int) -> Table:
    """Return the table of a demonstration that was run; raises MaxiError for scores that are not there."""
    folders = {RAW: [scores(out) / folder_name("sandbox")]}
    for name in TRAININGS:
        folders[name] = [scores(out) / folder_name(str(training(out, name, seed))) for seed in range(seeds)]
    table = {}
    for benchmark in BENCHMARKS:
        raw = _hits(folders[RAW][0], benchmark)
        for name, own in folders.items():
            hits = [_hits(folder, benchmark) for folder in own]
            table[name, benchmark] = _cell(raw, hits, compared=name != RAW)
    return table


def _cell(raw: dict[str, float], hits: Sequence[dict[str, float]], *, compared: bool) -> Cell:
    means = tuple(100 * float(np.mean(list(one.values()))) for one in hits)
    if not compared:
        return Cell(means, None)
    videos = list(raw)
    first: NDArray[np.float64] = np.array([raw[video] for video in videos])
    second = np.mean([[one[video] for video in videos] for one in hits], axis=0)
    found = paired_interval([(first, second)])
    return Cell(means, Interval(100 * found.difference, 100 * found.low, 100 * found.high))


def _hits(folder: Path, benchmark: str) -> dict[str, float]:
    """Return 1 for each video that the model named right and 0 for each other one."""
    record = next((one for one in read_scores(folder) if one["benchmark"] == benchmark), None)
    if record is None:
        raise MaxiError(f"{folder} has no scores of {benchmark}", "run maxi demo again")
    lines = (folder / record["predictions"]).read_text(encoding="utf-8").splitlines()
    return {said["video"]: float(said["rank"] == 1) for said in map(json.loads, lines)}
