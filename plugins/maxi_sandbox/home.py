"""Where the sandbox keeps what it has unpacked and rendered, so that each thing is made once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from maxi_core.system.files import hold, partial_of, sweep

WORLD_VERSION = "5"


def sandbox_home() -> Path:
    """Return this world's cache folder: under `$MAXI_HOME`, or else under the user's cache folder."""
    import platformdirs

    root = os.environ.get("MAXI_HOME") or platformdirs.user_cache_dir("maxi")
    return Path(root).expanduser() / "sandbox" / WORLD_VERSION


def made(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cache folder `name`, filled by `make` if it does not exist yet.

    `make` fills a folder beside it that is renamed when it is complete. Two processes may do so at once: the first to
    finish wins. What one that is killed leaves is removed by the next.
    """
    final = sandbox_home() / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    sweep(final.parent)
    part = partial_of(final, "-")
    part.mkdir()
    handle = os.open(part, os.O_RDONLY)
    hold(handle)
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
    return final


def forget(name: str) -> None:
    """Remove the cache folder `name`, so that the next use makes it again."""
    shutil.rmtree(sandbox_home() / name, ignore_errors=True)
