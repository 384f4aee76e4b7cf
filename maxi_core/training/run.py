"""One `maxi train` run: the loop with checkpoints, metrics, validation and resuming around it, in a run folder."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from maxi_core.bags.run import MANIFEST, RECIPE
from maxi_core.batches.loader import Batches
from maxi_core.clip.checkpoints import checkpoints_of, read_weights
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import MaxiError
from maxi_core.system.environment import versions
from maxi_core.system.files import to_json, utc_stamp, write_text
from maxi_core.system.locks import locked
from maxi_core.system.ranks import ALONE, Ranks
from maxi_core.system.remote_folders import Upload
from maxi_core.system.secrets import without_secrets
from maxi_core.training.checkpoint import (
    about_checkpoint,
    check_notes,
    check_same,
    clean,
    copy_of,
    read_state,
    restore,
    resume_from,
    save_checkpoint,
    state_of,
    step_name,
)
from maxi_core.training.combined import Combined
from maxi_core.training.ensemble import mixed
from maxi_core.training.loop import LoopPlan, NotFiniteError, Step, steps_per_epoch, train
from maxi_core.training.metrics_log import CURVE, METRICS, MetricsFile, draw_curve
from maxi_core.training.stopping import StopFlag, StoppedError, stop_on_signals
from maxi_core.training.trainable import make_optimizer

log = logging.getLogger("maxi")

SCHEMA = 1

# a model and whether to stop -> scores, None if it was stopped
Validate = Callable[[VideoCLIP, Callable[[], bool]], Mapping[str, float] | None]
Follow = Callable[[Iterator[Step]], Iterator[Step]]


@dataclass(frozen=True, kw_only=True)
class SavePlan:
    """A checkpoint every `every` epochs and after the last; of these the last `last` and the best are kept.

    With `ema` (the decay of the mean that `TrainJob.objectives` keeps) one more checkpoint after the last step is that
    mean, and with `ensemble`, the share of the original, a mixture of that or of the last weights.
    """

    every: int = 1
    last: int = 2
    ensemble: float | None = None
    ema: float | None = None


@dataclass(frozen=True)
class Resuming:
    """What to do with a run folder that has checkpoints: `from_` is `latest` or a folder, None to begin anew.

    `force` goes on with other settings than the run began with, `overwrite` removes what is there.
    """

    from_: str | None = None
    force: bool = False
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Everything that a training run is made of, its weights chosen (`choose_trainable`) and its temperature set.

    `batch_size` is that of a micro-batch. `settings` is all that decides the result, as texts to compare on resume;
    `record` goes into each maxi.json. `validate` is asked every `validate_every` epochs, on rank 0; its first number
    says which checkpoint is best. `reports` are told of every record that goes into metrics.jsonl.
    """

    model: VideoCLIP = field(repr=False)
    batches: Batches
    objectives: Combined = field(repr=False)
    plan: LoopPlan
    out: Path
    batch_size: int
    weight_decay: float = 0.001
    saving: SavePlan = SavePlan()
    resuming: Resuming = Resuming()
    settings: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    validate: Validate | None = None
    validate_every: int = 1
    reports: tuple[Callable[[Mapping[str, Any]], None], ...] = ()
    recipe: str = ""
    argv: tuple[str, ...] = ()
    upload: Upload | None = None  # where `out` belongs, if that is a server


@dataclass(frozen=True)
class Trained:
    """What a run came to: the last step, if any was taken now, and the checkpoint that the run folder stands for."""

    step: Step | None
    checkpoint: Path
    scores: Mapping[str, float]
    broken: int
    best: str | None = None


def run_training(job: TrainJob, follow: Follow = iter, ranks: Ranks = ALONE) -> Trained:
    """Train and write checkpoints, metrics.jsonl, recipe.toml and manifest.json into the run folder.

    Rank 0 writes. Raises UsageError for a folder that has checkpoints already and for a resume with other settings,
    NotFiniteError (with the videos in nonfinite.json) and StoppedError after a checkpoint, if a signal came.
    """
    with locked(job.out) if ranks.first else nullcontext(), stop_on_signals() as stop:
        parts = _Parts(
            job,
            ranks,
            make_optimizer(job.model, job.weight_decay, job.objectives.parameters.values()),
            torch.amp.GradScaler(job.model.device.type) if job.plan.precision == "amp_fp16" else None,
            float(job.model.logit_scale.detach()),
            _original(job.model) if job.saving.ensemble is not None else None,
        )
        start, standing = _begin(parts)
        metrics = MetricsFile(job.out / METRICS, start, job.reports) if ranks.first else None
        steps = train(
            job.model, job.batches, job.objectives, parts.optimizer, job.plan,
            ranks=ranks, start=start, scaler=parts.scaler, stop=stop,
        )  # fmt: skip
        try:
            with metrics or nullcontext(), closing(follow(steps)) as watched:  # type: ignore[type-var]
                step, standing = _go(parts, watched, start, standing, metrics, stop)
        except NotFiniteError as error:
            if ranks.first:
                said = {"schema": SCHEMA, "step": error.step, "videos": error.videos, "message": error.problem}
                write_text(job.out / "nonfinite.json", to_json(said, indent=2) + "\n")
            raise
        return _finish(parts, standing, step, start)


@dataclass(frozen=True)
class _Parts:
    """What a run works with, the same to its end; `began` is the logit scale at its start, `original` the weights."""

    job: TrainJob
    ranks: Ranks
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None
    began: float
    original: dict[str, torch.Tensor] | None

    @property
    def per_epoch(self) -> int:
        """Return the steps of an epoch."""
        return steps_per_epoch(self.job.batches, self.job.plan.accumulate, self.ranks.world)


@dataclass(frozen=True)
class _Standing:
    """What the next checkpoint remembers besides weights: the last scores, and which checkpoint is the best by them.

    `unvalidated` where a run was stopped between the end of an epoch and its scores.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    best: tuple[str, float] | None = None
    unvalidated: bool = False


def _begin(parts: _Parts) -> tuple[int, _Standing]:
    """Put the run folder and the model into the state to start from; return the steps taken, and where we are."""
    job, once = parts.job, parts.ranks.once
    chosen = once(lambda: resume_from(job.out, job.resuming.from_, job.resuming.overwrite))
    if chosen is None:
        once(lambda: write_text(job.out / RECIPE, job.recipe))
        return 0, _Standing()
    checkpoint = Path(chosen)
    state = read_state(checkpoint)
    check_notes(checkpoint, state.notes)
    if not job.resuming.force:
        check_same(state.notes["settings"], job.settings)
    job.model.load_weights(read_weights(checkpoint))
    restore(job.model, parts.optimizer, state, job.objectives)
    if parts.scaler is not None and state.notes.get("scaler"):
        parts.scaler.load_state_dict(state.notes["scaler"])
    once(lambda: write_text(job.out / RECIPE, job.recipe))
    return int(state.notes["step"]), _Standing(
        dict(state.notes.get("scores", {})),
        tuple(state.notes["best"]) if state.notes.get("best") else None,
        bool(state.notes.get("unvalidated")) and job.validate is not None,
    )


def _go(
    parts: _Parts,
    steps: Iterator[Step],
    start: int,
    standing: _Standing,
    metrics: MetricsFile | None,
    stop: StopFlag,
) -> tuple[Step | None, _Standing]:
    """Take the steps, writing metrics, scores and checkpoints when they are due; return the last one, and where we are.

    Raises StoppedError after a checkpoint if a signal came.
    """
    job, step = parts.job, None
    if standing.unvalidated:
        standing = _validate(parts, standing, start, metrics, stop)
        standing = _save(parts, standing, start)
        _leave(stop, start, leave=standing.unvalidated)
    for step in steps:
        if metrics:
            metrics.write(_as_record(step))
        last = step.number == step.of
        if step.ends_epoch and job.validate and ((step.epoch + 1) % job.validate_every == 0 or last):
            standing = replace(standing, unvalidated=True)
            if not step.stopping:
                standing = _validate(parts, standing, step.number, metrics, stop)
        leave = standing.unvalidated or (step.stopping and not last)
        if leave or (step.ends_epoch and ((step.epoch + 1) % job.saving.every == 0 or last)):
            standing = _save(parts, standing, step.number)
            _leave(stop, step.number, leave=leave)
    return step, standing


def _leave(stop: StopFlag, step: int, *, leave: bool) -> None:
    if leave:
        raise StoppedError(stop.signal, step, step_name(step))


def _validate(parts: _Parts, standing: _Standing, step: int, metrics: MetricsFile | None, stop: StopFlag) -> _Standing:
    """Evaluate on rank 0; where a signal stops it, the epoch stays `unvalidated` on all ranks."""
    model, ask = parts.job.model, parts.job.validate
    assert ask is not None

    def validate() -> Mapping[str, float] | None:
        model.eval()
        with torch.no_grad():
            return ask(model, stop)

    found = parts.ranks.once(validate)
    model.train()
    if found is None:
        return replace(standing, unvalidated=True)
    scores = dict(found)
    if metrics:
        metrics.write({"step": step, "epoch": step // parts.per_epoch - 1, "val": scores})
    return replace(standing, scores=scores, unvalidated=False)


def _save(parts: _Parts, standing: _Standing, step: int) -> _Standing:
    """Write a checkpoint on rank 0; all ranks go on, or none does."""
    job, name = parts.job, step_name(step)
    if job.validate and step % parts.per_epoch == 0 and standing.scores and not standing.unvalidated:
        value = next(iter(standing.scores.values()))
        if standing.best is None or value > standing.best[1]:
            standing = replace(standing, best=(name, value))

    def save() -> None:
        notes = {
            "schema": SCHEMA,
            "step": step,
            "settings": dict(job.settings),
            "scaler": parts.scaler.state_dict() if parts.scaler else None,
            "best": standing.best,
            "scores": standing.scores,
            "unvalidated": standing.unvalidated,
        }
        state = state_of(job.model, parts.optimizer, notes, job.objectives)
        save_checkpoint(
            job.out, name, job.model.weights(), _about(parts, standing, step), state, job.model.tokenizing.files
        )
        kept = {path.name for path in checkpoints_of(job.out)[-job.saving.last :]}
        clean(job.out, kept | ({standing.best[0]} if standing.best else set()))
        if job.upload:
            _upload(job.upload)

    parts.ranks.once(save)
    return standing


def _upload(upload: Upload) -> None:
    """Upload a checkpoint; where that fails the training goes on, and what is left goes up with the next."""
    try:
        upload.run()
    except MaxiError as error:
        log.warning("%s", error.problem)


def _about(parts: _Parts, standing: _Standing, step: int, ensemble: float | None = None) -> dict[str, Any]:
    job = parts.job
    said: dict[str, Any] = {
        "step": step,
        "epoch": step / parts.per_epoch,
        "began": {"logit_scale": parts.began},
        "scores": standing.scores,
    }
    if ensemble is not None:
        said["ensemble"] = {"original": job.model.name, "trained": step_name(step), "ratio": ensemble}
    return about_checkpoint(job.model, {**job.record, **said})


def _finish(parts: _Parts, standing: _Standing, step: Step | None, start: int) -> Trained:
    job, number = parts.job, step.number if step else start

    def finish() -> str:
        last = job.out / "checkpoints" / step_name(number)
        weights, files, ema = job.objectives.mean(job.model), job.model.tokenizing.files, job.saving.ema
        if weights is not None:
            about = {**_about(parts, standing, number), "ema": ema}
            last = save_checkpoint(job.out, step_name(number, None, ema), weights, about, tokenizer=files)
        if parts.original is not None and job.saving.ensemble is not None:
            share = job.saving.ensemble
            weights = mixed(parts.original, weights or job.model.weights(), share)
            about = {**_about(parts, standing, number, share), "ema": ema}
            last = save_checkpoint(job.out, step_name(number, share, ema), weights, about, tokenizer=files)
        draw_curve(job.out / METRICS, job.out / CURVE)
        write_text(job.out / MANIFEST, to_json(_manifest(parts, standing, number, last), indent=2) + "\n")
        return str(last)

    checkpoint = Path(str(parts.ranks.once(finish)))
    return Trained(step, checkpoint, standing.scores, job.batches.counts.broken, standing.best and standing.best[0])


def _manifest(parts: _Parts, standing: _Standing, step: int, checkpoint: Path) -> dict[str, Any]:
    job = parts.job
    return {
        "schema": SCHEMA,
        "finished": utc_stamp(),
        "argv": [without_secrets(word) for word in job.argv],
        "settings": dict(job.settings),
        "forced": job.resuming.force,
        "ranks": parts.ranks.world,
        "threads": torch.get_num_threads(),
        "steps": step,
        "checkpoint": checkpoint.name,
        "best": standing.best,
        "scores": standing.scores,
        "counts": asdict(job.batches.counts),
        "model": {"name": job.model.name, "identity": job.model.identity},
        "versions": versions(),
    }


def _original(model: VideoCLIP) -> dict[str, torch.Tensor]:
    """Return the weights to ensemble with: those at the start, without a temporal module that is new."""
    weights = copy_of(model.weights())
    new = model.temporal is not None and model.about.get("temporal") is None
    return {key: value for key, value in weights.items() if not (new and key.startswith("temporal."))}


def _as_record(step: Step) -> dict[str, Any]:
    """Return a step as it goes into metrics.jsonl."""
    record = asdict(step)
    record["step"] = record.pop("number")
    for key in ("of", "stopping", "ends_epoch", "losses"):
        del record[key]
    by_name = {f"loss/{name}": value for name, value in step.losses.items()}
    return {key: record[key] for key in ("step", *(key for key in record if key != "step"))} | by_name


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has used so far: of the device's memory, or its own on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
