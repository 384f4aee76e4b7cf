"""Progress of a long loop: a bar on a terminal, else one plain line every few seconds; on rank 0 only."""

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from maxi_core.training.loop import Step

Item = TypeVar("Item")
PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


def follow(*, quiet: bool) -> Callable[[str, int, Iterable[Any]], Iterator[Any]]:
    """Return a function (title, total, items) -> the items, watched."""
    return lambda title, total, items: Progress(title, total, quiet=quiet).follow(items)


def progress(*, quiet: bool) -> Callable[[str, int], "Progress"]:
    """Return a function (title, total) -> who watches so many items, and may be told which could not be used."""
    return lambda title, total: Progress(title, total, quiet=quiet)


class Progress:
    """Counts what is done and skipped of `total` items and shows rate and time left on stderr."""

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        self.title, self.total = title, total
        self.done = self.skipped = 0
        self._shown = not quiet and os.environ.get("RANK", "0") == "0"
        self._began = self._last = time.monotonic()

    def follow(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items and show how far it is; `skip()` says that the last one could not be used."""
        if self._shown and sys.stderr.isatty():
            yield from self._with_bar(items)
            return
        for item in items:
            yield item
            self.done += 1
            self._say_now_and_then()

    def skip(self) -> None:
        """Count one skipped item."""
        self.skipped += 1

    def line(self) -> str:
        """Return one plain line: done/total, rate, time left, skipped."""
        elapsed = time.monotonic() - self._began
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate > 0 else "no estimate yet"
        return f"{self.title}: {self.done}/{self.total}, {rate:.1f}/s, {left}, {self.skipped} skipped"

    def _say_now_and_then(self) -> None:
        now = time.monotonic()
        if self._shown and now - self._last >= PLAIN_EVERY:
            self._last = now
            sys.stderr.write(self.line() + "\n")

    def _with_bar(self, items: Iterable[Item]) -> Iterator[Item]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        from maxi_cli.terminal import stderr

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[skipped]} skipped", markup=False),
        )
        with Bar(*columns, console=stderr(), transient=True) as bar:
            task = bar.add_task(self.title, total=self.total, skipped=0)
            for item in items:
                yield item
                self.done += 1
                bar.update(task, completed=self.done, skipped=self.skipped)


# Progress of a training: a live line on a terminal, else a plain line every few seconds.


def follow_training(*, quiet: bool) -> "Callable[[Iterator[Step]], Generator[Step, None, None]]":
    """Return a function that yields the steps it is given and shows them on stderr."""
    if quiet:
        return _silent
    return _live_steps if sys.stderr.isatty() else _plain_lines


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


def _plain_lines(steps: "Iterator[Step]") -> "Generator[Step, None, None]":
    began = time.monotonic()
    last = began - PLAIN_EVERY
    for taken, step in enumerate(steps, 1):
        yield step
        now = time.monotonic()
        if now - last >= PLAIN_EVERY or step.number == step.of:
            last = now
            sys.stderr.write(line(step, now - began, taken) + "\n")


def _live_steps(steps: "Iterator[Step]") -> "Generator[Step, None, None]":
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
