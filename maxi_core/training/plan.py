"""From a settled recipe to a training job: model, examples, batches, and what makes two runs the same."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maxi_core.bags.manifest import BAGS, MANIFEST, is_run
from maxi_core.bags.run import RECIPE, read_manifest, texts_of
from maxi_core.batches.bag_index import open_bags
from maxi_core.batches.batch import BatchPlan, Examples, labelled
from maxi_core.batches.kept_features import KeptFeatures
from maxi_core.batches.loader import Batches
from maxi_core.clip.checkpoints import CHECKPOINTS
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import SIGMA, VideoCLIP
from maxi_core.errors import MaxiError, UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.benchmarks.splits import Split
from maxi_core.evaluation.evaluating import evaluate, place
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.scoring import mostly
from maxi_core.plugin.catalog import BUILTIN, Catalog
from maxi_core.plugin.roles import Temporal
from maxi_core.plugin.world_paths import world_path
from maxi_core.recipe.defaults import DEFAULTS
from maxi_core.recipe.parts import find_instance
from maxi_core.recipe.recipe import SETTLED, Recipe
from maxi_core.settings.options import Decides
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.ranks import ALONE, Ranks
from maxi_core.system.remote_folders import Upload, here, upload_to
from maxi_core.system.replacing import refuse_among_videos, refuse_foreign_files
from maxi_core.system.urls import is_remote
from maxi_core.texts import counted
from maxi_core.training.asking import constant_because
from maxi_core.training.combined import Combined, settings_of
from maxi_core.training.loop import LoopPlan, steps_per_epoch
from maxi_core.training.metrics_log import CURVE, METRICS, bag_table, make_reports
from maxi_core.training.objective import Objective
from maxi_core.training.options import TrainSection
from maxi_core.training.run import Resuming, SavePlan, TrainJob, Validate
from maxi_core.training.trainable import choose_trainable, counts
from maxi_core.types import Video
from maxi_core.video.skips import SkipLog


@dataclass(frozen=True)
class Source:
    """The examples of a training and what identifies them: where they are from, a checksum, what they were made of."""

    examples: Examples
    name: str
    checksum: str
    dictionary: str


def make_training(
    catalog: Catalog,
    recipe: Recipe,
    argv: tuple[str, ...] = (),
    *,
    device: str | None = None,
    ranks: Ranks = ALONE,
    resuming: Resuming | None = None,
    dry: bool = False,
    kept: Path | None = None,
) -> TrainJob:
    """Load the model, open the bags and settle everything; raises UsageError for what is missing or does not fit.

    A `dry` job writes nothing and reports to nobody. With `kept`, a folder of features that `keep_features` made of the
    videos, nothing is decoded. Raises MaxiError for a loss without a gradient, and for bags that are all empty though
    their recipe names sources of texts.
    """
    recipe = with_modules(catalog, recipe)
    section, video = recipe.core("train", TrainSection), recipe.core("video", VideoOptions)
    out = _out(section)
    upload = upload_to(out, deep=True)
    resuming = resuming or Resuming()
    _check_place(out, overwrite=resuming.overwrite or dry)
    if upload:
        out = upload.folder
        if not dry:
            ranks.once(lambda: _take_over(upload, resuming))
    if section.run is not None:
        section = section.model_copy(update={"run": here(section.run)})
    objectives = _objectives(catalog, recipe, section)
    source = _source(catalog, section, video, objectives)
    _check_enough(source, section, ranks.world, recipe.origins.get(("train", "batch_size"), "default"))
    model = model_of(catalog, recipe, section, device or section.device)
    log = SkipLog(None if dry or not ranks.first else out / "skipped.jsonl", video.max_skipped, "train")
    plan, features = batch_plan(section, section.batch_size), KeptFeatures(kept, model.identity) if kept else None
    batches = Batches(source.examples, plan, model.tokenize, model.image_size, video, log, features)
    per_epoch = steps_per_epoch(batches, section.accum_freq, ranks.world)
    _check_gradient(source, section, objectives, ranks.world)
    settings = _settings(section, source, model, video, ranks) | {"loss": settings_of(objectives)}
    recipe_text, reports = recipe.to_toml(), section.report_to if ranks.first and not dry else ()
    record = _record(section, source, model, recipe_text) | {"loss": settings["loss"]}
    return TrainJob(
        model=model, batches=batches, objectives=Combined(objectives, model, section.seed, section.ema),
        plan=_loop_plan(section, per_epoch), out=out, batch_size=section.batch_size, weight_decay=section.wd,
        saving=SavePlan(every=section.save_frequency, last=section.keep_last,
                        ensemble=section.ensemble, ema=section.ema),
        resuming=resuming, settings=settings, record=record,
        validate=_validation(catalog, section, recipe, video) if section.val else None,
        validate_every=section.val_frequency,
        reports=make_reports(reports, out, section.name, settings, bag_table(source.examples)) if reports else (),
        recipe=recipe_text, argv=argv, upload=upload,
    )  # fmt: skip


def _loop_plan(section: TrainSection, per_epoch: int) -> LoopPlan:
    return LoopPlan(
        epochs=section.epochs, lr=section.lr, accumulate=section.accum_freq,
        warmup=round(section.warmup_epochs * per_epoch) if section.warmup is None else section.warmup,
        precision=section.precision, clip_norm=section.grad_clip_norm, gather=section.gather,
        skip_nonfinite=section.skip_nonfinite, sigma_floor=section.sigma_floor, seed=section.seed,
        patch_dropout=section.force_patch_dropout, whole_epochs=section.whole_epochs,
    )  # fmt: skip


def _record(section: TrainSection, source: Source, model: VideoCLIP, recipe: str) -> dict[str, Any]:
    """Return what the checkpoints say of the training, beside the loss."""
    embedding = counts(model).get("token embedding", (0, 0))[0] > 0 or model.about.get("token_embedding", False)
    return {
        "prompt": section.template,
        "data": source.name,
        "dictionary": source.dictionary,
        "token_embedding": embedding,  # trained now or before: the authors' files have no place for it
        "recipe_sha256": hashlib.sha256(recipe.encode()).hexdigest(),
    }


def _take_over(upload: Upload, resuming: Resuming) -> None:
    """Go on with what another machine has uploaded; raises UsageError if that was not asked for, as a folder does."""
    anew = resuming.from_ is None and not resuming.overwrite and not any(upload.folder.glob("*"))
    if anew and upload.has(f"{CHECKPOINTS}/"):
        raise UsageError(f"{upload.at} has checkpoints already", "add --resume latest to go on, or --overwrite")
    upload.begin(fetch=resuming.from_ is not None)


def finish_upload(recipe: Recipe, catalog: Catalog) -> str:
    """Upload what is left of a training that the same recipe has made, and return where to; "" if nothing was left."""
    recipe = with_modules(catalog, recipe)
    upload = upload_to(_out(recipe.core("train", TrainSection)), deep=True)
    if upload is None or not upload.pending:
        return ""
    if (upload.folder / RECIPE).read_text(encoding="utf-8") != recipe.to_toml():
        return ""
    upload.run()
    return str(upload.at)


def with_modules(catalog: Catalog, recipe: Recipe) -> Recipe:
    """Return the recipe with the full names of the objectives and the temporal module that it names, and their options.

    Raises UsageError for an objective that is named twice.
    """
    section = recipe.core("train", TrainSection)
    found = [find_instance(catalog, name, (Objective.role,)).key for name in section.loss]
    if len(set(found)) < len(found):
        raise UsageError(f"--loss names '{next(key for key in found if found.count(key) > 1)}' twice", "name it once")
    temporal = section.temporal and find_instance(catalog, section.temporal, (Temporal.role,)).key
    for key in (*found, *([temporal] if temporal else ())):
        recipe = recipe.using(catalog, find_instance(catalog, key))
    named = section.model_copy(update={"loss": tuple(found), "temporal": temporal})
    return replace(recipe, sections={**recipe.sections, "train": named})


def _objectives(catalog: Catalog, recipe: Recipe, section: TrainSection) -> dict[str, Objective]:
    """Return the objectives by the name that messages, settings and metrics have for them.

    That of a built-in one is short; others say whose they are, and which version. Raises UsageError if none of them
    trains anything by itself.
    """
    found: dict[str, Objective] = {}
    for key in section.loss:
        offer, made = catalog.find(key), recipe.make(catalog, key)
        assert isinstance(made, Objective)
        found[offer.name if offer.dist == BUILTIN else f"{offer.ref} {offer.version}"] = made
    if not any(objective.alone for objective in found.values()):
        names = ",".join(section.loss)
        what = "it only holds the model to its teacher" if len(found) == 1 else "they only hold the model to teachers"
        if not all(objective.regulariser for objective in found.values()):
            what = "there is no other objective to ask once more"
        raise UsageError(f"--loss {names}: {what}", f"type --loss {','.join(DEFAULTS['train']['loss'])},{names}")
    return found


def _out(section: TrainSection) -> Path:
    if section.run is None and section.labels is None:
        raise UsageError("which bags? neither RUN nor [train] run says", "type the run folder of maxi bags")
    if section.out is not None:
        return section.out
    if section.run is None:
        raise UsageError("where to? neither --out nor [train] out says", "type --out")
    if Path(section.name).name != section.name:
        raise UsageError(f"train.name '{section.name}' is no name of a folder", "name one without a /, or use --out")
    return section.run / section.name


def _check_place(out: Path, *, overwrite: bool) -> None:
    """Raise UsageError for the folder of the videos or of bags, and for one with files that no training has made."""
    if is_remote(out) or not out.is_dir():
        return
    if is_run(out):
        raise UsageError(f"{out} is the run folder of bags", "choose another --out for the training")
    recipe = out / RECIPE
    ours = (out / CHECKPOINTS).is_dir() or (recipe.is_file() and SETTLED in recipe.read_bytes())
    if not ours:
        refuse_among_videos(out)
    if not ours and not overwrite:
        refuse_foreign_files(out, (RECIPE, MANIFEST, METRICS, CURVE, "skipped.jsonl", "nonfinite.json"), "maxi train")


def _source(
    catalog: Catalog, section: TrainSection, video: VideoOptions, objectives: Mapping[str, Objective]
) -> Source:
    if section.labels is not None:
        _check_labels_do(catalog, objectives)
        return _labelled(catalog, section, video)
    if section.shots is not None:
        raise UsageError("--shots are of labelled videos, and bags have no labels", "add --labels")
    assert section.run is not None
    examples = open_bags(section.run, section.keep)
    made = read_manifest(section.run)
    made_of, sums = made.get("made_of"), made.get("sha256")
    checksum = sums.get(BAGS, "") if isinstance(sums, dict) else ""
    dictionary = made_of.get("dictionary", "") if isinstance(made_of, dict) else ""
    return Source(examples, f"{counted(len(examples), 'bag')} of {section.run.name}", checksum[:12], dictionary)


def _check_gradient(source: Source, section: TrainSection, objectives: Mapping[str, Objective], world: int) -> None:
    """Raise MaxiError where a training cannot learn anything, or not what its bags were made for."""
    examples = source.examples
    empty = examples.empty == len(examples)
    met = section.batch_size * (world if section.gather else 1)
    for name, objective in objectives.items():
        of_classes = objective.prompts == "classes"
        entries = len(examples.classes) if of_classes else examples.entries
        alike = empty or (entries == 1 and len({frozenset(examples[n].texts) for n in range(len(examples))}) == 1)
        why = constant_because(name, objective, met, entries, alike=alike)
        if why:
            fix = "raise --batch-size" if met == 1 and not of_classes else "use videos of several entries"
            fix += "" if met == 1 and not of_classes else ", or another --loss"
            raise MaxiError(f"the loss {name} has no gradient on {source.name}: {why}", fix)
    of_bags = any(objective.prompts == "bags" for objective in objectives.values())
    if empty and section.run is not None and of_bags and (texts := texts_of(section.run)):
        named = " and ".join(texts)
        raise MaxiError(
            f"all {source.name} are empty, though texts of {named} were asked for",
            f"see maxi show {section.run}; for the matched entries alone: maxi bags --without {','.join(texts)}",
        )


def _check_labels_do(catalog: Catalog, objectives: Mapping[str, Objective]) -> None:
    """Raise UsageError for an objective that needs bags, where there are labels instead."""
    for name, objective in objectives.items():
        if objective.prompts == "bags":
            offers = [offer for offer in catalog.offers if issubclass(offer.cls, Objective)]
            others = [catalog.key(offer) for offer in offers if offer.cls.prompts == "classes"]
            raise UsageError(
                f"labels have no bags, and the loss {name} needs them", f"type --loss {' or '.join(sorted(others))}"
            )


def _check_enough(source: Source, section: TrainSection, world: int, origin: str) -> None:
    """Raise UsageError if the videos do not fill one step."""
    videos, others = len(source.examples), section.accum_freq * world
    if videos < section.batch_size * others:
        times = f" x accum_freq {section.accum_freq} x {counted(world, 'rank')}" if others > 1 else ""
        fit = f"type --batch-size {videos // others}" if videos >= others else "lower --accum-freq, or add videos"
        raise UsageError(f"{source.name} do not fill one step: batch_size {section.batch_size} ({origin}){times}", fit)


def _labelled(catalog: Catalog, section: TrainSection, video: VideoOptions) -> Source:
    from maxi_core.evaluation.benchmarks.opening import read_own
    from maxi_core.evaluation.benchmarks.reading import Places

    assert section.labels is not None
    labels, videos = section.labels, section.videos
    if (world := world_path(catalog, "labels", str(labels))) is not None:
        labels, videos = world, videos or world_path(catalog, "videos", str(labels))
    if not labels.exists():  # no known benchmark either: their splits are for testing
        raise UsageError(f"there are no labels at {labels}", "name a list or folder (see maxi data shots)")
    benchmark = read_own(labels, videos, None, multi_label=False, spelling="written")
    assert benchmark.videos is not None
    split = benchmark.splits[0]
    placed = Places(benchmark.videos, allow_outside=video.allow_outside_root).place(split)
    if placed.missing:
        some = ", ".join(placed.missing[:3])
        raise UsageError(
            f"{counted(len(placed.missing), 'labelled video', 'are')} nowhere ({some}, ...)", "correct --videos"
        )
    pairs: list[tuple[Video, int]] = [
        (one, sample.labels[0]) for one, sample in zip(placed.videos, split.samples, strict=True)
    ]
    examples = labelled(pairs, split.classes, section.shots, section.seed)
    return Source(examples, f"{counted(len(examples), 'labelled video')} of {benchmark.name}", split.sha256[:12], "")


def batch_plan(section: TrainSection, batch_size: int) -> BatchPlan:
    """Return how examples become batches of this size."""
    return BatchPlan(
        batch_size=batch_size, frames=section.frames, bag_size=section.bag_size, seed=section.seed,
        template=section.template, augmentation=section.augmentation, flip=section.flip, hold_gb=section.hold_gb,
    )  # fmt: skip


def model_of(catalog: Catalog, recipe: Recipe, section: TrainSection, device: str) -> VideoCLIP:
    """Return the model to train, its weights chosen; raises UsageError for a precision that its device lacks."""
    temporal: Temporal | None = None
    if section.temporal is not None:
        made = recipe.make(catalog, section.temporal)
        assert isinstance(made, Temporal)
        temporal = made
    model = load_model(
        section.model,
        device,
        frames=section.frames,
        temporal=temporal,
        normalisation=section.normalisation,
        checkpointing=section.grad_checkpointing,
        patch_dropout=section.force_patch_dropout,
        catalog=catalog,
    )
    if section.sigma is not None or model.checkpoint is None:
        model.set_sigma(section.sigma or SIGMA)
    if section.precision == "amp_fp16" and model.device.type != "cuda":
        raise UsageError(f"amp_fp16 needs a CUDA device, and this is {model.device}", "try --precision amp_bf16")
    choose_trainable(model, section.freeze, section.last_blocks, section.token_embedding)
    return model


def _validation(catalog: Catalog, section: TrainSection, recipe: Recipe, video: VideoOptions) -> Validate:
    from maxi_core.evaluation.presets import settled
    from maxi_core.evaluation.protocol import Protocol

    shown, _ = settled(recipe)
    protocol = Protocol(frames=section.frames, prompt=shown.prompt, spelling=shown.names or "written")
    return make_validation(catalog, section.val, shown.data_root, protocol, video)


def _settings(
    section: TrainSection, source: Source, model: VideoCLIP, video: VideoOptions, ranks: Ranks
) -> dict[str, str]:
    """Return what decides the result, as texts that a person can compare."""
    batch = f"{section.batch_size} x {section.accum_freq * ranks.world}" + (
        f", gathered from {ranks.world}" if section.gather else ""
    )
    named = {"data": f"{source.name} ({source.checksum})", "model": f"{model.name} ({model.identity[:12]})"}
    named |= {"batch": batch, "video": json.dumps(list(video.of_frames().values()))}
    named |= {"temporal": json.dumps(model.temporal and dict(model.temporal), sort_keys=True)}
    return {key: str(value) for key, value in section if Decides.of(TrainSection, key) == key} | named


# Scores while training: benchmarks opened before the first step, evaluated on rank 0 (method.md, evaluation).


class _Stopped(Exception):  # noqa: N818 (no error: a signal ends an evaluation)
    """An evaluation was stopped between two videos."""


def make_validation(
    catalog: Catalog, names: Sequence[str], data_root: Path | None, protocol: Protocol, reading: VideoOptions
) -> Validate:
    """Return what evaluates a model on the benchmarks, in order: `benchmark:split metric` -> score in percent.

    Raises UsageError for a benchmark that is not there, or most of its videos. Features are not kept: weights
    change.
    """
    benchmarks = [open_benchmark(name, catalog, data_root=data_root, spelling=protocol.spelling) for name in names]

    def missing(split: Split, ids: Sequence[str]) -> None:
        if mostly(len(ids), len(split.samples)):
            what = (
                f"{len(ids)} of {counted(len(split.samples), 'video')} of {split.label} are missing, such as {ids[0]}"
            )
            raise UsageError(f"{what}: its score would say nothing of the training", "correct --val or --data-root")

    place(benchmarks, reading, missing)

    def validate(model: VideoCLIP, stop: Callable[[], bool]) -> dict[str, float] | None:
        def follow(_title: str, _total: int, items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                if stop():
                    raise _Stopped
                yield item

        try:
            found = evaluate([model], benchmarks, protocol, reading=reading, follow=follow)
        except _Stopped:
            return None
        assert found is not None
        return {
            f"{record['benchmark']}:{record['split']} {metric}": 100 * float(value)
            for record in found.models[0].records()
            for metric, value in record["metrics"].items()
            if metric == record["metric"] and isinstance(value, (int, float))
        }

    return validate
