"""Making items ahead: beside their use, not too many, with the errors in their place, and nothing left behind."""

import threading
import time
from collections.abc import Generator

import pytest

from maxi_core.batches.loader import made_ahead


class Source:
    """Numbers, with a note of how many were made and whether it was closed."""

    def __init__(self, fails_at: int = 100) -> None:
        self.fails_at, self.made, self.closed = fails_at, 0, False
        self.third = threading.Event()

    def items(self) -> Generator[int, None, None]:
        try:
            for number in range(20):
                if number == self.fails_at:
                    raise ValueError("no more")
                self.made += 1
                if number == 2:
                    self.third.set()
                yield number
        finally:
            self.closed = True


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "maxi-batches"]


def test_all_items_come_in_order_and_the_thread_ends() -> None:
    source = Source()
    assert list(made_ahead(source.items(), 2)) == list(range(20))
    assert source.closed
    assert not threads()


def test_the_next_items_are_made_while_one_is_used_and_no_more_than_allowed() -> None:
    source = Source()
    items = made_ahead(source.items(), 2)
    assert next(items) == 0
    assert source.third.wait(10)
    time.sleep(0.05)
    assert source.made <= 4  # one is used, two are ready, one waits for room
    items.close()


def test_an_error_comes_where_the_item_would_have_come() -> None:
    items = made_ahead(Source(fails_at=2).items(), 5)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="no more"):
        next(items)
    assert not threads()


def test_leaving_early_closes_the_source_and_ends_the_thread() -> None:
    source = Source()
    items = made_ahead(source.items(), 1)
    next(items)
    items.close()
    assert source.closed
    assert not threads()
