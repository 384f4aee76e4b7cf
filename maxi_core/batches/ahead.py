"""Making the next items while the last one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

LOOK = 0.1  # seconds between two looks at whether anybody still wants items
GRACE = 5.0  # seconds that closing waits for the item that is being made; a video may hang for longer


def made_ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """Yield the items of a generator that runs in a thread of its own, at most `count` items ahead.

    What it raises is raised here, in its place. The generator is closed when this one ends, early or not.
    """
    made: queue.Queue[T | _End] = queue.Queue(count)
    unwanted = threading.Event()

    def put(item: T | _End) -> None:
        while not unwanted.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=LOOK)
                return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if unwanted.is_set():
                    break
            items.close()
        except BaseException as raised:  # the consumer is told, whatever it is
            error = raised
        put(_End(error))

    thread = threading.Thread(target=work, name="maxi-batches", daemon=True)
    thread.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        unwanted.set()
        thread.join(GRACE)


class _End:
    """The last item: nothing more comes, because of an error or not."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
