"""Logging of the `maxi` command: its own loggers on stderr; other libraries' only when they are asked for."""

import logging
import os

LEVELS = ("debug", "info", "warning", "error")


def set_up_logs(level: str) -> None:
    """Log at `level` on stderr; with MAXI_TRACE_PLUGINS=1 also every plugin that is looked at."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("maxi")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    if os.environ.get("MAXI_TRACE_PLUGINS", "") not in ("", "0"):
        logging.getLogger("maxi.plugins").setLevel(logging.DEBUG)
