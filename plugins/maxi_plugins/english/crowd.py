"""A reader that has other readers in processes of their own: the same answers in the same order, sooner."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from multiprocessing.connection import wait
from threading import Thread

from maxi_core.errors import MaxiError
from maxi_core.types import Failed
from maxi_plugins.english.clauses import Clause, Reader

BATCH = 256  # texts that a process gets at once
SAFE = "PYTHONSAFEPATH"
AHEAD = 3  # batches for each process that are under way

Read = list[list[Clause] | Failed]

_reader: list[Reader] = []  # of this process, if it is one of a crowd


class Crowd:
    """Reads texts with `size` processes; `make` makes a reader in each of them, and is a function of a module.

    The processes are started for the first text and end with this one, however it ends.
    """

    def __init__(self, make: Callable[[str], Reader], model: str, size: int) -> None:
        self._make, self._model, self._size = make, model, size

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
        return ProcessPoolExecutor(self._size, context, _start, (self._make, self._model))

    def read(self, texts: Iterable[str]) -> Iterator[list[Clause] | Failed]:
        """Yield the clauses of each text, in order; raises MaxiError if a process ends."""
        left, under_way = iter(texts), deque[Future[Read]]()
        try:
            while batch := list(islice(left, BATCH)):
                with _not_from_here():
                    under_way.append(self._pool.submit(_read, batch))
                if len(under_way) >= AHEAD * self._size:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        except BrokenProcessPool:
            raise MaxiError(
                "a process that reads texts has ended", "type -o verbs.processes=1, it may need less"
            ) from None


@contextmanager
def _not_from_here() -> Iterator[None]:
    """Let no process that starts import from the current folder, as spawn does until it is told our path."""
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE]
        else:
            os.environ[SAFE] = before


def _start(make: Callable[[str], Reader], model: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us says when we end
    Thread(target=_end_with_parent, daemon=True).start()
    _reader[:] = [make(model)]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _read(texts: list[str]) -> Read:
    return list(_reader[0].read(texts))
