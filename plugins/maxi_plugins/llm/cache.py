"""Responses on disk: those that were paid for, so that nobody pays for one twice, and files to record and to replay.

The store of `maxi bags` has what was made of replies, for one source with its options; here the reply itself is on disk
as soon as it has come, whatever is made of it, and whatever ends the process after that.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from maxi_core import Failed
from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import sweep, write_text
from maxi_core.system.locks import KeyLocks
from maxi_core.system.store import digest
from maxi_core.texts import counted
from maxi_plugins.llm.exchange import Client, Exchange, Request, excerpt, prompt_of
from maxi_plugins.llm.pictures import kept

logger = logging.getLogger("maxi")

SCHEMA = 1
LOCKS = "requests.lock"


class ResponseCache:
    """A client that keeps another one's useful exchanges in a folder, by the digest of the whole request.

    Each file carries a checksum: one that is cut or changed is a miss, and is replaced. Whoever asks holds a
    lock on the request that goes with its process, so another process waits for the reply and takes it from the folder.
    """

    def __init__(
        self,
        label: str,
        inner: Client,
        folder: Path,
        useful: Callable[[object], bool],
        sleep: Callable[[float], None],
    ) -> None:
        self._inner, self._folder, self._useful = inner, folder, useful
        sweep(folder)
        self._locks = KeyLocks(folder / LOCKS, sleep, fix=f"choose another {label}.exchanges")

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return what was answered before, or ask the other one; raises MaxiError if the folder cannot be written."""
        asked = kept(request)
        path = self._folder / f"{digest(asked, turn)}.json"
        if (found := _read(path, asked, turn)) is not None:
            return found
        with self._locks.held(path.stem):
            if (found := _read(path, asked, turn)) is not None:  # another one has asked meanwhile
                return found
            exchange = self._inner.ask(request, turn)
            if isinstance(exchange, Exchange) and self._useful(exchange.response):
                _write(path, asked, turn, exchange)
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


class Replay:
    """A client that answers from a file of exchanges, JSON lines {request, response}, by the prompt.

    Of two answers to one prompt the later one counts; one with a `turn` is that to the second asking, after the line
    before it. Raises UsageError if the file cannot be read or holds no exchange. A line that is torn or no exchange is
    passed over, with a warning.
    """

    def __init__(self, label: str, path: Path) -> None:
        self.path = path
        data = read_bytes(path)
        self.identity = sha256(data).hexdigest()
        self._responses: dict[tuple[str, int], object] = {}
        bad = []
        for number, line in enumerate(data.split(b"\n"), 1):
            exchange = _exchange(line)
            if exchange is not None:
                prompt, turn, response = exchange
                self._responses[prompt, turn] = response
                if turn == 0:  # what was asked once more after an earlier answer is no longer of use
                    self._responses.pop((prompt, 1), None)
            elif line.strip():
                bad.append(number)
        if not self._responses:
            fix = f"name a file that was written by -o {label}.record"
            raise UsageError(f"{path} holds no exchange to replay", fix)
        if bad:
            logger.warning("%s: %s no exchange, the first is line %d", path, counted(len(bad), "line", "are"), bad[0])

    def open(self, concurrency: int) -> None:
        """Do nothing: all there is was read."""

    def close(self) -> None:
        """Do nothing."""

    def refused(self) -> dict[str, str]:
        """Return that no parameter was refused: nobody was asked."""
        return {}

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the recorded exchange with the same prompt, or Failed if there is none."""
        prompt = prompt_of(request)
        if prompt is not None and (prompt, turn) in self._responses:
            return Exchange(request, self._responses[prompt, turn])
        return Failed(f"{self.path.name} holds no answer to '{excerpt(prompt or '', 120)}'")


def read_bytes(path: Path) -> bytes:
    """Return what a file of exchanges holds; raises UsageError with the path."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot replay {path}: {error.strerror or error}", "name a file of JSON lines") from None


def _exchange(line: bytes) -> tuple[str, int, object] | None:
    """Return (prompt, turn, response) of a line, None if it is no exchange."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or "response" not in row or row.get("turn", 0) not in (0, 1):
        return None
    prompt = prompt_of(row.get("request"))
    return None if prompt is None else (prompt, int(row.get("turn", 0)), row["response"])


class Recorder:
    """A client that appends another one's exchanges to a file, each one as soon as it is there."""

    def __init__(self, label: str, inner: Client, path: Path) -> None:
        self._label, self._inner, self._path = label, inner, path
        self._lock = Lock()

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Ask the other one and append what it says, unless it failed; raises MaxiError if that cannot be written."""
        with self._opened() as file:  # before asking: what cannot be recorded is not paid for
            exchange = self._inner.ask(request, turn)
            if isinstance(exchange, Failed):
                return exchange
            row = {"request": exchange.request, "response": exchange.response} | ({"turn": turn} if turn else {})
            with self._lock:
                start = b"" if _at_line_start(file) else b"\n"
                try:
                    file.write(start + json.dumps(row).encode() + b"\n")
                except OSError as error:
                    raise self._unwritable(error) from error
        return exchange

    def _opened(self) -> BinaryIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return cast(BinaryIO, self._path.open("a+b", buffering=0))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> MaxiError:
        problem = f"cannot record into {self._path}: {error.strerror or error}"
        return MaxiError(problem, f"choose another {self._label}.record")


def _at_line_start(file: BinaryIO) -> bool:
    """Whether the file ends with a whole line: a process that was killed may leave a torn one."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
