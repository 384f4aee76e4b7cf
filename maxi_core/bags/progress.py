"""Who watches the stages of a run: a bar in a terminal, a line in a log, or nobody."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol


class Progress(Protocol):
    """Somebody who watches one stage."""

    def follow(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the items as they come."""
        ...

    def skip(self) -> None:
        """Hear that the last item could not be used."""
        ...


NewProgress = Callable[[str, int], Progress]  # title, number of items


class Unwatched:
    """Nobody watches: who makes bags as a library and shows no progress."""

    def __init__(self, title: str, total: int) -> None:
        pass

    def follow(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the items."""
        return iter(items)

    def skip(self) -> None:
        """Count nothing."""
