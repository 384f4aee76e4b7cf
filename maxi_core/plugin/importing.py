"""Importing a plugin without letting it change the process: what it prints, and whatever it sets for everybody."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import Any

from maxi_core.plugin.global_state import untouched

log = logging.getLogger("maxi.plugins")

WHEN = "when it was imported"
PATIENCE = 30.0  # seconds after which a plugin that is still being imported is named


@contextmanager
def imported_apart(label: str, patience: float = PATIENCE) -> Iterator[None]:
    """Import a plugin: what it prints goes to stderr, what it changes of the process is put back and named.

    After `patience` seconds a line says which plugin is being waited for.
    """
    with ExitStack() as stack:
        stack.enter_context(told_when_slow(f"'{label}' is still being imported", patience))
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(descriptor_to_stderr())
        stack.enter_context(_signals(label))
        stack.enter_context(_gradients(label))
        stack.enter_context(untouched(label, WHEN))
        yield


@contextmanager
def told_when_slow(what: str, patience: float = PATIENCE) -> Iterator[None]:
    """Say once what is waited for, if it is not done after so many seconds."""
    timer = threading.Timer(patience, log.warning, ["%s after %g s; Ctrl-C stops it", what, patience])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def descriptor_to_stderr(number: int = 1) -> Iterator[None]:
    """Send what is written below Python, as by a library in C or another process, to stderr, too."""
    try:
        kept = os.dup(number)
    except OSError:  # closed: nothing can be written to it
        yield
        return
    try:
        os.dup2(2, number)
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


@contextmanager
def _signals(label: str) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # nobody else may set one
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                with suppress(OSError, ValueError):
                    signal.signal(number, handler)
                    name = signal.Signals(number).name
                    log.warning("'%s' changed the handler of %s %s; it was put back", label, name, WHEN)


@contextmanager
def _gradients(label: str) -> Iterator[None]:
    """Let a plugin that is the first to import torch not switch off gradients; `untouched` sees to the others."""
    known = "torch" in sys.modules
    try:
        yield
    finally:
        torch: Any = sys.modules.get("torch")
        if not known and torch is not None and not torch.is_grad_enabled():
            torch.set_grad_enabled(True)
            log.warning("'%s' changed torch's gradient mode %s; it was put back", label, WHEN)
