"""Stopping on a signal: finish the step, save, and leave with the signal's exit code."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from maxi_core.errors import ExitCode, MaxiError

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


class StoppedError(MaxiError):
    """Training was stopped by a signal, after a checkpoint."""

    def __init__(self, by: int | None, step: int, checkpoint: str) -> None:
        name = signal.Signals(by).name if by else "another rank"
        super().__init__(f"stopped by {name} after step {step}, saved {checkpoint}", "go on with --resume latest")
        self.exit_code = ExitCode.INTERRUPTED if by == signal.SIGINT else ExitCode.TERMINATED


class StopFlag:
    """Which signal has asked for an end, if any."""

    signal: int | None = None

    def __call__(self) -> bool:
        """Return whether one has."""
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Let SIGINT, SIGTERM and SIGUSR1 (what SLURM sends before the end) set a flag; a second SIGINT stops at once.

    In a thread that is not the main one nothing changes, as signals do not come there.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and flag.signal == signal.SIGINT:
            raise KeyboardInterrupt
        flag.signal = number

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
