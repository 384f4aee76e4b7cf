"""A process of our own beside this one, with a pipe between the two, and how any process has ended."""

import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context

GRACE = 5.0  # seconds until a process that has hung up is gone


def how_it_ended(code: int) -> str:
    """Return in words how a process with this exit code has ended; Python says minus the signal's number."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Child:
    """A new process that runs `serve(*arguments, its end of the pipe)`; the pipe is closed when either side ends.

    Texts go through the pipe, and nothing that comes back is unpickled.
    """

    def __init__(self, serve: Callable[..., None], *arguments: object) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(*arguments, other), name="maxi worker")
        self._process.start()
        other.close()  # else the end of the process would not be the end of the pipe
        self.busy = False  # whether it was sent something that it has not answered

    def send(self, text: str) -> None:
        """Send it a text; if it is dead, `receive` says so."""
        self.busy = True
        with suppress(OSError):
            self.pipe.send_bytes(text.encode())

    def receive(self) -> str | None:
        """Return what it answers, None if it has died; `how` says of what."""
        self.busy = False
        try:
            return self.pipe.recv_bytes().decode()
        except (EOFError, OSError):
            self._process.join(GRACE)
            return None

    @property
    def how(self) -> str:
        """How it has ended, in words."""
        return how_it_ended(self._process.exitcode or 0)

    def ended(self, within: float) -> bool:
        """Whether it ends by itself in so many seconds."""
        self._process.join(within)
        return not self._process.is_alive()

    def terminate(self) -> None:
        """Tell it to end (SIGTERM)."""
        self._process.terminate()

    def end(self, patience: float) -> None:
        """Give it so many seconds to end by itself, and no more."""
        if not self.ended(patience):
            self._process.kill()
            self._process.join(GRACE)
