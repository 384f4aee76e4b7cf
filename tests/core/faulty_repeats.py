"""Expanders that say something else when they are asked again: at once, in another process, opened anew."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import ClassVar

from maxi_core import Failed
from tests.core.faulty import AGAIN, ELSEWHERE, TWICE, caught_by
from tests.core.samples import Echo

Answers = list[list[str] | Failed]


@caught_by(TWICE)
class Forgets(Echo):
    """Fault: says something else each time it is made."""

    made = count()

    def __init__(self, options: object = None) -> None:
        super().__init__(options)  # type: ignore[arg-type]
        self.number = next(Forgets.made)

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {self.number}".strip()]


@caught_by(TWICE)
class Rolls(Echo):
    """Fault: draws from the global generator."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {random.random()}".strip()]


@caught_by(TWICE)
class Chooses(Echo):
    """Fault: draws one of two from NumPy's global generator, so that few seeds tell."""

    def phrases(self, entry: str) -> list[str] | Failed:
        import numpy as np

        return [f"{entry} {np.random.choice(['again', 'anew'])}"]


@caught_by(TWICE)
class Clocks(Echo):
    """Fault: says what time it is."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} at {time.perf_counter_ns()}"]


@caught_by(TWICE)
class Tires(Echo):
    """Fault: says less after twelve answers."""

    def phrases(self, entry: str) -> list[str] | Failed:
        self.said = getattr(self, "said", 0) + 1
        return [entry] if self.said > 12 else super().phrases(entry)


@caught_by(TWICE)
class Warms(Echo):
    """Fault: its first answer is another one than later ones."""

    def phrases(self, entry: str) -> list[str] | Failed:
        warm, self.warm = getattr(self, "warm", False), True
        return super().phrases(entry) if warm else [f"{entry} coldly"]


@caught_by(ELSEWHERE)
class OrdersBySet(Echo):
    """Fault: the order of its texts is that of a set."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return list(set(entry.split()))


@caught_by(ELSEWHERE)
class Hashes(Echo):
    """Fault: chooses by hash(), which another process computes otherwise."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {('gladly', 'slowly', 'again')[hash(entry) % 3]}"]


@caught_by(ELSEWHERE)
class LooksAround(Echo):
    """Fault: what it says depends on the folder in which it is run."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {len(os.listdir())}"]  # noqa: PTH208


@caught_by(ELSEWHERE)
class Greets(Echo):
    """Fault: what it says depends on the user."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{os.environ.get('USER', 'nobody')} {entry}"]


@caught_by(ELSEWHERE)
class Dates(Echo):
    """Fault: what it says depends on the time zone."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} at {time.localtime(0).tm_min} past"]


@caught_by(ELSEWHERE)
class NumbersTheWorld(Echo):
    """Fault: a counter of the process gives entries their numbers as they come."""

    numbers: ClassVar[dict[str, int]] = {}

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {self.numbers.setdefault(entry, len(self.numbers))}"]


class Loaded(Echo):
    """Loads something when it is opened."""

    model: str | None = None

    def open(self) -> None:
        self.model = "again"

    def phrases(self, entry: str) -> list[str] | Failed:
        assert self.model is not None, "it is closed"
        return [f"{entry} {self.model}"]


@caught_by(AGAIN)
class OpensOnce(Loaded):
    """Fault: opened a second time, it thinks that it is open still."""

    ready = False

    def open(self) -> None:
        if not self.ready:
            super().open()
        self.ready = True

    def close(self) -> None:
        self.model = None


@caught_by(AGAIN)
class ClosesForGood(Loaded):
    """Fault: an executor that was shut down is used again."""

    def __init__(self, options: object = None) -> None:
        super().__init__(options)  # type: ignore[arg-type]
        self.pool = ThreadPoolExecutor(1)

    def expand(self, entries: list[str]) -> Answers:
        return list(self.pool.map(self.phrases, entries))

    def close(self) -> None:
        self.pool.shutdown()


@caught_by(AGAIN)
class ClosesWhatIsOpen(Loaded):
    """Fault: cannot be closed without having been opened."""

    def open(self) -> None:
        super().open()
        self.file = open(os.devnull)  # noqa: PTH123, SIM115

    def close(self) -> None:
        self.file.close()


@caught_by(AGAIN)
class ClosesOnce(Loaded):
    """Fault: cannot be closed twice."""

    def close(self) -> None:
        if self.model is not None:
            self.model = None
            self.closed = getattr(self, "closed", 0) + 1
        elif getattr(self, "closed", 0):
            raise RuntimeError("closed already")


@caught_by(AGAIN)
class ForgetsItsState(Loaded):
    """Fault: opened again, it is not what it was."""

    def open(self) -> None:
        self.model = "anew" if getattr(self, "before", False) else "again"
        self.before = True
