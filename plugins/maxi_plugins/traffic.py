"""How many requests may be under way at once: few at first and after a refusal, more with every answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Traffic:
    """Lets requests go: one until the first is answered, then up to `most`; half as many after "too many requests".

    So a wrong key is refused once, and a limit of three requests a minute is met without a storm of refusals. Whoever
    waits here is woken by `stop`, whose error everybody gets from then on, until `open`.
    """

    def __init__(self) -> None:
        self._most = 1
        self._limit = 1.0
        self._crowded = False  # after a refusal the limit grows by one for each round of answers, before by each answer
        self._under_way = 0
        self._not_before = 0.0
        self._error: BaseException | None = None
        self._changed = Condition()

    def open(self, most: int) -> None:
        """Let up to `most` requests go at once, also after a stop."""
        with self._changed:
            self._most, self._error = most, None
            self._limit = min(self._limit, most)

    def stop(self, error: BaseException) -> None:
        """Let no further request go: everybody who waits or comes gets `error`, the first one if there are several."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a turn and hold it; raises what `stop` was given."""
        with self._changed:
            while self._check() or self._under_way >= int(self._limit) or time.monotonic() < self._not_before:
                pause = self._not_before - time.monotonic()
                self._changed.wait(pause if pause > 0 else None)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answered(self) -> None:
        """Let more requests go at once: one was answered."""
        with self._changed:
            self._limit = min(self._most, self._limit + (1 / self._limit if self._crowded else 1))
            self._changed.notify_all()

    def refused(self, pause: float) -> None:
        """Let fewer go at once, and none for `pause` seconds: there were too many."""
        with self._changed:
            self._limit, self._crowded = max(1.0, self._limit / 2), True
            self._not_before = max(self._not_before, time.monotonic() + pause)

    def sleep(self, seconds: float) -> None:
        """Wait, without a turn; raises what `stop` was given, at once."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._check() and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _check(self) -> bool:
        if self._error is not None:
            raise self._error
        return False
