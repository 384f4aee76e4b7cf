"""Files that are written whole or not at all, and the one clock that goes into them."""

import errno
import fcntl
import fnmatch
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import platformdirs

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.urls import is_remote, refuse_remote
from maxi_core.texts import counted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def maxi_home() -> Path:
    """Return the folder for caches and logs: `$MAXI_HOME`, or the platform's cache folder for maxi."""
    named = os.environ.get("MAXI_HOME")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("maxi")


def identity(path: Path) -> tuple[str, int, int | str]:
    """Return which file this is, in which state: its path without links, bytes, and nanoseconds of its last change.

    Of a remote one: its URL without credentials, bytes and ETag. What was kept of a file is good as long as these are
    the same. Raises OSError, ValueError for what is no path.
    """
    if is_remote(path):
        from maxi_core.system.remote_servers import state

        found_there = state(str(path))
        return str(path), found_there.size, found_there.tag
    real = os.path.realpath(path)
    found = os.stat(real)  # noqa: PTH116 (of a string: there are many)
    return real, found.st_size, found.st_mtime_ns


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def utc_stamp() -> str:
    """Return the time now in UTC as ISO 8601 in seconds, for people to read: no logic depends on it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_PARTIAL = re.compile(r"\..+[.-][0-9a-f]{8}")  # how files and folders are called while they are made


def partial_of(path: Path, mark: str = ".") -> Path:
    """Return a name beside `path` for what is on its way to it, which `sweep` knows again."""
    return path.with_name(f".{path.name[:200]}{mark}{os.urandom(4).hex()}")


def hold(handle: int) -> bool:
    """Mark an open file or folder as one that a living process is making; the mark goes with the process.

    Return False where it is gone: another process swept it before it was marked, and it has to be made anew.
    """
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX)  # waits while a sweep has it
    return os.fstat(handle).st_nlink > 0


def held_folder(path: Path, mark: str = ".") -> tuple[Path, int]:
    """Make a folder beside `path` for what is on its way to it, held; return it and the handle that holds it."""
    while True:
        partial = partial_of(path, mark)
        partial.mkdir()
        try:
            handle = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:  # swept, before it could be held
            continue
        if hold(handle):
            return partial, handle
        os.close(handle)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what killed processes have left half made of `name` in a folder; what is being made stays."""
    try:
        hidden = [one for one in os.listdir(folder) if one[0] == "."]  # noqa: PTH208 (of texts: there may be many)
    except OSError:
        return
    for path in [folder / one for one in fnmatch.filter(hidden, f".{name}") if _PARTIAL.fullmatch(one)]:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


class _Whole(io.FileIO):
    """A file on its way to `path`, with the permissions that the umask leaves; a write that fails names path and bytes.

    So an error of whatever makes the contents is told from one of the disk.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(partial_of(path), "xb")
        self.path = path
        while not hold(self.fileno()):
            super().__init__(partial_of(path), "xb")

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write to the disk; raises MaxiError."""
        try:
            return super().write(data)
        except OSError as error:
            raise _unwritable(self.path, error, self.tell() + len(memoryview(data))) from error


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file whose readers see the old one or the whole new one; raises MaxiError with path and bytes.

    A device, pipe or link is refused: it would be replaced, which root can do to /dev/null.
    """
    refuse_remote(path)
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = _Whole(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(os.fsdecode(raw.name))
    file = io.BufferedWriter(raw)
    try:
        yield file
        file.flush()
        try:
            os.fsync(raw.fileno())
            temporary.replace(path)
        except OSError as error:
            raise _unwritable(path, error, raw.tell()) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        raw.close()  # what is still in the buffer of a file that failed goes with it


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when all is written in it, and is removed when that fails.

    Raises UsageError if there is anything at `path` already, MaxiError for what cannot be written, and UsageError for
    another file that could not be read or written meanwhile. What a killed process has left of it is removed.
    """
    refuse_remote(path)
    refuse_existing(path)
    final = path.absolute()
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        sweep(final.parent, f"{path.name[:200]}.*")
        partial, handle = held_folder(final)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield partial
        partial.rename(path)
    except MaxiError:  # of what is read meanwhile; a RemoteError is an OSError, too
        raise
    except OSError as error:
        if isinstance(error.filename, (str, bytes)) and not Path(os.fsdecode(error.filename)).is_relative_to(partial):
            what = f"cannot get at {os.fsdecode(error.filename)}: {error.strerror or error}"
            raise UsageError(what, "look at it with ls -ld") from error
        raise _unwritable(path, error) from error
    finally:
        os.close(handle)
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raise UsageError if there is anything at `path` but an empty folder."""
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} is there already", "name another place, or remove it")


def check_replaceable(path: Path) -> None:
    """Raise MaxiError if there is a device, a pipe or a link at `path`, which a file would replace.

    Nothing is written through a link, wherever it leads: a folder of a stranger's may hold one that leads out of it.
    """
    if _is_special(path):
        raise MaxiError(f"cannot write {path}: it is no ordinary file, and would be replaced", "name a file")
    if path.is_symlink():
        what = f"cannot write {path}: it is a link to {path.readlink()}, and would be replaced"
        raise UsageError(what, "name the file that it leads to, or remove the link")


def _is_special(path: Path) -> bool:
    """Whether there is something at `path` that is neither a file nor a folder, or a link to an open file."""
    try:
        opened = path.is_symlink() and path.readlink().is_relative_to("/proc")  # /dev/stdout
        return opened or stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR)
    except (OSError, ValueError):  # whoever opens it says so
        return False


def _unwritable(path: Path, error: OSError, size: int = 0) -> MaxiError:
    needed = f" (at least {counted(size, 'byte')})" if size else ""
    return MaxiError(f"cannot write {path}{needed}: {error.strerror or error}", fix_for(error))


def fix_for(error: OSError) -> str:
    """Return what to do where something cannot be written."""
    return "make room there" if error.errno in FULL else "choose another place, or its permissions"


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all; raises MaxiError with path and bytes."""
    with whole_file(path) as file:
        file.write(text.encode())


def to_json(value: object, indent: int | None = None) -> str:
    """Return plain values as JSON that every reader takes: a number that is not finite is null."""
    return json.dumps(_finite(value), indent=indent, default=str)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parsed_json(text: str | bytes, **how: Any) -> Any:
    """Return what `json.loads` does; raises ValueError for what is no JSON, also for one that is nested too deeply."""
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON table in a file; raises UsageError that names the file, and the line, for anything else.

    Raises FileNotFoundError if there is no such file.
    """
    try:
        found = parsed_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "look at it with ls -l") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", "get it again, or delete it") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no JSON table", "get it again, or delete it")
    return found


def refuse_unreadable(path: Path) -> None:
    """Raise UsageError if a file is there and may not be read; some libraries say that it is not there."""
    if os.access(path, os.F_OK) and not os.access(path, os.R_OK):
        raise UsageError(f"cannot read {path}: {os.strerror(errno.EACCES)}", "look at it with ls -l")


class LineWriter:
    """Writes lines to a UTF-8 file, and knows the SHA-256 of what it wrote."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._checksum = file, hashlib.sha256()

    def write(self, line: str) -> None:
        """Write one line; it comes without its end."""
        data = f"{line}\n".encode()
        self._checksum.update(data)
        self._file.write(data)

    @property
    def checksum(self) -> str:
        """The SHA-256 of all lines so far."""
        return self._checksum.hexdigest()


@contextmanager
def whole_lines(path: Path) -> Iterator[LineWriter]:
    """Open a file of lines, which is written whole or not at all, as `whole_file`."""
    with whole_file(path) as file:
        yield LineWriter(file)


def write_lines(path: Path, lines: Iterable[str]) -> str:
    """Write the lines to a UTF-8 file whole or not at all, as they come; return its SHA-256."""
    with whole_lines(path) as out:
        for line in lines:
            out.write(line)
    return out.checksum
