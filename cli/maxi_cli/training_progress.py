"""Progress of a training: a live line on a terminal, else a plain line every few seconds."""

import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from maxi_cli.progress import PLAIN_EVERY

if TYPE_CHECKING:
    from maxi_core.training.steps import Step


def follow(*, quiet: bool) -> "Callable[[Iterator[Step]], Generator[Step, None, None]]":
    """Return a function that yields the steps it is given and shows them on stderr."""
    if quiet:
        return _silent
    return _live if sys.stderr.isatty() else _plain


def line(step: "Step", seconds: float, taken: int) -> str:
    """Return a step in one line: epoch, loss, lr, sigma, videos/s, time left, waiting."""
    left = seconds / taken * (step.of - step.number)
    skipped = ", left out: not finite" if step.skipped else ""
    return (
        f"step {step.number}/{step.of} epoch {step.epoch + 1}: loss {step.loss:.4f}, lr {step.lr:.2g}, "
        f"sigma {step.sigma:.4f}, {step.videos_per_s:.1f} videos/s, {_clock(left)} left, "
        f"{step.data_wait:.0%} waiting for data{skipped}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _silent(steps: "Iterator[Step]") -> "Generator[Step, None, None]":
    yield from steps


def _plain(steps: "Iterator[Step]") -> "Generator[Step, None, None]":
    began = time.monotonic()
    last = began - PLAIN_EVERY
    for taken, step in enumerate(steps, 1):
        yield step
        now = time.monotonic()
        if now - last >= PLAIN_EVERY or step.number == step.of:
            last = now
            sys.stderr.write(line(step, now - began, taken) + "\n")


def _live(steps: "Iterator[Step]") -> "Generator[Step, None, None]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from maxi_cli.terminal import stderr

    columns = (
        TextColumn("epoch {task.fields[epoch]}", markup=False),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[said]}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("", total=None, epoch=1, said="")
        for step in steps:
            yield step
            said = f"loss {step.loss:.3f} lr {step.lr:.1g} sigma {step.sigma:.4f} {step.videos_per_s:.0f}/s"
            said += f" wait {step.data_wait:.0%}"
            bar.update(task, total=step.of, completed=step.number, epoch=step.epoch + 1, said=said)
