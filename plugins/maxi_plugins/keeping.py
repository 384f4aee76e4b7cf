"""Exchanges that were paid for, each in a file of its own, so that no process on any machine pays for one twice.

The store of `maxi bags` has what was made of replies, for one source with its options; here the reply itself is on disk
as soon as it has come, whatever is made of it, and whatever ends the process after that.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Condition

from maxi_core import Failed
from maxi_core.bags.shelf import digest
from maxi_core.errors import MaxiError
from maxi_core.files import write_text
from maxi_plugins.exchanges import Answerer, Exchange, Request

SCHEMA = 1
CLAIMS = "claims.lock"
POLL = 0.05  # seconds between two looks at what another process asks


class Kept:
    """Another answerer whose useful exchanges are kept in a folder, by the digest of the whole request.

    Each file carries a checksum: one that is cut or changed is a miss, and is replaced. Whoever asks holds a claim, a
    lock that goes with its process, so another process waits for the reply and takes it from the folder.
    """

    def __init__(
        self, inner: Answerer, folder: Path, useful: Callable[[object], bool], sleep: Callable[[float], None]
    ) -> None:
        self._inner, self._folder, self._useful = inner, folder, useful
        self._claims = Claims(folder / CLAIMS, sleep)

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return what was answered before, or ask the other one; raises MaxiError if the folder cannot be written."""
        path = self._folder / f"{digest(request, turn)}.json"
        if (found := _read(path, request, turn)) is not None:
            return found
        with self._claims.held(path.stem):
            if (found := _read(path, request, turn)) is not None:  # another one has asked meanwhile
                return found
            exchange = self._inner.ask(request, turn)
            if isinstance(exchange, Exchange) and self._useful(exchange.response):
                _write(path, request, turn, exchange)
        return exchange


def _read(path: Path, request: Request, turn: int) -> Exchange | None:
    try:
        row = json.loads(path.read_bytes())
        if row["check"] == _check(row) and (row["asked"], row["turn"]) == (dict(request), turn):
            return Exchange(row["sent"], row["response"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _write(path: Path, request: Request, turn: int, exchange: Exchange) -> None:
    row = {
        "schema": SCHEMA, "asked": request, "turn": turn, "sent": exchange.request, "response": exchange.response
    }  # fmt: skip
    write_text(path, json.dumps({**row, "check": _check(row)}) + "\n")


def _check(row: Mapping[str, object]) -> str:
    parts = [row[name] for name in ("schema", "asked", "turn", "sent", "response")]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Claims:
    """Who asks what: a byte of a file for each key, locked by the process that asks; and the same between threads."""

    def __init__(self, path: Path, sleep: Callable[[float], None]) -> None:
        self._path, self._sleep = path, sleep
        self._file: int | None = None
        self._held: set[int] = set()
        self._freed = Condition()

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the claim of a key, a hexadecimal text, once whoever holds it has let it go."""
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
                        "choose another gpt3.exchanges",
                    ) from error
            return self._file
