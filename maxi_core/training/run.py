"""One `maxi train` run: the loop with checkpoints, metrics, validation and resuming around it, in a run folder."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
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
from maxi_core.training.ensemble import mixed
from maxi_core.training.loop import LoopPlan, NotFiniteError, Step, steps_per_epoch, train
from maxi_core.training.metrics_log import MetricsFile, draw_curve
from maxi_core.training.stopping import StopFlag, StoppedError, stop_on_signals
from maxi_core.training.trainable import make_optimizer

SCHEMA = 1

# a model and whether to stop -> scores, None if it was stopped
Validate = Callable[[VideoCLIP, Callable[[], bool]], Mapping[str, float] | None]
Follow = Callable[[Iterator[Step]], Iterator[Step]]


@dataclass(frozen=True, kw_only=True)
class SavePlan:
    """A checkpoint every `every` epochs and after the last; of these the last `last` and the best are kept.

    `ensemble` is the share of the original in one more checkpoint after the last step.
    """

    every: int = 1
    last: int = 2
    ensemble: float | None = None


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
        return _Run(job, follow, ranks, stop).go()


class _Run:
    """The state of a run: what was saved, which checkpoint is the best."""

    def __init__(self, job: TrainJob, follow: Follow, ranks: Ranks, stop: StopFlag) -> None:
        self.job, self.follow, self.ranks, self.stop = job, follow, ranks, stop
        self.model = job.model
        self.optimizer = make_optimizer(self.model, job.weight_decay)
        fp16 = job.plan.precision == "amp_fp16"
        self.scaler = torch.amp.GradScaler(job.model.device.type) if fp16 else None
        self.scores: dict[str, float] = {}
        self.unvalidated = False  # stopped between the end of an epoch and its scores
        self.best: tuple[str, float] | None = None
        self.began = {"logit_scale": float(self.model.logit_scale.detach())}
        self.original = self._original() if job.saving.ensemble is not None else None

    def go(self) -> Trained:
        job = self.job
        start = self._begin()
        metrics = MetricsFile(job.out / "metrics.jsonl", start, job.reports) if self.ranks.first else None
        step: Step | None = None
        per_epoch = steps_per_epoch(job.batches, job.plan.accumulate, self.ranks.world)
        steps = train(
            self.model, job.batches, self.optimizer, job.plan,
            ranks=self.ranks, start=start, scaler=self.scaler, stop=self.stop,
        )  # fmt: skip
        try:
            with metrics or nullcontext(), closing(self.follow(steps)) as watched:  # type: ignore[type-var]
                if self.unvalidated:
                    self._validate(start, per_epoch, metrics)
                    self._leave_or_save(start, per_epoch, stop=self.unvalidated)
                for step in watched:
                    if metrics:
                        metrics.write(_as_record(step))
                    last = step.number == step.of
                    if step.ends_epoch and job.validate and ((step.epoch + 1) % job.validate_every == 0 or last):
                        self.unvalidated = True
                        if not step.stopping:
                            self._validate(step.number, per_epoch, metrics)
                    stop = self.unvalidated or (step.stopping and not last)
                    if stop or (step.ends_epoch and ((step.epoch + 1) % job.saving.every == 0 or last)):
                        self._leave_or_save(step.number, per_epoch, stop=stop)
        except NotFiniteError as error:
            if self.ranks.first:
                said = {"schema": SCHEMA, "step": error.step, "videos": error.videos, "message": error.problem}
                write_text(job.out / "nonfinite.json", to_json(said, indent=2) + "\n")
            raise
        return self._finish(step, start)

    def _begin(self) -> int:
        """Put the run folder and the model into the state to start from; return the steps already taken."""
        job = self.job
        chosen = self._once(lambda: resume_from(job.out, job.resuming.from_, job.resuming.overwrite))
        if chosen is None:
            self._once(lambda: write_text(job.out / RECIPE, job.recipe))
            return 0
        checkpoint = Path(chosen)
        state = read_state(checkpoint)
        check_notes(checkpoint, state.notes)
        if not job.resuming.force:
            check_same(state.notes["settings"], job.settings)
        self.model.load_weights(read_weights(checkpoint))
        restore(self.model, self.optimizer, state)
        if self.scaler is not None and state.notes.get("scaler"):
            self.scaler.load_state_dict(state.notes["scaler"])
        self.best = tuple(state.notes["best"]) if state.notes.get("best") else None
        self.scores = dict(state.notes.get("scores", {}))
        self.unvalidated = bool(state.notes.get("unvalidated")) and job.validate is not None
        self._once(lambda: write_text(job.out / RECIPE, job.recipe))
        return int(state.notes["step"])

    def _leave_or_save(self, step: int, per_epoch: int, *, stop: bool) -> None:
        """Save, and raise StoppedError after it if training was asked to `stop`."""
        self._save(step, per_epoch)
        if stop:
            raise StoppedError(self.stop.signal, step, step_name(step))

    def _save(self, step: int, per_epoch: int) -> None:
        """Write a checkpoint on rank 0; all ranks go on, or none does."""
        job, name = self.job, step_name(step)
        if job.validate and step % per_epoch == 0 and self.scores and not self.unvalidated:
            value = next(iter(self.scores.values()))
            if self.best is None or value > self.best[1]:
                self.best = (name, value)

        def save() -> None:
            notes = {
                "schema": SCHEMA,
                "step": step,
                "settings": dict(job.settings),
                "scaler": self.scaler.state_dict() if self.scaler else None,
                "best": self.best,
                "scores": self.scores,
                "unvalidated": self.unvalidated,
            }
            state = state_of(self.model, self.optimizer, notes)
            files = job.model.tokenizing.files
            save_checkpoint(job.out, name, self.model.weights(), self._about(step, per_epoch), state, files)
            kept = {path.name for path in checkpoints_of(job.out)[-job.saving.last :]}
            clean(job.out, kept | ({self.best[0]} if self.best else set()))

        self._once(save)

    def _about(self, step: int, per_epoch: int, ensemble: float | None = None) -> dict[str, Any]:
        job = self.job
        said: dict[str, Any] = {"step": step, "epoch": step / per_epoch, "began": self.began, "scores": self.scores}
        if ensemble is not None:
            said["ensemble"] = {"original": job.model.name, "trained": step_name(step), "ratio": ensemble}
        return about_checkpoint(job.model, {**job.record, **said})

    def _validate(self, step: int, per_epoch: int, metrics: MetricsFile | None) -> None:
        """Evaluate on rank 0; where a signal stops it, the epoch stays `unvalidated` on all ranks."""

        def validate() -> Mapping[str, float] | None:
            assert self.job.validate is not None
            self.model.eval()
            with torch.no_grad():
                return self.job.validate(self.model, self.stop)

        found = self._once(validate)
        self.model.train()
        self.unvalidated = found is None
        if found is None:
            return
        self.scores = dict(found)
        if metrics:
            metrics.write({"step": step, "epoch": step // per_epoch - 1, "val": self.scores})

    def _finish(self, step: Step | None, start: int) -> Trained:
        job = self.job
        per_epoch = steps_per_epoch(job.batches, job.plan.accumulate, self.ranks.world)
        number = step.number if step else start

        def finish() -> str:
            last = job.out / "checkpoints" / step_name(number)
            if self.original is not None and job.saving.ensemble is not None:
                share = job.saving.ensemble
                weights = mixed(self.original, self.model.weights(), share)
                about, files = self._about(number, per_epoch, share), job.model.tokenizing.files
                last = save_checkpoint(job.out, step_name(number, share), weights, about, tokenizer=files)
            draw_curve(job.out / "metrics.jsonl", job.out / "loss.png")
            write_text(job.out / MANIFEST, to_json(self._manifest(number, last), indent=2) + "\n")
            return str(last)

        checkpoint = Path(str(self._once(finish)))
        broken = job.batches.counts.broken
        return Trained(step, checkpoint, self.scores, broken, self.best[0] if self.best else None)

    def _manifest(self, step: int, checkpoint: Path) -> dict[str, Any]:
        job = self.job
        return {
            "schema": SCHEMA,
            "finished": utc_stamp(),
            "argv": [without_secrets(word) for word in job.argv],
            "settings": dict(job.settings),
            "forced": job.resuming.force,
            "ranks": self.ranks.world,
            "threads": torch.get_num_threads(),
            "steps": step,
            "checkpoint": checkpoint.name,
            "best": self.best,
            "scores": self.scores,
            "counts": asdict(job.batches.counts),
            "model": {"name": job.model.name, "identity": job.model.identity},
            "versions": versions(),
        }

    def _original(self) -> dict[str, torch.Tensor]:
        """Return the weights to ensemble with: those at the start, without a temporal module that is new."""
        weights = copy_of(self.model.weights())
        new = self.model.temporal is not None and self.model.about.get("temporal") is None
        return {key: value for key, value in weights.items() if not (new and key.startswith("temporal."))}

    def _once(self, work: Callable[[], Any]) -> Any:
        """Do work on rank 0 and return its answer on every rank; where it fails there, it fails on all."""
        answer: Any = None
        error: Exception | None = None
        if self.ranks.first:
            try:
                answer = work()
            except Exception as caught:  # whatever it is, the other ranks wait for an answer
                error = caught
        if self.ranks.world == 1:
            if error:
                raise error
            return answer
        said = self.ranks.all_say((answer, str(error) if error else None))[0]
        if error:
            raise error
        if said[1]:
            raise MaxiError(f"rank 0 stopped: {said[1]}")
        return said[0]


def _as_record(step: Step) -> dict[str, Any]:
    """Return a step as it goes into metrics.jsonl."""
    record = asdict(step)
    record["step"] = record.pop("number")
    for key in ("of", "stopping", "ends_epoch"):
        del record[key]
    return {key: record[key] for key in ("step", *(key for key in record if key != "step"))}


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has used so far: of the device's memory, or its own on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
