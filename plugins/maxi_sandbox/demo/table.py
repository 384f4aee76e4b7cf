"""The table of the demonstration: top-1 by row and benchmark, over seeds, and the difference from raw CLIP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maxi_core.errors import MaxiError
from maxi_core.evaluation.metrics import Interval, by_class, mean_and_deviation, paired_interval, two_level_interval
from maxi_core.evaluation.saving import folder_name, read_scores
from maxi_core.studies.vote import right, votes
from maxi_sandbox.demo.commands import BENCHMARKS, FULL, TRAININGS, captions, scores, training

RAW = "raw"
VOTE, CAPTIONER = "vote", "blip"
Hits = Mapping[str, float]  # video -> 1 if the model named it right, 0 if not, a share for a tie of votes


@dataclass(frozen=True)
class Cell:
    """Top-1 in percent of one row on one benchmark: by seed, and against raw CLIP on the same videos.

    `difference` has the 95 % interval of a paired bootstrap over the videos, `over_verbs` that of a bootstrap over the
    verbs and then the videos of each; `gains` are the differences by verb. Of several seeds a video counts with its
    mean. A vote has one score, whatever the seeds; raw CLIP has no difference.
    """

    seeds: tuple[float, ...]
    difference: Interval | None = None
    over_verbs: Interval | None = None
    gains: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return mean_and_deviation(self.seeds)[0]

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation over seeds; None for one score."""
        return mean_and_deviation(self.seeds)[1] if len(self.seeds) > 1 else None


Table = Mapping[tuple[str, str], Cell]  # by (row, benchmark)


def read_table(out: Path, seeds: int) -> Table:
    """Return the table of a demonstration that was run; raises MaxiError for scores that are not there."""
    table = {}
    for benchmark in BENCHMARKS:
        raw, labels = _answers(scores(out) / folder_name("sandbox"), benchmark)
        table[RAW, benchmark] = Cell((_percent(raw),))
        for name in TRAININGS:
            folders = [scores(out) / folder_name(str(training(out, name, seed))) for seed in range(seeds)]
            table[name, benchmark] = _cell(raw, [_answers(folder, benchmark)[0] for folder in folders], labels)
        table[VOTE, benchmark] = _cell(raw, [_voted(out, benchmark, labels)], labels)
    return table


def _cell(raw: Hits, hits: Sequence[Hits], labels: Mapping[str, str]) -> Cell:
    first = np.array([raw[video] for video in labels])
    second = np.mean([[one[video] for video in labels] for one in hits], axis=0)
    verbs = by_class(first, second, list(labels.values()))
    paired, both = paired_interval([(first, second)]), two_level_interval([verbs])
    gains = {str(verb): 100 * float((after - before).mean()) for verb, (before, after) in verbs.items()}
    return Cell(tuple(_percent(one) for one in hits), _scaled(paired), _scaled(both), gains)


def _percent(hits: Hits) -> float:
    return 100 * float(np.mean(list(hits.values())))


def _scaled(found: Interval) -> Interval:
    return Interval(100 * found.difference, 100 * found.low, 100 * found.high)


def _answers(folder: Path, benchmark: str) -> tuple[Hits, Mapping[str, str]]:
    """Return for each video whether the model named it right, and what is right."""
    record = next((one for one in read_scores(folder) if one["benchmark"] == benchmark), None)
    if record is None:
        raise MaxiError(f"{folder} has no scores of {benchmark}", "run maxi demo again")
    lines = [json.loads(line) for line in (folder / record["predictions"]).read_text(encoding="utf-8").splitlines()]
    return {one["video"]: float(one["rank"] == 1) for one in lines}, {one["video"]: one["labels"][0] for one in lines}


def _voted(out: Path, benchmark: str, labels: Mapping[str, str]) -> Hits:
    elected = votes(captions(out, benchmark), sorted(set(labels.values())), CAPTIONER)
    return {video: right(elected[Path(video).name], label) for video, label in labels.items()}


# What the demonstration must show, as checks on its table: what text bags teach with the loss `mil_nce_instance`.

NOVEL_GAIN, SAME_GAIN = 8.0, 3.0  # points of top-1


@dataclass(frozen=True, slots=True)
class Gate:
    """One claim, what was found, and whether it holds."""

    claim: str
    found: str
    holds: bool


def gates(table: Table, model: str = FULL) -> list[Gate]:
    """Return the gates: novel verbs and same verbs against raw CLIP, captions against the dictionary alone.

    They speak of the row of all sources; `model` asks the same of another row. Intervals are over videos.
    """
    novel, same = table[model, "sandbox-novel"].difference, table[model, "sandbox-same"].difference
    assert novel is not None
    assert same is not None
    full, alone = table[model, "sandbox-novel"].seeds, table["dictionary", "sandbox-novel"].seeds
    lifts = [one - other for one, other in zip(full, alone, strict=True)]
    return [
        Gate(
            f"novel verbs: all sources at least {NOVEL_GAIN:.0f} points above raw CLIP, interval over videos above 0",
            f"{novel.difference:+.1f} [{novel.low:+.1f}, {novel.high:+.1f}]",
            novel.difference >= NOVEL_GAIN and novel.low > 0,
        ),
        Gate(
            f"same verbs, new scenes: all sources at least {SAME_GAIN:.0f} points above raw CLIP",
            f"{same.difference:+.1f} [{same.low:+.1f}, {same.high:+.1f}]",
            same.difference >= SAME_GAIN,
        ),
        Gate(
            "novel verbs: replies and captions above the dictionary alone, with every seed",
            ", ".join(f"{lift:+.1f}" for lift in lifts),
            min(lifts) > 0,
        ),
    ]
