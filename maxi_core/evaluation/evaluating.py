"""The evaluation itself: models x benchmarks in one pass over the videos, each decoded once."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxi_core.bags.codecs import video_key
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.reading import Places
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, Split
from maxi_core.evaluation.features import Clock, Follow, encode_names, keyed, together, video_features
from maxi_core.evaluation.overlap import groups_of
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.scoring import Result, mean_record, score_split
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.ranks import ALONE, Ranks
from maxi_core.system.remote import is_folder
from maxi_core.types import Failed, Video
from maxi_core.video.archives import video_exists
from maxi_core.video.skips import SkipLog

Missing = Callable[[Split, Sequence[str]], None]


@dataclass(frozen=True)
class ModelScores:
    """All results of one model, in the order of benchmarks and splits."""

    model: VideoCLIP
    results: tuple[Result, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return the records of scores.json; after the splits of a benchmark, if it has several, their mean."""
        records: list[dict[str, Any]] = []
        for name in dict.fromkeys(result.split.benchmark for result in self.results):
            own = [result for result in self.results if result.split.benchmark == name]
            records += [result.record for result in own]
            if len(own) > 1:
                records.append(mean_record(own))
        return records


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found, model by model, and where its seconds went."""

    models: tuple[ModelScores, ...]
    clock: Clock


def evaluate(
    models: Sequence[VideoCLIP],
    benchmarks: Sequence[OpenedBenchmark],
    protocol: Protocol | None = None,
    *,
    reading: VideoOptions | None = None,
    store: Path | None = None,
    dictionary: Sequence[str] | None = None,
    ranks: Ranks = ALONE,
    follow: Follow = lambda _title, _total, items: iter(items),
    missing: Missing = lambda _split, _ids: None,
) -> Evaluated | None:
    """Evaluate every model on every benchmark (method.md, evaluation); None on other ranks than 0.

    Each distinct video is decoded once for all splits, benchmarks and models of one frame size, in worker processes
    that read ahead; each distinct list of class names is encoded once for each model. With a `store`, features are
    kept there and a stopped evaluation goes on. `dictionary`, the entries a model was trained with, adds scores by
    group (`overlap`). `missing` hears which videos are nowhere before any model works. Raises UsageError for
    benchmarks that cannot be placed, TooManySkippedError when more videos fail than `reading.max_skipped`.
    """
    protocol, reading = protocol or Protocol(), reading or VideoOptions()
    placed = place(benchmarks, reading, missing if ranks.first else lambda _split, _ids: None)
    every = (video for _, _, videos in placed for video in videos)
    videos = keyed(sorted(every, key=lambda video: not video_exists(video.path)))  # one missing is not yet hopeless
    clock, log = Clock(), SkipLog(None, reading.max_skipped, "eval")

    def told(video: Video, failed: Failed | None) -> None:
        log.use() if failed is None else log.skip(str(video.path), failed)

    own = {key: videos[key] for key in ranks.share(list(videos))}
    found = video_features(models, protocol, own, reading, store, follow=follow, told=told, clock=clock)
    log.finish()
    gathered = ranks.gather((found, clock))
    if not gathered:
        return None
    scored = tuple(
        ModelScores(model, tuple(_results(model, protocol, placed, ChainMap(*parts), dictionary, reading.decoder)))
        for model, *parts in zip(models, *(part for part, _ in gathered), strict=True)
    )
    return Evaluated(scored, together([one for _, one in gathered]))


def folder_of(benchmark: OpenedBenchmark) -> Path:
    """Return the folder of a benchmark's videos; raises UsageError if none was named or it is not there."""
    if benchmark.videos is None:
        raise UsageError(f"where are the videos of {benchmark.name}?", "name their folder with --videos")
    if not is_folder(benchmark.videos):
        raise UsageError(f"there is no folder of videos at {benchmark.videos}", "correct --videos")
    return benchmark.videos


def place(
    benchmarks: Sequence[OpenedBenchmark], reading: VideoOptions, missing: Missing
) -> list[tuple[OpenedBenchmark, Split, tuple[Video, ...]]]:
    """Return each split with its videos in the order of its samples; `missing` hears which are nowhere."""
    found = []
    for benchmark in benchmarks:
        places = Places(folder_of(benchmark), allow_outside=reading.allow_outside_root)
        for split in benchmark.splits:
            placed = places.place(split)
            if placed.missing:
                missing(split, placed.missing)
            found.append((benchmark, split, placed.videos))
    return found


def _results(
    model: VideoCLIP,
    protocol: Protocol,
    placed: Iterable[tuple[OpenedBenchmark, Split, tuple[Video, ...]]],
    answers: Mapping[str, Any],
    dictionary: Sequence[str] | None,
    decoder: str,
) -> Iterator[Result]:
    texts: dict[tuple[str, ...], Any] = {}
    for benchmark, split, videos in placed:
        if split.classes not in texts:
            texts[split.classes] = encode_names(model, protocol, split.classes)
        groups = () if dictionary is None else groups_of(split.classes, dictionary)
        own = [answers[video_key(video)] for video in videos]
        yield score_split(model, protocol, benchmark, split, videos, own, texts[split.classes], groups, decoder)
