"""Engines with one fault each, which its docstring names."""

import copy
import signal
from collections.abc import Iterable, Iterator

from maxi_core import Failed, Work
from tests.core.faulty import (
    CLOSED,
    DIED,
    FREE,
    KEPT,
    LEFT,
    PROCESS,
    RESULT,
    caught_by,
)
from tests.core.samples import Beside, Here

Results = Iterator[tuple[int, str | Failed]]


@caught_by(RESULT)
class ForgetsTheLast(Here):
    """Fault: gives no result of the last item."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        found = list(super().run(work, items))
        yield from found[:-1]


@caught_by(RESULT)
class SaysTwice(Here):
    """Fault: gives each result twice."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for found in super().run(work, items):
            yield found
            yield found


@caught_by(RESULT)
class FromOne(Here):
    """Fault: counts places from 1."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for place, result in super().run(work, items):
            yield place + 1, result


@caught_by(RESULT)
class Strips(Here):
    """Fault: strips items."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        return super().run(work, (item.strip() for item in items))


@caught_by(RESULT)
class NoCores(Here):
    """Fault: says that a worker has no core."""

    def cores(self) -> int:
        return 0


@caught_by(RESULT)
class Gives(Here):
    """Fault: gives bytes."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for place, result in super().run(work, items):
            yield place, str(result).encode()  # type: ignore[misc]


@caught_by(FREE)
class TakesAll(Here):
    """Fault: takes all items before it begins."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        return super().run(work, list(items))


@caught_by(KEPT)
class CopiesForEachItem(Here):
    """Fault: copies the work for each item, which loads the models anew."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for place, item in enumerate(items):
            yield place, copy.copy(work)(item)


@caught_by(KEPT)
class CopiesForEachRun(Here):
    """Fault: copies the work for each run."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        return super().run(copy.copy(work), items)


@caught_by(DIED)
class RaisesAtDeath(Beside):
    """Fault: raises if a worker dies."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for place, result in super().run(work, items):
            if isinstance(result, Failed):
                raise RuntimeError(result.reason)
            yield place, result


@caught_by(DIED)
class EmptyAtDeath(Beside):
    """Fault: gives an empty text if a worker dies."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        for place, result in super().run(work, items):
            yield place, "" if isinstance(result, Failed) else result


@caught_by(DIED)
class WorksHere(Here):
    """Fault: says that it has workers, and works in this process."""

    apart = True


@caught_by(LEFT)
class AnswersLate(Here):
    """Fault: gives the next run what one that was left had not taken."""

    def __init__(self, *options: object) -> None:
        super().__init__(*options)
        self.late: list[tuple[int, str | Failed]] = []

    def run(self, work: Work, items: Iterable[str]) -> Results:
        yield from self.late
        self.late = []
        for found in super().run(work, items):
            self.late = [found]
            yield found
        self.late = []


@caught_by(CLOSED)
class NeverCloses(Here):
    """Fault: does not close the work."""

    def close(self) -> None:
        """Close nothing."""


@caught_by(PROCESS)
class TakesInterrupts(Here):
    """Fault: takes Ctrl-C."""

    def run(self, work: Work, items: Iterable[str]) -> Results:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return super().run(work, items)
