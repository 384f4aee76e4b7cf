"""Locks between processes: one writer of a folder at a time, one process in an open file, one that asks a question.

The lock of a folder works on local disks and on those of a network. It is the system's and goes with its process, so a
killed run leaves none behind. Some network file systems keep such locks to one machine, so the lock file is a lease
too: its holder changes a number in it every few seconds. Whoever finds the lease of another machine waits whether the
number changes; no clock is compared.
"""

import errno
import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import fix_for, parsed_json, sweep, utc_stamp
from maxi_core.system.urls import refuse_remote

log = logging.getLogger("maxi")

LOCK = ".lock"
BEAT = 5.0  # seconds between two signs of life
STALE = 4  # beats without a sign of life, after which the holder on another machine is taken for dead
LENGTH = 256  # bytes of a lease
POLL = 0.05  # seconds between two looks whether another process has let a key go
TRIES = 4  # a process that only looks holds the lock for a moment


class InUseError(MaxiError):
    """Another process has what we want to write to."""


@contextmanager
def locked(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Hold a folder (or a part of it, by the `name` of its lock) alone, and make it if it is not there.

    Raises InUseError that names the process, host and time of whoever has it, UsageError if it cannot be written. The
    lock of a process that died is taken over: at once on one machine, from another after `STALE` beats.
    """
    refuse_remote(folder)
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}", "choose another --out") from None
    try:
        if found := _holder(file, path, fcntl.LOCK_EX):
            raise InUseError(f"{folder} is in use by {found}", "wait for it, or choose another --out")
        stop = threading.Event()
        lease = {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_stamp(), "beat": 0}
        _write(file, path, lease)
        sweep(folder)
        beating = threading.Thread(target=_beat, args=(path, lease, stop), daemon=True, name="maxi lease")
        beating.start()
        try:
            yield
        finally:
            stop.set()
            beating.join()
            with suppress(OSError):
                os.truncate(file, 0)
    finally:
        os.close(file)


def holder_of(folder: Path, name: str = LOCK) -> str:
    """Return who holds a lock, `process 12 on host since ...`, or "" if nobody does."""
    try:
        file = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return _holder(file, folder / name, fcntl.LOCK_SH)
    finally:
        os.close(file)


@contextmanager
def exclusive(file: IO[bytes]) -> Iterator[None]:
    """Wait until no other process holds this open file, then hold it: for work of a moment; raises OSError."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def exclusive_if_possible(file: IO[bytes]) -> Iterator[None]:
    """As `exclusive`, but nobody waits on a file system without locks: for what does no harm if several do it."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(exclusive(file))
        yield


class KeyLocks:
    """A lock for each key: a byte of a file, locked by the process that holds it; and the same between threads.

    `sleep` is called between two tries; `fix` is what to do where the file cannot be made.
    """

    def __init__(self, path: Path, sleep: Callable[[float], None], fix: str) -> None:
        self._path, self._sleep, self._fix = path, sleep, fix
        self._file: int | None = None
        self._held: set[int] = set()
        self._freed = threading.Condition()

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the lock of a key, a hexadecimal text, once whoever holds it has let it go."""
        byte = int(key[:15], 16)
        with self._freed:
            while byte in self._held:
                self._freed.wait()
            self._held.add(byte)
        try:
            shared = self._lock(byte)
            try:
                yield
            finally:
                if shared:
                    fcntl.lockf(self._opened(), fcntl.LOCK_UN, 1, byte)
        finally:
            with self._freed:
                self._held.discard(byte)
                self._freed.notify_all()

    def _lock(self, byte: int) -> bool:
        """Return once no other process holds the byte; False on a file system without locks."""
        while True:
            try:
                fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):
                self._sleep(POLL)
            except OSError:
                return False
            else:
                return True

    def _opened(self) -> int:
        """Return the file, open for as long as we live: closing it anywhere would free every lock of the process."""
        with self._freed:
            if self._file is None:
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                except OSError as error:
                    raise MaxiError(
                        f"cannot keep what is answered in {self._path.parent}: {error.strerror or error}",
                        self._fix,
                    ) from error
            return self._file


def _holder(file: int, path: Path, kind: int) -> str:
    """Try to take the lock; return who has it, or "" if it is ours now."""
    excluded = True
    for attempt in range(TRIES):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 == TRIES:
                return _in_words(_read(path)) or "another process"
            time.sleep(0.02)
        except OSError:  # a file system without locks: the lease alone
            excluded = False
            break
        else:
            break
    lease = _read(path)
    if not lease or (lease.get("host") == socket.gethostname() and (excluded or not _runs(lease))):
        return ""
    log.warning("%s may be at work in %s: waiting for a sign of life", _in_words(lease), path.parent)
    for _ in range(4 * STALE):
        time.sleep(BEAT / 4)
        now = _read(path)
        if now != lease:
            return _in_words(now)
    return ""


def _runs(lease: Mapping[str, object]) -> bool:
    try:
        os.kill(int(str(lease["pid"])), 0)
    except (ProcessLookupError, ValueError, KeyError):
        return False
    except OSError:
        return True
    return True


def _beat(path: Path, lease: dict[str, object], stop: threading.Event) -> None:
    """Change the number in the lease until the lock is given back, or somebody else has taken it."""
    for number in range(1, 2**62):
        if stop.wait(BEAT):
            return
        found = _read(path)
        if (found.get("pid"), found.get("host")) != (lease["pid"], lease["host"]):
            log.error("the lock %s was taken over by %s", path, _in_words(found) or "nobody")
            return
        try:
            file = os.open(path, os.O_RDWR)
            try:
                _write(file, path, {**lease, "beat": number})
            finally:
                os.close(file)
        except (OSError, UsageError) as error:
            log.warning("no sign of life in %s: %s", path, error)


def _write(file: int, path: Path, lease: Mapping[str, object]) -> None:
    """Write the lease in one piece of one length, so that no reader sees it half."""
    try:
        if os.pwrite(file, json.dumps(lease).ljust(LENGTH).encode(), 0) < LENGTH:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror or error}", fix_for(error)) from None


def _read(path: Path) -> dict[str, object]:
    """Return the lease, {} if there is none; opened anew, which shows what another machine has written."""
    try:
        lease = parsed_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return lease if isinstance(lease, dict) else {}


def _in_words(lease: Mapping[str, object]) -> str:
    if not {"pid", "host", "since"} <= lease.keys():
        return ""
    return f"process {lease['pid']} on {lease['host']} since {lease['since']}"
