"""Bars of progress that libraries draw by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_bars_of_transformers() -> Iterator[None]:
    """Keep transformers from drawing a bar for the second that loading or saving takes."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
