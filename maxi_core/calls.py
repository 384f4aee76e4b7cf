"""Calls into code that is not ours, in daemon threads: several at once, named when they take long, left at the end.

Interrupts reach the main thread alone, so a plugin can neither swallow nor delay Ctrl-C; a thread pool of the standard
library would hold the process until its last call has ended.
"""

import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

from maxi_core.errors import MaxiError

log = logging.getLogger("maxi")

SLOW = 60.0  # seconds without a result after which the source is named, and again after twice as long
MOST = 1800.0  # seconds without a result after which the run ends


class Calls:
    """Up to `threads` calls under way at once; `submit` them, and `next` waits for one to end."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._most = name, threads
        self._tasks: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._ended: SimpleQueue[BaseException | None] = SimpleQueue()  # what each raised
        self._threads: list[Thread] = []
        self._open = 0

    def __len__(self) -> int:
        """The number of calls that were submitted and whose end nobody has waited for."""
        return self._open

    def submit(self, call: Callable[[], object]) -> None:
        """Have a thread make a call as soon as one is free."""
        self._open += 1
        self._tasks.put(call)
        if len(self._threads) < min(self._open, self._most):
            self._threads.append(Thread(target=self._work, daemon=True, name=f"maxi-{self._name}"))
            self._threads[-1].start()

    def next(self) -> None:
        """Wait for a call to end; raises what it raised, and MaxiError after `MOST` seconds without an end."""
        began, slow = time.monotonic(), SLOW
        while True:
            try:
                error = self._ended.get(timeout=min(slow, MOST) - (time.monotonic() - began))
                break
            except (Empty, ValueError):  # ValueError: the time is over before the wait began
                if slow >= MOST:
                    raise MaxiError(
                        f"source '{self._name}' has not answered for {MOST / 60:.0f} minutes",
                        f"mend it, or leave it out: --without {self._name}",
                    ) from None
                log.warning("source '%s' has not answered for %.0f s; Ctrl-C stops the run", self._name, slow)
                slow *= 2
        self._open -= 1
        if error is not None:
            raise error

    def close(self, grace: float) -> None:
        """Make no further call, and give those under way `grace` seconds."""
        while not self._tasks.empty():
            self._tasks.get()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads, self._open = [], 0

    def _work(self) -> None:
        while (call := self._tasks.get()) is not None:
            try:
                call()
                self._ended.put(None)
            except BaseException as error:  # whoever waits for the end gets it
                self._ended.put(error)
