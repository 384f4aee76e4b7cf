"""How fast the steps come, and how much of the time is spent waiting for data."""

import time


class Clock:
    """Times steps; `with clock.waiting()` marks the time in which data was waited for."""

    def __init__(self) -> None:
        self._began, self._waited, self._asked = time.perf_counter(), 0.0, 0.0

    def waiting(self) -> "Clock":
        """Return this clock, to be entered where data is asked for."""
        return self

    def __enter__(self) -> None:
        self._asked = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._waited += time.perf_counter() - self._asked

    def lap(self, videos: int) -> tuple[float, float]:
        """Return videos a second, and the share of waiting, since the last lap."""
        now = time.perf_counter()
        took, waited = max(now - self._began, 1e-9), self._waited
        self._began, self._waited = now, 0.0
        return videos / took, waited / took
