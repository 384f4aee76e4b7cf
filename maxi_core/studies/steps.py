"""The steps that studies are made of, each in a folder named by a hash of what it is made of, so that none is redone.

A step is bags, features, a training, a mixture of weights, scores, or a vote; whatever two variants, seeds or studies
have in common is one step. `maxi_core.studies.run` does a step if its folder says that nobody has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from maxi_core.bags.bag import read_bags
from maxi_core.clip.checkpoints import checkpoints_of
from maxi_core.dictionaries import read_dictionary, spelt
from maxi_core.errors import MaxiError
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.world_paths import videos_of
from maxi_core.recipe.recipe import sources_of
from maxi_core.settings.options import Decides, deciding
from maxi_core.settings.sections import BagsSection, EvalSection, SourcesSection, VideoOptions
from maxi_core.studies.features import FeaturesStep
from maxi_core.studies.step import Facts, Place, Step
from maxi_core.system.files import to_json, write_lines, write_text
from maxi_core.system.store import digest, store_at
from maxi_core.texts import counted
from maxi_core.training.options import TrainSection
from maxi_core.types import Video


@dataclass(frozen=True, eq=False)
class BagsStep(Step):
    """A run of `maxi bags`: of the recipe's videos, or of `videos`, which is whose they are and what they are."""

    catalog: Catalog = field(repr=False)
    videos: tuple[str, tuple[Video, ...]] | None = field(default=None, repr=False)
    kind = "bags"

    @property
    def section(self) -> BagsSection:
        """The options of the run."""
        return self.recipe.core("bags", BagsSection)

    @property
    def title(self) -> str:
        """Its sources."""
        names = "+".join(self.recipe.core("sources", SourcesSection).texts) or "matches"
        names += "".join(f"-{name}" for name in self.recipe.core("sources", SourcesSection).filters)
        return names.replace("maxi:", "").replace(":", ".").replace("#", ".") + (
            f"-of-{self.videos[0]}" if self.videos else ""
        )

    def made_of(self) -> Mapping[str, object]:
        """Return settings, versions, and which videos and entries there are."""
        sources, section = self.recipe.core("sources", SourcesSection), self.section
        own = {name: deciding(self.recipe.sections[name]) for _, name in sources_of(sources)}
        return {
            "bags": section.model_dump(mode="json", exclude={"out", "store", "videos", "root"}),
            "sources": sources.model_dump(mode="json"),
            "options": own,
            "versions": dict(self.recipe.versions),
            "video": self.recipe.core("video", VideoOptions).of_frames(sized=True),
            "videos": self.listing,
            "entries": digest(self.entries),
        }

    @cached_property
    def listing(self) -> str:
        """The hash of which videos there are."""
        return digest([[video.id, video.path, video.start, video.end] for video in self.listed])

    @cached_property
    def listed(self) -> Iterable[Video]:
        """The videos."""
        if self.videos is not None:
            return self.videos[1]
        section, reading = self.section, self.recipe.core("video", VideoOptions)
        assert section.videos is not None
        outside = reading.allow_outside_root
        return videos_of(self.catalog, section.videos, section.root, reading.clip_seconds, allow_outside_root=outside)

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """The dictionary before an injector."""
        assert self.section.dictionary is not None
        return spelt(read_dictionary(self.section.dictionary, self.catalog), self.section.names).entries

    def run(self, place: Place, folder: Path) -> Facts:
        """Make the bags; raises MaxiError if a source was of no use at all."""
        from maxi_core.bags.plan import make_job
        from maxi_core.bags.run import counts, run_job, useless
        from maxi_core.video.inputs import VideoList

        job = make_job(place.catalog, self.with_options("bags", out=folder), place.argv, overwrite=True)
        if self.videos is not None:
            videos = self.videos[1]
            job = replace(job, videos=VideoList(len(videos), lambda: iter(videos)))
        made = run_job(job, place.watch.bags)
        if lines := useless(job.sources, made):
            raise MaxiError(lines[0])
        added = [entry for entry in job.dictionary.entries if entry not in set(self.entries)]
        noise = {"words": sum(" " not in entry for entry in added), "phrases": sum(" " in entry for entry in added)}
        texts = sum(made.sizes) / max(1, len(made.sizes))
        return {**counts(made), "texts_per_bag": texts, "entries": len(job.dictionary.entries), "noise": noise}


@dataclass(frozen=True, eq=False)
class TrainStep(Step):
    """A run of `maxi train` on bags, or on labels (a list, the folder of its videos); `start` is the first training.

    With `every_epoch` the checkpoint of each epoch is kept.
    """

    seed: int
    data: BagsStep | tuple[Path, Path | None]
    start: "TrainStep | MixStep | None" = None
    every_epoch: bool = False
    kind = "train"

    @property
    def section(self) -> TrainSection:
        """The options of the training."""
        return self.recipe.core("train", TrainSection)

    @property
    def needs(self) -> tuple[Step, ...]:
        """The bags, the features of a frozen image tower, and the training that it begins with."""
        return tuple(step for step in (self.data, self.features, self.start) if isinstance(step, Step))

    @cached_property
    def features(self) -> FeaturesStep | None:
        """What the image tower says of the videos, if the training leaves it as it is."""
        section = self.section
        frozen = section.freeze in ("image", "both") and not section.force_patch_dropout
        if not frozen or self.start is not None or not isinstance(self.data, BagsStep):
            return None
        return FeaturesStep(self.recipe, self.seed, self.data)

    @property
    def title(self) -> str:
        """The objectives and the seed."""
        return f"{'+'.join(name.rpartition(':')[2] for name in self.section.loss)}-seed{self.seed}"

    def made_of(self) -> Mapping[str, object]:
        """Return settings, seed, data and the model that it begins with."""
        section = self.section
        idle = {"run", "labels", "videos", "model", "seed"}
        kept = {key for key in TrainSection.model_fields if Decides.of(TrainSection, key)} - idle
        on = self.data.key if isinstance(self.data, BagsStep) else _content(self.data[0])
        temporal = self.recipe.sections.get(section.temporal or "")
        return {
            "train": section.model_dump(mode="json", include=kept),
            "seed": self.seed,
            "data": on,
            "model": self.start.key if self.start else section.model,
            "temporal": deciding(temporal) if temporal is not None else None,
            "video": self.recipe.core("video", VideoOptions).of_frames(),
            **({"kept": "every epoch"} if self.every_epoch else {}),
        }

    def run(self, place: Place, folder: Path) -> Facts:
        """Train, going on from the last checkpoint of a killed process; raises StoppedError after a signal."""
        from maxi_core.training.plan import make_training
        from maxi_core.training.run import Resuming, run_training

        run = self.data.folder(place.out) if isinstance(self.data, BagsStep) else None
        labels, videos = self.data if isinstance(self.data, tuple) else (None, None)
        settled = self.with_options(
            "train", run=run, labels=labels, videos=videos, out=folder, seed=self.seed, ensemble=None,
            model=str(self.start.model(place.out)) if self.start else self.section.model,
            keep_last=self.section.epochs if self.every_epoch else 1,
        )  # fmt: skip
        kept = self.features.kept(place.out) if self.features else None
        job = make_training(place.catalog, settled, place.argv, resuming=Resuming("latest"), kept=kept)
        trained = run_training(job, place.watch.training)
        seen = job.batches.per_epoch() * job.batch_size
        if 2 * trained.broken > seen:
            raise MaxiError(
                f"{trained.broken} of {counted(seen, 'video')} could not be read", f"see {folder / 'skipped.jsonl'}"
            )
        return {"videos": seen}

    def model(self, out: Path) -> Path:
        """Return its last checkpoint."""
        return checkpoints_of(self.folder(out))[-1]


@dataclass(frozen=True, eq=False)
class MixStep(Step):
    """A share `ratio` of what a training began with, and the rest of its last checkpoint, or of the mean of all."""

    train: TrainStep
    ratio: float
    average: bool = False
    kind = "mix"

    @property
    def needs(self) -> tuple[Step, ...]:
        """The training."""
        return (self.train,)

    @property
    def title(self) -> str:
        """The share and the seed."""
        return f"{'mean-' if self.average else ''}{self.ratio:g}-seed{self.train.seed}"

    def made_of(self) -> Mapping[str, object]:
        """Return training and share."""
        return {"train": self.train.key, "ratio": self.ratio, "average": self.average}

    def run(self, place: Place, folder: Path) -> Facts:
        """Mix the weights."""
        from maxi_core.training.ensemble import averaged, ensemble, last_epochs

        start = self.train.start
        original = str(start.model(place.out)) if start else self.train.section.model
        trained = self.train.model(place.out)
        if self.average:
            trained = averaged(last_epochs(self.train.folder(place.out)), folder / "mean")
        ensemble(original, str(trained), [self.ratio], folder, place.catalog)
        return {}

    def model(self, out: Path) -> Path:
        """Return the mixture."""
        return checkpoints_of(self.folder(out))[-1]


@dataclass(frozen=True, eq=False)
class ScoreStep(Step):
    """The scores of a model on benchmarks; of the recipe's own model if none was trained."""

    benchmarks: tuple[OpenedBenchmark, ...] = field(repr=False)
    of: TrainStep | MixStep | None = None
    kind = "scores"

    @property
    def needs(self) -> tuple[Step, ...]:
        """The model."""
        return (self.of,) if self.of else ()

    @property
    def title(self) -> str:
        """Whose they are."""
        return self.of.title if self.of else "raw"

    def made_of(self) -> Mapping[str, object]:
        """Return model, benchmarks and how videos are shown to it."""
        shown = self.recipe.core("eval", EvalSection)
        return {
            "model": self.of.key if self.of else self.recipe.core("train", TrainSection).model,
            "eval": shown.model_dump(mode="json", exclude={"out", "store", "device", "data_root", "dictionary"}),
            "video": self.recipe.core("video", VideoOptions).of_frames(),
            "lists": lists_of(self.benchmarks),
            "texts": [_content(path) for path in shown.prompts],
        }

    def run(self, place: Place, folder: Path) -> Facts:
        """Evaluate and write scores.json and predictions; raises MaxiError where most videos could not be used."""
        from maxi_core.clip.loading import load_model
        from maxi_core.evaluation.evaluating import evaluate
        from maxi_core.evaluation.protocol import Protocol
        from maxi_core.evaluation.saving import save

        shown = self.recipe.core("eval", EvalSection)
        store = store_at(shown.store)
        name = str(self.of.model(place.out)) if self.of else self.recipe.core("train", TrainSection).model
        model = load_model(
            name, shown.device, frames=shown.frames, normalisation=shown.normalisation, catalog=place.catalog
        )
        found = evaluate(
            [model], self.benchmarks, Protocol.of(shown, "written"),
            reading=self.recipe.core("video", VideoOptions), store=store,
            follow=place.watch.evaluation,
        )  # fmt: skip
        assert found is not None
        save(found.models[0], folder)
        for result in found.models[0].results:
            if result.record["mostly_skipped"]:
                raise MaxiError(
                    f"{len(result.skipped)} of {counted(len(result.videos), 'video')} of "
                    f"{result.split.label} could not be used, "
                    f"the first: {result.skipped[0][1].reason}", "correct their folder, or the list",
                )  # fmt: skip
        return {}


@dataclass(frozen=True, eq=False)
class VoteStep(Step):
    """The scores of a vote over the captions of each benchmark's videos, in the form of those of a model."""

    benchmarks: tuple[OpenedBenchmark, ...] = field(repr=False)
    captions: tuple[BagsStep, ...] = field(repr=False)
    kind = "scores"

    @property
    def needs(self) -> tuple[Step, ...]:
        """The captions."""
        return self.captions

    @property
    def title(self) -> str:
        """What it is."""
        return "vote"

    def made_of(self) -> Mapping[str, object]:
        """Return captions and benchmarks."""
        return {"captions": [step.key for step in self.captions], "lists": lists_of(self.benchmarks)}

    def run(self, place: Place, folder: Path) -> Facts:
        """Count, and write scores.json and predictions."""
        from maxi_core.evaluation.saving import SCORES
        from maxi_core.evaluation.scoring import SCHEMA
        from maxi_core.recipe.parts import find_instance
        from maxi_core.studies.vote import right, votes

        records = []
        for benchmark, step in zip(self.benchmarks, self.captions, strict=True):
            captioner = find_instance(place.catalog, step.recipe.core("sources", SourcesSection).texts[0]).label
            for split in benchmark.splits:
                elected = votes(step.folder(place.out), split.classes, captioner)
                lines, chances = [], []
                for sample in split.samples:
                    label = split.classes[sample.labels[0]]
                    chances.append(right(elected[sample.path], label) if sample.path in elected else 0.0)
                    said = {"video": sample.id, "labels": [label], "ids": list(sample.labels), "right": chances[-1]}
                    lines.append(to_json(said))
                name = f"predictions-{benchmark.name}-{split.name}.jsonl"
                write_lines(folder / name, lines)
                records.append({
                    "schema": SCHEMA, "benchmark": benchmark.name, "split": split.name, "metric": "top1",
                    "metrics": {"top1": sum(chances) / len(chances)}, "n": len(chances), "model": "caption vote",
                    "list_sha256": split.sha256, "predictions": name,
                })  # fmt: skip
        write_text(folder / SCORES, to_json(records, indent=1) + "\n")
        return {}


def videos_of_benchmark(benchmark: OpenedBenchmark, reading: VideoOptions) -> tuple[Video, ...]:
    """Return the distinct videos of all splits of a benchmark that are there, called by their paths in its lists."""
    from maxi_core.evaluation.evaluating import place

    found: dict[str, Video] = {}
    for _, split, videos in place([benchmark], reading, lambda _split, _ids: None):
        for sample, video in zip(split.samples, videos, strict=True):
            if video.path.exists():
                found.setdefault(sample.path, replace(video, id=sample.path))
    return tuple(found.values())


def lists_of(benchmarks: Sequence[OpenedBenchmark]) -> list[list[str]]:
    """Return which benchmarks and splits these are, by the checksums of their lists."""
    return [[split.label, split.sha256] for benchmark in benchmarks for split in benchmark.splits]


def _content(path: Path) -> str:
    """Return what identifies labels: a file by its content, a folder by its name."""
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else str(path)


def accuracy_of(run: Path, labels: Mapping[str, str], keep: float) -> float:
    """Return the share of right matches, in percent, among the share of all videos with the best ones (Table 4)."""
    from maxi_core.bags.stats import collect

    (share,) = collect(read_bags(run), labels, shares=[keep]).shares
    return 100 * (share.right or 0) / share.labelled if share.labelled else float("nan")
