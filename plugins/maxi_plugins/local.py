"""`local`: this process, or several worker processes on this machine."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from pydantic import Field

import maxi_core
from maxi_core import Engine, Failed, Work, hookimpl
from maxi_core.system.child import Child
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
        self._workers: list[Child] = []
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
        busy: dict[Any, tuple[int, Child]] = {}  # pipe -> place of the item, who is at it
        try:
            yield from self._shared_out(work, enumerate(items), busy)
        finally:
            for _, worker in busy.values():  # of a run that was left: nobody wants what they are at
                self._workers.remove(worker)
                worker.end(0)

    def close(self) -> None:
        """End the workers, which wait."""
        if self._here is not None:
            self._here.close()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.end(0 if worker.busy else GRACE)  # busy: of a run that nobody has ended

    def _shared_out(
        self, work: Work, rest: Iterator[tuple[int, str]], busy: dict[Any, tuple[int, Child]]
    ) -> Iterator[tuple[int, str | Failed]]:
        while True:
            while len(busy) < self.options.processes and (taken := next(rest, None)) is not None:
                worker = next((one for one in self._workers if one.pipe not in busy), None) or self._start(work)
                worker.send(taken[1])
                busy[worker.pipe] = (taken[0], worker)
            if not busy:
                return
            for pipe in wait(list(busy)):
                place, worker = busy.pop(pipe)
                result = worker.receive()
                if result is None:
                    self._workers.remove(worker)
                yield place, Failed(f"a worker process died ({worker.how})") if result is None else result

    def _start(self, work: Work) -> Child:
        self._workers.append(Child(_serve, work))
        return self._workers[-1]


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
