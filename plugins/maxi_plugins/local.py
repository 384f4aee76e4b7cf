"""`local`: this process, or several worker processes on this machine."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from pydantic import Field

import maxi_core
from maxi_core import Engine, Failed, Work, hookimpl
from maxi_core.system.threads import own_cores

GRACE = 5.0  # seconds that a worker has to end by itself


class Local(Engine):
    """Do all in this process, or share it out to worker processes, each with models of its own."""

    name = "local"

    class Options(maxi_core.Options):
        """How many processes do the work."""

        processes: int = Field(0, ge=0, le=256, description="worker processes; 0: all is done in this one")

        EFFORT = ("processes",)

    options: Options

    def __init__(self, options: Options | None = None) -> None:
        """Begin without workers."""
        super().__init__(options)
        self._workers: list[_Worker] = []
        self._here: Work | None = None

    @property
    def apart(self) -> bool:
        """Whether there are worker processes."""
        return self.options.processes > 0

    def cores(self) -> int | None:
        """Return an equal part of the cores that this process may use."""
        return max(1, own_cores() // self.options.processes) if self.apart else None

    def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
        """Yield the place of each item with its result."""
        if not self.apart:
            self._here = work
            yield from ((place, work(item)) for place, item in enumerate(items))
            return
        rest = enumerate(items)
        busy: dict[Any, tuple[int, _Worker]] = {}  # pipe -> place of the item, who is at it
        while True:
            while len(busy) < self.options.processes and (taken := next(rest, None)) is not None:
                worker = next((one for one in self._workers if one.pipe not in busy), None) or self._start(work)
                worker.hand(taken[1])
                busy[worker.pipe] = (taken[0], worker)
            if not busy:
                return
            for pipe in wait(list(busy)):
                place, worker = busy.pop(pipe)
                result = worker.result()
                if isinstance(result, Failed):
                    self._workers.remove(worker)
                yield place, result

    def close(self) -> None:
        """End the workers: those that wait by themselves, the others at once."""
        if self._here is not None:
            self._here.close()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.end()

    def _start(self, work: Work) -> "_Worker":
        self._workers.append(_Worker(work))
        return self._workers[-1]


class _Worker:
    """One process, and the pipe to it; texts go through it, and nothing that comes back is unpickled."""

    def __init__(self, work: Work) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(work, other), name="maxi worker")
        self._process.start()
        other.close()
        self._busy = False

    def hand(self, item: str) -> None:
        """Give it an item; if it is dead, `result` says so."""
        self._busy = True
        with suppress(OSError):
            self.pipe.send_bytes(item.encode())

    def result(self) -> str | Failed:
        """Return what came of the item, Failed if the process died."""
        try:
            self._busy, text = False, self.pipe.recv_bytes().decode()
        except (EOFError, OSError):
            self._process.join(GRACE)
            code = self._process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return Failed(f"a worker process died ({how})")
        return text

    def end(self) -> None:
        """End the process; whatever it is at is thrown away."""
        self._process.join(0 if self._busy else GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(GRACE)


def _serve(work: Work, pipe: "Connection[Any, Any]") -> None:
    """Do one item after the other until whoever hands them out hangs up; Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(work(pipe.recv_bytes().decode()).encode())
    work.close()


@hookimpl
def maxi_register_engines() -> Iterable[type[Engine]]:
    """Offer `local`."""
    return [Local]
