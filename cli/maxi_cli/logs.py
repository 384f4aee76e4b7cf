"""Logging of the `maxi` command: its own loggers on stderr; other libraries' only when they are asked for."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maxi_cli.terminal import note
from maxi_core.errors import UsageError
from maxi_core.secrets import without_secrets

LEVELS = ("debug", "info", "warning", "error")


class Discreet(logging.Formatter):
    """Writes a record without the secrets that its message or traceback may quote."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return without_secrets(super().format(record))


class LogFile(logging.FileHandler):
    """A log file that a full disk ends in one line, not in a traceback for each record."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is logging's)
        """Say once that the log is not written any more."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logging.getLogger("maxi").removeHandler(self)
            note(f"{self.baseFilename} cannot be written any more: {error.strerror or error}")
        else:
            super().handleError(record)


def set_up_logs(level: str) -> None:
    """Log at `level` on stderr; with MAXI_TRACE_PLUGINS=1 also every plugin that is looked at.

    What other libraries log is shown only at `info` and `debug`: what the user needs of it is in maxi's own line.
    """
    if level not in ("debug", "info"):
        logging.getLogger().addHandler(logging.NullHandler())  # else the first message of anybody sets up the root
        for name in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
            os.environ.setdefault(name, "critical")
    handler = logging.StreamHandler()
    handler.setFormatter(Discreet("%(levelname)s %(name)s: %(message)s"))
    if logging.lastResort is not None:  # shows what others log at `info` and `debug`
        logging.lastResort.setFormatter(Discreet())
    logger = logging.getLogger("maxi")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    if os.environ.get("MAXI_TRACE_PLUGINS", "") not in ("", "0"):
        logging.getLogger("maxi.plugins").setLevel(logging.DEBUG)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write everything that maxi logs, debugging and tracebacks too, at the end of a run's log file, in UTC."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write to {path.parent}: {error.strerror or error}", "choose another --out") from None
    formatter = Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger("maxi")
    shown = logger.level
    for other in logger.handlers:  # what is shown stays what was asked for
        other.setLevel(shown)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(shown)
        handler.close()
