"""Expanders that leave something behind: in the process, in what they were given, between threads, by their effort."""

import logging
import os
import random
import signal
import sqlite3
import threading
import time
import warnings

from pydantic import Field

from maxi_core import Failed
from tests.core.faulty import DOCUMENTED, EFFORT, INPUTS, NOTES, PROCESS, THREADS, caught_by
from tests.core.samples import Echo, Pool

Answers = list[list[str] | Failed]


@caught_by(INPUTS)
class Pops(Echo):
    """Fault: empties the list that it was given."""

    def expand(self, entries: list[str]) -> Answers:
        answers = []
        while entries:
            answers.append(self.phrases(entries.pop(0)))
        return answers


@caught_by(INPUTS)
class Lowers(Echo):
    """Fault: rewrites the list that it was given."""

    def expand(self, entries: list[str]) -> Answers:
        answers = super().expand(entries)
        entries[:] = ["".join(entry) for entry in map(list, entries)]
        return answers


@caught_by(INPUTS)
class AnswersInPlace(Echo):
    """Fault: writes its answers over its questions."""

    def expand(self, entries: list[str]) -> Answers:
        for place, entry in enumerate(entries):
            entries[place] = self.phrases(entry)  # type: ignore[call-overload]
        return entries  # type: ignore[return-value]


@caught_by(INPUTS)
class ReusesItsList(Echo):
    """Fault: returns the same list from every call."""

    def open(self) -> None:
        self.answers: Answers = []

    def expand(self, entries: list[str]) -> Answers:
        self.answers.clear()
        self.answers.extend(self.phrases(entry) for entry in entries)
        return self.answers


@caught_by(PROCESS)
class Prints(Echo):
    """Fault: prints what it is asked."""

    def phrases(self, entry: str) -> list[str] | Failed:
        print(entry)
        return super().phrases(entry)


@caught_by(PROCESS)
class PrintsBelowPython(Echo):
    """Fault: writes to descriptor 1, as a library in C does."""

    def open(self) -> None:
        os.write(1, b"loading\n")


@caught_by(PROCESS)
class Moves(Echo):
    """Fault: changes the current folder."""

    def open(self) -> None:
        os.chdir(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120


@caught_by(PROCESS)
class SetsTheEnvironment(Echo):
    """Fault: switches something off for everybody by a variable."""

    def open(self) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "maybe"


@caught_by(PROCESS)
class Seeds(Echo):
    """Fault: seeds Python's generator, for answers that repeat."""

    def phrases(self, entry: str) -> list[str] | Failed:
        random.seed(entry)
        return [f"{entry} {random.random()}"]


@caught_by(PROCESS)
class SeedsNumpy(Echo):
    """Fault: seeds NumPy's generator."""

    def open(self) -> None:
        import numpy as np

        np.random.seed(0)


@caught_by(PROCESS)
class SeedsTorch(Echo):
    """Fault: seeds torch's generator."""

    def phrases(self, entry: str) -> list[str] | Failed:
        import torch

        torch.manual_seed(len(entry))
        return [f"{entry} {torch.rand(()).item()}"]


@caught_by(PROCESS)
class DrawsFromTorch(Echo):
    """Fault: draws from torch's generator, though nothing of it shows."""

    def open(self) -> None:
        import torch

        torch.nn.Linear(2, 2)


@caught_by(PROCESS)
class StopsGradients(Echo):
    """Fault: switches gradients off for everybody."""

    def open(self) -> None:
        import torch

        torch.set_grad_enabled(False)


@caught_by(PROCESS)
class MakesAllDouble(Echo):
    """Fault: changes torch's default type."""

    def open(self) -> None:
        import torch

        torch.set_default_dtype(torch.float64)


@caught_by(PROCESS)
class TakesAllThreads(Echo):
    """Fault: changes the number of torch's threads."""

    def open(self) -> None:
        import torch

        torch.set_num_threads(torch.get_num_threads() + 1)


@caught_by(PROCESS)
class HidesWarnings(Echo):
    """Fault: switches warnings off for everybody."""

    def phrases(self, entry: str) -> list[str] | Failed:
        warnings.simplefilter("ignore")
        return super().phrases(entry)


@caught_by(PROCESS)
class SilencesLogs(Echo):
    """Fault: switches logging off for everybody."""

    def open(self) -> None:
        logging.disable(logging.CRITICAL)


@caught_by(PROCESS)
class TakesCtrlC(Echo):
    """Fault: takes Ctrl-C for itself."""

    def open(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@caught_by(PROCESS)
class LeavesAThread(Echo):
    """Fault: a thread of it goes on after close(), and keeps the process from ending."""

    def open(self) -> None:
        self.ends = threading.Event()
        threading.Thread(target=self.ends.wait, args=(6,)).start()


@caught_by(THREADS)
class SharesABuffer(Pool):
    """Fault: is asked by several threads at once, and they write into one buffer."""

    def expand(self, entries: list[str]) -> Answers:
        self.buffer: Answers = []
        for entry in entries:
            time.sleep(0.0005)
            self.buffer.append(Echo.phrases(self, entry))
        return self.buffer[: len(entries)] + [[] for _ in range(len(entries) - len(self.buffer))]


@caught_by(THREADS)
class SharesAVariable(Pool):
    """Fault: is asked by several threads at once, and keeps its question on itself."""

    def phrases(self, entry: str) -> list[str] | Failed:
        self.now = entry
        time.sleep(0.0005)
        return [f"{self.now} again"]


@caught_by(THREADS)
class KeepsToOneThread(Echo):
    """Fault: a database that only the thread that opened it may use."""

    def open(self) -> None:
        self.base = sqlite3.connect(":memory:")

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {self.base.execute('select 7').fetchone()[0]}"]

    def close(self) -> None:
        if hasattr(self, "base"):
            self.base.close()


@caught_by(THREADS)
class KeepsOnTheThread(Echo):
    """Fault: what open() made is seen by that thread alone."""

    def open(self) -> None:
        self.mine = threading.local()
        self.mine.style = "gladly"

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {getattr(self.mine, 'style', 'sadly')}"]


@caught_by(EFFORT)
class ChunksShow(Pool):
    """Fault: the size of its chunks, an option of EFFORT, shows in its answers."""

    def expand(self, entries: list[str]) -> Answers:
        return [[f"{entry} {place // self.options.chunk}"] for place, entry in enumerate(entries)]


@caught_by(EFFORT)
class SpeedShows(Pool):
    """Fault: the slow way, an option of EFFORT, says more."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [entry] if self.options.speed == "fast" else [entry, f"{entry} slowly"]


@caught_by(EFFORT)
class BatchShows(Echo):
    """Fault: says so many phrases as the core has set for its batch."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {turn}" for turn in range(min(4, self.batch))]


@caught_by(EFFORT)
class LosesWhatIsBeyondABatch(Echo):
    """Fault: answers no more than `batch` items, whatever it is given."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in entries[: self.batch]]


@caught_by(EFFORT)
class ConcurrencyShows(Echo):
    """Fault: goes another way when it is asked by several at once."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [entry] if self.concurrency > 1 else super().phrases(entry)


@caught_by(DOCUMENTED)
class MisspellsEffort(Pool):
    """Fault: EFFORT names an option that there is not."""

    class Options(Pool.Options):
        EFFORT = ("chunks",)


@caught_by(DOCUMENTED)
class HasABatchOfItsOwn(Echo):
    """Fault: an option that every source has already."""

    class Options(Echo.Options):
        batch: int = Field(4, description="entries at once")


@caught_by(DOCUMENTED)
class HasNoBatch(Echo):
    """Fault: batches of nothing."""

    batch = 0


@caught_by(NOTES)
class NotesAString(Echo):
    """Fault: its notes are one string."""

    def notes(self) -> list[str]:
        return "all went well"  # type: ignore[return-value]


@caught_by(NOTES)
class NotesNothing(Echo):
    """Fault: a note that is None."""

    def notes(self) -> list[str]:
        return [None]  # type: ignore[list-item]


@caught_by(NOTES)
class NotesBeforeItIsOpen(Echo):
    """Fault: cannot be asked for notes unless it was opened."""

    def open(self) -> None:
        self.said = 0

    def notes(self) -> list[str]:
        return [f"it said {self.said}"]
