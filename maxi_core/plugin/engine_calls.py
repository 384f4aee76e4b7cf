"""Calls of an engine, which is not ours: one that raises, or gives what is no result of its items, is named."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from maxi_core.errors import LEAVING, MaxiError, PluginError, deed, one_line
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.engine import Engine, Work
from maxi_core.texts import counted
from maxi_core.types import Failed

log = logging.getLogger("maxi.plugins")


def check(engine: Engine) -> None:
    """Have an engine say whether it can work here; raises its MaxiError, or PluginError that names it."""
    with blamed(engine.label, "when it was asked whether it can work here"):
        engine.check()


def is_apart(engine: Engine) -> bool:
    """Return whether an engine has workers; raises PluginError if that is not to be had."""
    with blamed(engine.label, "when it was asked whether it has workers"):
        return bool(engine.apart)


def cores_of(engine: Engine) -> int | None:
    """Return how many cores a worker of an engine has, None if that is not set; raises PluginError for no number."""
    with blamed(engine.label, "when it was asked for the cores of a worker"):
        said: object = engine.cores()
    if said is not None and (isinstance(said, bool) or not isinstance(said, int) or said < 1):
        raise PluginError(f"engine '{engine.label}' gave {said!r:.80} for the cores of a worker, which has one or more")
    return said


@contextmanager
def closed(engine: Engine) -> Iterator[None]:
    """Close an engine in the end; raises PluginError if it cannot be closed, unless an error is under way."""
    try:
        yield
    except BaseException:
        try:
            engine.close()
        except LEAVING:
            raise
        except BaseException as error:
            log.warning("engine '%s' %s when it was closed", engine.label, deed(error))
        raise
    with blamed(engine.label, "when it was closed"):
        engine.close()


def results(engine: Engine, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
    """Yield the place of each item with its result, as the engine gives them.

    Raises PluginError that names it where it raises, gives something else than places and results, or one twice, or
    ends before each item that it took has a result. What is raised where items are made is not the engine's doing.
    """
    handed_out = _HandedOut(items)
    with _named(engine, handed_out):
        running = iter(engine.run(work, handed_out))
    while True:
        with _named(engine, handed_out):
            found: object = next(running, _END)
        if found is _END:
            break
        place, result = _checked(engine.label, found)
        if place not in handed_out.places:
            raise PluginError(f"engine '{engine.label}' gave a result of the item {place}, which none waits for")
        handed_out.places.remove(place)
        yield place, result
    if missing := sorted(handed_out.places):
        raise PluginError(f"engine '{engine.label}' gave no result of {counted(len(missing), 'item')} that it took")


class _HandedOut:
    """Items as an engine takes them, the places of those without a result, and what was raised where one was made."""

    def __init__(self, items: Iterable[str]) -> None:
        self._items = enumerate(items)
        self.places: set[int] = set()
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            place, item = next(self._items)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise
        self.places.add(place)
        return item


_END = object()


@contextmanager
def _named(engine: Engine, handed_out: _HandedOut) -> Iterator[None]:
    try:
        yield
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        if handed_out.error is not None:
            raise handed_out.error from None
        log.debug("engine %s raised", engine.label, exc_info=True)
        raise PluginError(
            f"engine '{engine.label}' {deed(error)} when it ran", "the traceback: maxi --log-level debug ..."
        ) from error


def _checked(name: str, found: object) -> tuple[int, str | Failed]:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise PluginError(f"engine '{name}' gave {found!r:.80}, not the place of an item and its result")
    place, result = found
    if isinstance(place, bool) or not isinstance(place, int):
        raise PluginError(f"engine '{name}' gave {place!r:.80} for the place of an item, not a whole number")
    if isinstance(result, Failed):
        return place, Failed(one_line(result.reason))
    if not isinstance(result, str):
        raise PluginError(f"engine '{name}' gave {result!r:.80} for the result of an item, not a text or Failed")
    return place, result
