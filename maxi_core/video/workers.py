"""Worker processes that decode, each watched by a thread: one that dies or hangs costs one video, not the run."""

from __future__ import annotations

import logging
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, cast

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.child import how_it_ended
from maxi_core.system.text_files import excerpt
from maxi_core.video.frames import Decoded
from maxi_core.video.jobs import Job, Setup
from maxi_core.video.skips import AGAIN, VideoFailed
from maxi_core.video.wire import receive, send, unpack

log = logging.getLogger("maxi")

START = "import sys; sys.path[:] = {path!r}; from maxi_core.video.worker import main; main()"
STARTING = 60.0  # seconds for a process to import its decoder
GRACE = 5.0  # seconds for a process to end by itself before it is killed, and to be gone after that

Reply = Decoded | VideoFailed
Message = tuple[dict[str, Any], bytearray]


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(eq=False)
class _Worker:
    """One process, the thread that reads its answers, and the job it is at."""

    process: subprocess.Popen[bytes]
    thread: threading.Thread = field(init=False)
    ready: bool = False
    job: tuple[int, Job] | None = None
    deadline: float = 0.0

    @property
    def stdin(self) -> BinaryIO:
        return cast(BinaryIO, self.process.stdin)

    @property
    def stdout(self) -> BinaryIO:
        return cast(BinaryIO, self.process.stdout)


@dataclass(frozen=True, slots=True)
class _Event:
    """What a worker's thread saw: the answer to job `number`, word of its start, or None when the process was gone."""

    worker: _Worker
    number: int = -1
    message: Message | None = None


class Workers:
    """A pool of at most `count` processes; jobs go in with `submit`, answers come out of `collect` in any order.

    A worker takes its next job as soon as it has answered, whether anybody collects or not.
    """

    def __init__(self, setup: Setup, count: int, timeout: float, retries: int) -> None:
        self._setup, self._count, self._timeout, self._retries = setup, count, timeout, retries
        self._workers: list[_Worker] = []
        self._waiting: deque[tuple[int, Job]] = deque()
        self._tries: dict[int, int] = {}
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._lock = threading.Lock()  # over the jobs: those that wait and those that workers are at

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def submit(self, number: int, job: Job) -> None:
        """Queue a job under a number that tells its answer from others."""
        with self._lock:
            self._waiting.append((number, job))
        self._assign()

    def collect(self) -> tuple[int, Reply]:
        """Wait for the next answer to any job; raises MaxiError if no worker can start."""
        while True:
            answer = self._next()
            self._assign()
            if answer is not None:
                return answer

    def close(self) -> None:
        """End every process and thread; what is being decoded is thrown away."""
        workers, self._workers = self._workers, []
        with self._lock:  # so that no thread hands out another job
            self._waiting.clear()
            for worker in workers:
                worker.job = None
                with suppress(OSError):
                    worker.stdin.close()  # a worker leaves when its reader hangs up, a busy one too
        for worker in workers:
            self._end(worker, GRACE)

    def _assign(self) -> None:
        """Give waiting jobs to idle workers, and start workers while there are too few."""
        while True:
            with self._lock:
                for worker in self._workers:
                    if worker.job is None:
                        self._give(worker)
                short = bool(self._waiting) and len(self._workers) < self._count
            if not short:
                return
            self._workers.append(self._start())

    def _give(self, worker: _Worker) -> None:
        """Hand the next waiting job to an idle worker; the lock is held."""
        if not self._waiting:
            return
        worker.job = self._waiting.popleft()
        worker.deadline = time.monotonic() + self._timeout + (0 if worker.ready else STARTING)
        with suppress(OSError):  # it died meanwhile: its thread says so, and the job is tried again
            send(worker.stdin, worker.job[1].to_json())

    def _start(self) -> _Worker:
        with _interrupts_blocked():  # the process inherits that: Ctrl-C is not its business, from its first moment on
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
                [sys.executable, "-c", START.format(path=sys.path)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        worker = _Worker(process)
        worker.thread = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        with suppress(OSError):
            send(worker.stdin, asdict(self._setup))
        worker.thread.start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Read the answers of one worker until it is gone, and keep it busy."""
        while (message := receive(worker.stdout)) is not None:
            with self._lock:
                if "ready" in message[0]:
                    worker.ready, worker.deadline = True, time.monotonic() + self._timeout
                    self._events.put(_Event(worker, -1, message))  # whoever waits must look at the new deadline
                elif "broken" in message[0]:
                    self._events.put(_Event(worker, -1, message))
                elif worker.job is not None:  # else it was given up just now
                    self._events.put(_Event(worker, worker.job[0], message))
                    worker.job = None
                    self._give(worker)
        self._events.put(_Event(worker))

    def _next(self) -> tuple[int, Reply] | None:
        """Handle one event or one missed deadline; return an answer if it brought one."""
        with self._lock:
            deadlines = [worker.deadline for worker in self._workers if worker.job is not None]
        try:
            event = self._events.get(timeout=max(0.0, min(deadlines, default=0.0) - time.monotonic()))
        except queue.Empty:
            return self._lose_late()
        if event.message is not None and "broken" in event.message[0]:
            raise UsageError(*event.message[0]["broken"])
        if event.message is not None and event.number < 0:
            return None
        if event.message is not None:
            self._tries.pop(event.number, None)
            return event.number, unpack(*event.message)
        if event.worker in self._workers:
            return self._lose(event.worker, *_death(event.worker))
        return None

    def _lose_late(self) -> tuple[int, Reply] | None:
        now = time.monotonic()
        with self._lock:
            late = next((worker for worker in self._workers if worker.job and worker.deadline <= now), None)
        if late is None:
            return None
        return self._lose(late, f"it took longer than {self._timeout:g} s", "timeout", "raise --video-timeout")

    def _lose(self, worker: _Worker, why: str, kind: str, fix: str) -> tuple[int, Reply] | None:
        """Drop a worker that died or hangs; its job, if any, is tried again or answered with a failure."""
        with self._lock:
            job, worker.job = worker.job, None
        self._workers.remove(worker)
        self._end(worker, 0.0)
        if job is None:
            return None
        number = job[0]
        tries = self._tries[number] = self._tries.get(number, 0) + 1
        if tries <= self._retries:
            log.warning("%s: %s; it is tried again", excerpt(job[1].video.id, 300), why)
            with self._lock:
                self._waiting.appendleft(job)
            return None
        del self._tries[number]
        times = f" ({tries} times)" if tries > 1 else ""
        return number, VideoFailed(f"{why}{times}; {fix}", kind, fix, self._setup.decoder)

    @staticmethod
    def _end(worker: _Worker, grace: float) -> None:
        with suppress(OSError):
            worker.stdin.close()
        try:
            worker.process.wait(grace)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel, on a file system that is gone
                worker.process.wait(GRACE)
        worker.thread.join(GRACE)
        worker.stdout.close()


def _death(worker: _Worker) -> tuple[str, str, str]:
    code = worker.process.wait()
    how = how_it_ended(code)
    if not worker.ready:
        raise MaxiError(f"a worker process could not start ({how})", "look at its message, or use --workers 0")
    return f"it crashed the decoder ({how})", "crash", AGAIN
