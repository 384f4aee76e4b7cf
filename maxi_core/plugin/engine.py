"""The role of an engine: who does work that falls into many items, on this machine or on many."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Protocol

from maxi_core.settings.options import Configured
from maxi_core.types import Failed


class Work(Protocol):
    """A function from a text to a text, and its end; each worker has a copy of its own and keeps it between items."""

    def __call__(self, item: str) -> str:
        """Return the result of an item; what goes wrong is a result, too, so that only a dead worker gives none."""
        ...

    def close(self) -> None:
        """Let go of what was made ready for the items."""
        ...


class Engine(Configured):
    """Maps work over items, each done by one of many workers, which may die."""

    role = "engine"

    @property
    def apart(self) -> bool:
        """Whether there are workers; without, a run does all in its own process and hands over nothing."""
        return True

    def check(self) -> None:
        """Raise MaxiError, in one line with what to do, if it cannot work here: a package is not installed."""

    def cores(self) -> int | None:
        """Return how many cores a worker has to itself, None if that is not set."""
        return None

    @abstractmethod
    def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
        """Yield the place of each item with its result as soon as it is there, in any order.

        Each worker gets a copy of `work` once, pickled, and items one by one. They are taken from `items` only when a
        worker is free for one. An item whose worker died is Failed, with the reason, and is not tried again. Workers
        stay for further calls with the same `work`. Raises MaxiError if there can be no worker at all.
        """
        yield from ()

    def close(self) -> None:
        """End all workers; called in the end, after an error or an interrupt too."""
