"""Where the sandbox keeps what it has unpacked and rendered, so that each thing is made once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from maxi_core.errors import MaxiError
from maxi_core.system.files import FULL, held_folder, maxi_home, sweep

WORLD_VERSION = "6"


def sandbox_home() -> Path:
    """Return this world's cache folder: under `$MAXI_HOME`, or else under the user's cache folder."""
    return maxi_home() / "sandbox" / WORLD_VERSION


def made(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cache folder `name`, filled by `make` if it does not exist yet.

    `make` fills a folder beside it that is renamed when it is complete. Two processes may do so at once: the first to
    finish wins. What one that is killed leaves is removed by the next. Raises MaxiError if it cannot be written.
    """
    final = sandbox_home() / name
    if not final.is_dir():
        try:
            _make(final, make)
        except OSError as error:
            said = f"cannot make {final}: {error.strerror or error}"
            room = "make room there, or " if error.errno in FULL else ""
            raise MaxiError(said, f"{room}name another folder: MAXI_HOME") from error
    return final


def _make(final: Path, make: Callable[[Path], None]) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    sweep(final.parent)
    part, handle = held_folder(final, "-")
    try:
        make(part)
        try:
            part.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        os.close(handle)
        shutil.rmtree(part, ignore_errors=True)


def forget(name: str) -> None:
    """Remove the cache folder `name`, so that the next use makes it again."""
    shutil.rmtree(sandbox_home() / name, ignore_errors=True)
