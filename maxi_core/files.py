"""Files that are written whole or not at all, and the one clock that goes into them."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import platformdirs

from maxi_core.errors import MaxiError


def maxi_home() -> Path:
    """Return the folder for caches and logs: `$MAXI_HOME`, or the platform's cache folder for maxi."""
    named = os.environ.get("MAXI_HOME")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("maxi")


def utc_stamp() -> str:
    """Return the time now in UTC as ISO 8601 in seconds, for people to read: no logic depends on it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file so that a reader sees the old one or the whole new one; raises MaxiError with the path."""
    data = text.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
            try:
                temporary.write(data)
                temporary.flush()
                os.fsync(temporary.fileno())
                Path(temporary.name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary.name).unlink()
                raise
    except OSError as error:
        raise MaxiError(f"cannot write {path} ({len(data)} bytes): {error.strerror or error}") from error
