"""What all code of a process shares: what a plugin changes of it is put back.

The working folder, maxi's own variables, the recursion limit and torch's settings are named, too; random numbers are
not, since merely importing some libraries draws from them.
"""

import logging
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

log = logging.getLogger("maxi.plugins")

_named: set[tuple[str, str]] = set()  # (plugin, what) that were said


@contextmanager
def untouched(name: str, when: str) -> Iterator[None]:
    """Put back what a plugin changes of the working folder, maxi's variables, random numbers and torch's settings."""
    before = [(what, read(), read, write) for what, read, write in _states()]
    try:
        yield
    finally:
        for what, old, read, write in before:
            if not _same(old, read()):
                write(old)
                if what and (name, what) not in _named:
                    _named.add((name, what))
                    log.warning("'%s' changed %s %s; it was put back", name, what, when)


def _states() -> Iterator[tuple[str, Callable[[], Any], Callable[[Any], object]]]:
    """Yield what is looked at, "" if it is not named, and how it is read and set; of a library only if it is there."""
    yield "the working folder", _folder, _go
    yield "variables MAXI_...", _variables, _set_variables
    yield "the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit
    yield "", random.getstate, random.setstate
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and hasattr(numpy, "random"):
        yield "", numpy.random.get_state, numpy.random.set_state
    if torch is not None and hasattr(torch, "get_default_dtype"):
        yield "", torch.get_rng_state, torch.set_rng_state
        yield "torch's default type", torch.get_default_dtype, torch.set_default_dtype
        yield "torch's gradient mode", torch.is_grad_enabled, torch.set_grad_enabled


def _folder() -> str | None:
    with suppress(OSError):  # it was deleted
        return os.getcwd()  # noqa: PTH109 (a text, to compare and to go back to)
    return None


def _go(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _variables() -> dict[str, str]:
    """Return the variables that are maxi's own; libraries set theirs when they are imported."""
    return {name: value for name, value in os.environ.items() if name.startswith("MAXI_")}


def _set_variables(before: dict[str, str]) -> None:
    for name in _variables().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except (ValueError, RuntimeError):  # arrays, alone or in a tuple
        pairs = zip(old, new, strict=True) if isinstance(old, tuple) else [(old, new)]
        return all(bool(equal.all()) if hasattr(equal := one == other, "all") else equal for one, other in pairs)
