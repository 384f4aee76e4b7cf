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

State = tuple[str, Callable[[], Any], Callable[[Any], object]]  # how it is called, read and set

_named: set[tuple[str, str]] = set()  # (plugin, what) that were said


@contextmanager
def untouched(name: str, when: str) -> Iterator[None]:
    """Put back what a plugin changes of the working folder, maxi's variables, random numbers and torch's settings."""
    with _put_back(name, when, [*_settings(), *_of_python(), *_default_device(), *_random_numbers(), *_gradients()]):
        yield


@contextmanager
def same_settings(name: str, when: str, *, often: bool = True) -> Iterator[None]:
    """Put back the working folder and torch's default type if a plugin changes them; random numbers may be drawn.

    It takes microseconds. What is not done `often` is looked at for torch's default device, too, which takes longer.
    """
    with _put_back(name, when, _settings() if often else [*_settings(), *_default_device()]):
        yield


@contextmanager
def _put_back(name: str, when: str, states: list[State]) -> Iterator[None]:
    before = [(what, read(), read, write) for what, read, write in states]
    try:
        yield
    finally:
        for what, old, read, write in before:
            if not _same(old, read()):
                write(old)
                if what and (name, what) not in _named:
                    _named.add((name, what))
                    log.warning("'%s' changed %s %s; it was put back", name, what, when)


# What is looked at, "" if it is not named; of a library only if it is there.


def _settings() -> list[State]:
    found: list[State] = [("the working folder", _folder, _go)]
    if (torch := _torch()) is not None:
        found.append(("torch's default type", torch.get_default_dtype, torch.set_default_dtype))
    return found


def _of_python() -> list[State]:
    limit: State = ("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    return [("variables MAXI_...", _variables, _set_variables), limit]


def _default_device() -> list[State]:
    torch = _torch()
    return [] if torch is None else [("torch's default device", torch.get_default_device, _set_device)]


def _random_numbers() -> list[State]:
    found: list[State] = [("", random.getstate, random.setstate)]
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        found.append(("", numpy.random.get_state, numpy.random.set_state))
    if (torch := _torch()) is not None:
        found.append(("", torch.get_rng_state, torch.set_rng_state))
    return found


def _gradients() -> list[State]:
    torch = _torch()
    return [] if torch is None else [("torch's gradient mode", torch.is_grad_enabled, torch.set_grad_enabled)]


def _torch() -> Any:
    """Return torch if it has been imported to its end."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "get_default_dtype") else None


def _set_device(device: Any) -> None:
    sys.modules["torch"].set_default_device(None if device.type == "cpu" else device)  # None: as if none was ever set


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
