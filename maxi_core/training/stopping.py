"""Stopping on a signal: finish the step, save, and leave with the signal's exit code."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from maxi_core.errors import ExitCode, MaxiError

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
CODES: dict[int | None, ExitCode] = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGHUP: ExitCode.HUNG_UP}


class StoppedError(MaxiError):
    """Training was stopped by a signal, after a checkpoint."""

    def __init__(self, by: int | None, step: int, checkpoint: str) -> None:
        name = signal.Signals(by).name if by else "another rank"
        super().__init__(f"stopped by {name} after step {step}, saved {checkpoint}", "go on with --resume latest")
        self.exit_code = CODES.get(by, ExitCode.TERMINATED)


class StopFlag:
    """Which signal has asked for an end, if any."""

    signal: int | None = None

    def __call__(self) -> bool:
        """Return whether one has."""
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Let SIGINT, SIGTERM, SIGHUP and SIGUSR1 (what SLURM sends before the end) set a flag.

    A second SIGINT stops at once. A signal that is ignored, as SIGHUP is under nohup, stays so.
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

    before = {number: signal.signal(number, ask) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
