"""The table of the demonstration: top-1 by row and benchmark, over seeds, and the difference from raw CLIP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maxi_core.errors import MaxiError
from maxi_core.evaluation.metrics import Interval, by_class, mean_and_deviation, paired_interval, two_level_interval
from maxi_core.evaluation.records import LABELLED, read_predictions
from maxi_core.evaluation.saving import folder_name, read_scores
from maxi_core.studies.vote import right, votes
from maxi_sandbox.demo.commands import BENCHMARKS, BLIP, captions, scores, training, trainings

RAW, VOTE = "raw", "vote"
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
        for name in trainings(seeds):
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
    try:
        lines = read_predictions(folder / Path(record.get("predictions") or "predictions.jsonl").name, LABELLED)
    except OSError as error:
        raise MaxiError(f"{error.filename} cannot be read: {error.strerror or error}", "run maxi demo again") from None
    hits = {video: float(one["rank"] == 1) for video, one in lines.items()}
    return hits, {video: one["labels"][0] for video, one in lines.items()}


def _voted(out: Path, benchmark: str, labels: Mapping[str, str]) -> Hits:
    elected = votes(captions(out, benchmark), sorted(set(labels.values())), BLIP)
    return {video: right(elected[Path(video).name], label) for video, label in labels.items()}
