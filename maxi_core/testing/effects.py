"""What a plugin leaves behind in the process: nothing, since others compute, print and draw random numbers in it."""

import io
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from maxi_core.testing.subject import Subject, ask, opened, shown

PATIENCE = 2.0  # seconds that threads have to end after close()
_OURS = ("PYTEST_CURRENT_TEST",)


@dataclass(frozen=True)
class Trait:
    """One thing of the process that everything in it shares: how it is read and put back, and what to do instead.

    Importing a library may change one that is not `steady`, the first time.
    """

    read: Callable[[], Any]
    write: Callable[[Any], object]
    fix: str
    steady: bool = False


def _numpy() -> Any:
    return sys.modules.get("numpy")


def _torch() -> Any:
    return sys.modules.get("torch")


def _torch_or(default: Any, read: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: read(_torch()) if _torch() else default


def _to_torch(write: Callable[[Any, Any], object]) -> Callable[[Any], object]:
    return lambda value: None if value is None or not _torch() else write(_torch(), value)


def _numpy_state() -> Any:
    if not _numpy():
        return None
    kind, keys, *rest = _numpy().random.get_state()
    return (kind, keys.tolist(), *rest)


def _write_environment(variables: dict[str, str]) -> None:
    for name in set(os.environ) - set(variables) - set(_OURS):
        del os.environ[name]
    os.environ.update(variables)


def _signals() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def _write_signals(handlers: list[Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            if handler is not None:  # one that was not set from Python cannot be set by it
                signal.signal(number, handler)


def _write_logging(kept: tuple[int, int]) -> None:
    logging.root.setLevel(kept[0])
    logging.disable(kept[1])


def _write_path(entries: list[str]) -> None:
    sys.path[:] = entries


NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
TORCH_RANDOM = "the random state of torch"
OWN_RANDOM = "draw from a generator of your own, seeded by the item"
TRAITS: dict[str, Trait] = {
    "the current folder": Trait(os.getcwd, os.chdir, "use absolute paths", steady=True),
    "the environment": Trait(
        lambda: {name: value for name, value in os.environ.items() if name not in _OURS},
        _write_environment,
        "give a library its settings as arguments",
    ),
    "the random state of Python": Trait(random.getstate, random.setstate, OWN_RANDOM),
    "the random state of NumPy": Trait(
        _numpy_state, lambda state: None if state is None else _numpy().random.set_state(state), OWN_RANDOM
    ),
    "NumPy's handling of errors": Trait(
        lambda: _numpy().geterr() if _numpy() else NUMPY_ERRORS,
        lambda kept: _numpy().seterr(**kept) if _numpy() else None,
        "use `with numpy.errstate(...)`",
        steady=True,
    ),
    TORCH_RANDOM: Trait(
        _torch_or(None, lambda torch: bytes(torch.get_rng_state().numpy())),
        _to_torch(lambda torch, state: torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))),
        "draw from a torch.Generator of your own, or inside `with torch.random.fork_rng()`",
    ),
    "torch's gradient mode": Trait(
        _torch_or(True, lambda torch: torch.is_grad_enabled()),
        _to_torch(lambda torch, on: torch.set_grad_enabled(on)),
        "use `with torch.no_grad()`",
        steady=True,
    ),
    "torch's default type": Trait(
        _torch_or("float32", lambda torch: str(torch.get_default_dtype()).removeprefix("torch.")),
        _to_torch(lambda torch, name: torch.set_default_dtype(getattr(torch, name))),
        "give tensors and modules their dtype",
        steady=True,
    ),
    "torch's default device": Trait(
        _torch_or("cpu", lambda torch: str(torch.get_default_device())),
        _to_torch(lambda torch, device: torch.set_default_device(device)),
        "give tensors and modules their device",
        steady=True,
    ),
    "torch's number of threads": Trait(
        _torch_or(None, lambda torch: torch.get_num_threads()),
        _to_torch(lambda torch, count: torch.set_num_threads(count)),
        "leave it to who runs maxi (OMP_NUM_THREADS)",
        steady=True,
    ),
    "torch's choice of algorithms": Trait(
        _torch_or(False, lambda torch: torch.are_deterministic_algorithms_enabled()),
        _to_torch(lambda torch, on: torch.use_deterministic_algorithms(on)),
        "leave it to who runs maxi",
        steady=True,
    ),
    "the filters of warnings": Trait(
        lambda: list(warnings.filters),
        lambda kept: warnings.filters.__setitem__(slice(None), kept),  # type: ignore[index]
        "use `with warnings.catch_warnings()`",
    ),
    "sys.path": Trait(lambda: list(sys.path), _write_path, "install what you need as a package", steady=True),
    "the handlers of signals": Trait(_signals, _write_signals, "leave Ctrl-C to maxi", steady=True),
    "the time-out of sockets": Trait(
        socket.getdefaulttimeout, socket.setdefaulttimeout, "give your client its time-out", steady=True
    ),
    "the root logger": Trait(
        lambda: (logging.root.level, logging.root.manager.disable),
        _write_logging,
        "use a logger of your own, logging.getLogger(__name__)",
    ),
}


def _snapshot() -> dict[str, Any]:
    return {name: trait.read() for name, trait in TRAITS.items()}


def _restore(before: dict[str, Any]) -> None:
    for name, trait in TRAITS.items():
        if trait.read() != before[name]:
            trait.write(before[name])


def seed_all(seed: int) -> None:
    """Seed every global generator that is loaded."""
    random.seed(seed)
    if _numpy():
        _numpy().random.seed(seed)
    if _torch():
        _torch().manual_seed(seed)


def unsettle(seed: int) -> None:
    """Bring the process into a state that no plugin sets by chance, so that whatever it sets shows."""
    seed_all(seed)
    warnings.filterwarnings("ignore", message=f"the contract kit {seed}")
    _write_signals([signal.default_int_handler, signal.SIG_DFL])  # a process in the background ignores Ctrl-C


@contextmanager
def restored() -> Iterator[None]:
    """Put back what a check that goes on inside changes in the process."""
    before = _snapshot()
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def watched(*allowed: str, first: bool = False) -> Iterator[None]:
    """Raise AssertionError if what goes on inside changes anything of the process that is not `allowed`, or prints.

    The `first` time libraries are imported, so that only what is steady is looked at.
    """
    before, threads = _snapshot(), set(threading.enumerate())
    with silenced() as printed:
        yield
    for name, trait in TRAITS.items():
        if name in allowed or (first and not trait.steady) or before[name] is None:
            continue
        after = trait.read()
        change = f" from {shown(before[name])} to {shown(after)}" if trait.steady else _difference(before[name], after)
        assert after == before[name], f"it changed {name}{change}: {trait.fix}"
    assert not printed, f"it printed {shown(''.join(printed))} on stdout, where `--json` is: use logging or notes()"
    left = _left(threads)
    assert not left, f"after close() its thread '{left[0].name}' goes on, and the process would not end: join it"


def _difference(before: Any, after: Any) -> str:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return f" ({', '.join(changed)})" if changed else ""


def _left(before: set[threading.Thread]) -> list[threading.Thread]:
    end = time.monotonic() + PATIENCE
    while True:
        left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


@contextmanager
def silenced() -> Iterator[list[str]]:
    """Let nothing reach stdout, from Python or by descriptor 1; give a list that holds in the end what was printed."""
    said: list[str] = []
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with redirect_stdout(io.StringIO()) as text:
                yield said
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        said += [part for part in (text.getvalue(), file.read().decode(errors="replace")) if part]


def leaves_the_process(subject: Subject) -> None:
    """Opened, asked and closed, it leaves random states, folder, environment and modes as they were, prints nothing."""
    before = _snapshot()
    for first in (True, False):  # the first time may import
        _restore(before)
        unsettle(4242)
        with watched(first=first), opened(subject) as source:
            ask(source, subject.batch(3))


EFFECTS: dict[str, Callable[[Subject], None]] = {"it leaves the process as it was": leaves_the_process}
