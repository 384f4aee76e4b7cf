"""Files that are written whole or not at all, and the one clock that goes into them."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import platformdirs

from maxi_core.errors import MaxiError


def maxi_home() -> Path:
    """Return the folder for caches and logs: `$MAXI_HOME`, or the platform's cache folder for maxi."""
    named = os.environ.get("MAXI_HOME")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("maxi")


def utc_stamp() -> str:
    """Return the time now in UTC as ISO 8601 in seconds, for people to read: no logic depends on it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file whose readers see the old one or the whole new one; raises MaxiError with path and bytes."""
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
            try:
                yield temporary
                written = temporary.tell()
                temporary.flush()
                os.fsync(temporary.fileno())
                Path(temporary.name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary.name).unlink()
                raise
    except OSError as error:
        size = f" ({written} bytes)" if written else ""
        raise MaxiError(f"cannot write {path}{size}: {error.strerror or error}", "make room there") from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all; raises MaxiError with path and bytes."""
    with whole_file(path) as file:
        file.write(text.encode())


def write_lines(path: Path, lines: Iterable[str]) -> str:
    """Write the lines to a UTF-8 file whole or not at all, as they come; return its SHA-256."""
    checksum = hashlib.sha256()
    with whole_file(path) as file:
        for line in lines:
            data = f"{line}\n".encode()
            checksum.update(data)
            file.write(data)
    return checksum.hexdigest()
