"""`maxi train`: multiple instance learning on text bags."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, QuietFlag
from maxi_cli.terminal import announce, brought, complain, log_to, note, show_json, stdout, uploaded, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.recipe.recipe import Recipe
    from maxi_core.system.ranks import Ranks
    from maxi_core.training.run import Trained, TrainJob

SCHEMA = 1


@takes("train", "video", "eval.data_root", but=("video.clip_seconds", "video.short_side"))
def train(
    settings: Settings,
    resume: Annotated[str | None, typer.Option(help="latest, or a checkpoint folder of this training.")] = None,
    force_resume: Annotated[bool, typer.Option("--force-resume", help="Go on with other settings.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove the checkpoints that are there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take two steps, say what all take; write nothing.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train a CLIP on the text bags of a run; with --loss ce, on its matches or on labels.

    Example: maxi train runs/mine --model ViT-B-16-quickgelu/openai --keep 0.9 --out runs/mine/vitb16
    """
    from maxi_core.training.options import TrainSection

    if resume is not None and overwrite:
        raise UsageError("--resume goes on and --overwrite begins anew", "give one of them")
    recipe = settings.recipe()
    section = recipe.core("train", TrainSection)
    if not quiet and os.environ.get("RANK", "0") == "0":
        announce(f"loading {section.model}{brought(recipe, 'train')}")
    from maxi_core.system.ranks import joined
    from maxi_core.training.plan import finish_upload, make_training
    from maxi_core.training.run import Resuming

    resuming = Resuming(resume, force_resume, overwrite)
    with joined(section.device) as (ranks, where):
        again = resume is None and not overwrite and not dry_run
        if again and (left := ranks.once(lambda: finish_upload(recipe, settings.catalog))):
            if ranks.first:
                note(f"{left}: the training was complete, and what was left of it is uploaded")
                if json:
                    show_json({"schema": SCHEMA, "out": left})
            return
        job = make_training(
            settings.catalog, recipe, tuple(sys.argv), device=where, ranks=ranks, resuming=resuming, dry=dry_run
        )  # fmt: skip
        if ranks.first and not quiet:
            _say_what(job, ranks, recipe)
        if job.upload and ranks.first and not quiet and not dry_run:
            announce(f"{job.upload.at} is made in {job.upload.folder}; each checkpoint is uploaded when it is complete")
        if dry_run:
            _try(job, ranks, json=json)
        else:
            _train(job, ranks, json=json, quiet=quiet)


def _train(job: "TrainJob", ranks: "Ranks", *, json: bool, quiet: bool) -> None:
    from contextlib import nullcontext

    from maxi_cli.progress import follow_training
    from maxi_core.training.run import run_training
    from maxi_core.training.stopping import StoppedError

    try:
        with log_to(job.out / "run.log") if ranks.first else nullcontext():
            trained = run_training(job, follow_training(quiet=quiet or not ranks.first), ranks)
    except StoppedError as error:
        if ranks.first:
            note(str(error))
        raise typer.Exit(error.exit_code) from None
    if not ranks.first:
        return
    if job.upload:
        uploaded(job.upload, job.upload.run())
    if json:
        show_json({"schema": SCHEMA, **_as_json(job, trained)})
    else:
        _show(job, trained)
    videos = job.batches.per_epoch() * job.batch_size
    if 2 * trained.broken > videos:
        complain(
            f"{trained.broken} of {counted(videos, 'video')} could not be read: it was trained on the few "
            "others, again and again"
        )
        raise typer.Exit(ExitCode.SKIPPED)


def _say_what(job: "TrainJob", ranks: "Ranks", recipe: "Recipe") -> None:
    """Print what will be trained, on what and for how long."""
    from maxi_core.training.loop import steps_per_epoch
    from maxi_core.training.trainable import counts

    plan, size = job.plan, job.batch_size
    steps = steps_per_epoch(job.batches, plan.accumulate, ranks.world)
    every = size * ranks.world * plan.accumulate
    note(f"{job.model.name} on {job.settings['data']}, {job.model.device}, {plan.precision}")
    said = f"global batch {every}: {counted(size, 'video')} x {counted(ranks.world, 'rank')}"
    note(f"{said} x {plan.accumulate} accumulated{_against_the_paper(recipe, every, size * ranks.world)}")
    note(
        f"{counted(plan.epochs, 'epoch')} of {counted(steps, 'step')}, warm-up {counted(plan.warmup, 'step')} "
        f"to lr {plan.lr:g}, loss {job.objectives}"
    )
    if plan.warmup >= plan.epochs * steps:
        note("the warm-up is as long as the training: the learning rate never gets to --lr (see --warmup)")
    for line in job.objectives.costs():
        note(line)
    shown = ", ".join(f"{name} {_short(part)} of {_short(total)}" for name, (part, total) in counts(job.model).items())
    note(f"trained weights: {shown}")
    empty = job.batches.counts.empty
    if empty:
        note(f"{counted(empty, 'bag', 'have')} no texts: their videos learn the prompt of their match alone")


def _against_the_paper(recipe: "Recipe", batch: int, each: int) -> str:
    """Return the paper's batch where this one is another, and for its recipes how to have it here."""
    from maxi_core.recipe.shipped import PAPERS
    from maxi_core.training.options import FEWSHOT_BATCH, PAPER_BATCH, TrainSection

    paper = PAPER_BATCH if recipe.core("train", TrainSection).labels is None else FEWSHOT_BATCH
    if batch == paper:
        return ""
    of_paper = recipe.origins.get(("train", "batch_size"), "").removesuffix(".toml") in PAPERS
    more = f"; for it type --accum-freq {paper // each}" if of_paper and paper % each == 0 else ""
    return f"; the paper's is {paper}{more}"


def _short(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e5 else str(number)


def _try(job: "TrainJob", ranks: "Ranks", *, json: bool) -> None:
    """Take two steps and say what they took."""
    from dataclasses import asdict
    from itertools import islice

    from maxi_core.training.loop import train as loop
    from maxi_core.training.run import peak_memory
    from maxi_core.training.trainable import make_optimizer

    optimizer = make_optimizer(job.model, job.weight_decay, job.objectives.parameters.values())
    taken = list(islice(loop(job.model, job.batches, job.objectives, optimizer, job.plan, ranks=ranks), 2))
    peak, last = peak_memory(job.model.device), taken[-1]
    if not ranks.first:
        return
    seconds = last.of * (last.videos / len(taken)) / last.videos_per_s
    if json:
        show_json({"schema": SCHEMA, "peak_bytes": peak, "seconds": seconds, "steps": [asdict(step) for step in taken]})
        return
    console = stdout()
    for step in taken:
        console.print(f"step {step.number}: loss {step.loss:.4f}, {step.videos_per_s:.1f} videos/s")
    console.print(f"memory: {peak / 2**30:.1f} GiB at most so far")
    console.print(f"time: about {seconds / 60:.0f} min for {counted(last.of, 'step')}; nothing was written")


def _as_json(job: "TrainJob", trained: "Trained") -> dict[str, object]:
    step = trained.step
    return {
        "out": str(job.upload.at if job.upload else job.out),
        "checkpoint": str((job.upload.at if job.upload else job.out) / _within(job, trained)),
        "best": trained.best,
        "steps": step.number if step else None,
        "loss": step.loss if step else None,
        "sigma": step.sigma if step else None,
        "scores": dict(trained.scores),
        "broken": trained.broken,
    }


def _within(job: "TrainJob", trained: "Trained") -> str:
    return os.path.relpath(trained.checkpoint, job.out)


def _show(job: "TrainJob", trained: "Trained") -> None:
    console, step = stdout(), trained.step
    if step is None:
        console.print("every step was taken already")
    else:
        console.print(f"{counted(step.number, 'step')}, loss {step.loss:.4f}, sigma {step.sigma:.4f}")
    for name, value in trained.scores.items():
        console.print(visible(f"{name}: {value:.2f}"))
    if trained.broken:
        console.print(
            f"replaced {counted(trained.broken, 'video')} that could not be read: {job.out / 'skipped.jsonl'}"
        )
    shown = str(job.upload.at) if job.upload else os.path.relpath(job.out)
    console.print(visible(f"checkpoint: {shown}/{_within(job, trained)}"), soft_wrap=True)
    console.print(visible(f"next: maxi eval {shown} --benchmark NAME"), soft_wrap=True)
