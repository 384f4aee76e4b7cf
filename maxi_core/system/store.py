"""The store: what sources have said, so that nobody asks twice.

Each source has a folder of its own for each way it can be set up (its fingerprint). In it lie append-only segments of
JSON lines, one writer each, so that any number of processes on any machines write beside each other. There is no
database file: those fail on the network file systems that clusters use.
"""

import errno
import hashlib
import json
import logging
import os
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from maxi_core.errors import MaxiError
from maxi_core.system.files import sweep, write_text
from maxi_core.system.secrets import masked
from maxi_core.texts import counted

log = logging.getLogger("maxi")

SCHEMA = 1
ABOUT = "about.json"  # in each folder: what its answers depend on, for people
SPEED = "speed.json"  # in each folder: how many answers took how many seconds, in the last run that asked
CHECKED = "order-checked"  # in a folder whose source was seen to answer each question of a batch at its place
_names = count()


def digest(*parts: object) -> str:
    """Return a stable hash of plain values, 32 hexadecimal digits."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """The answers of one source in one set-up: looked up by the digest of the question, added one line at a time.

    Only places are held in memory, about 150 bytes for each answer. A torn or damaged line is a miss. `costly` answers
    are forced to the disk one by one, others every `SYNC_EVERY`.
    """

    SYNC_EVERY = 64
    OPEN_AT_ONCE = 32  # segments, of any number: a process may have about a thousand files open

    def __init__(self, folder: Path, about: dict[str, object], *, costly: bool = False) -> None:
        self.folder, self.costly = folder, costly
        self._about = about
        self._sync_every = 1 if costly else self.SYNC_EVERY
        self._places: dict[bytes, tuple[int, int]] = {}  # digest -> segment, place in it
        self._segments: list[Path] = []
        self._open: dict[int, BinaryIO] = {}  # the last used at the end
        self._own: FileIO | None = None
        self._unsynced = 0
        self._checked = (folder / CHECKED).exists()
        sweep(folder)
        for path in sorted(folder.glob("*.jsonl")):
            self._read(path)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def checked(self) -> bool:
        """Whether the source was seen to give its answers in the order of the questions."""
        return self._checked

    def mark_checked(self) -> None:
        """Remember that the order of the answers was seen to be right; needs an answer that was kept."""
        if not self._checked and self.folder.is_dir():
            self._checked = True
            with suppress(OSError):  # then it is seen again the next time
                (self.folder / CHECKED).touch()

    def note_speed(self, items: int, seconds: float) -> None:
        """Remember how long new answers took, for estimates; where that cannot be written there is none."""
        if items and self.folder.is_dir():
            with suppress(MaxiError):
                write_text(self.folder / SPEED, json.dumps({"items": items, "seconds": round(seconds, 3)}) + "\n")

    def speed(self) -> float | None:
        """Return the seconds of an answer as last measured, None if they never were."""
        try:
            said = json.loads((self.folder / SPEED).read_bytes())
            return float(said["seconds"]) / int(said["items"])
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError):
            return None

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._places

    def get(self, key: str) -> object | None:
        """Return the answer kept under `key`, or None; a row that was damaged or lost since it was read is a miss."""
        name = bytes.fromhex(key)
        place = self._places.get(name)
        if place is None:
            return None
        try:
            segment = self._opened(place[0])
            segment.seek(place[1])
            row = _row(segment.readline())
        except OSError:
            row = None
        if row is None or row["key"] != key:
            del self._places[name]
            return None
        return row["answer"]

    def put(self, key: str, question: object, answer: object) -> None:
        """Keep an answer; raises MaxiError with the path if it cannot be written."""
        body = json.dumps([key, question, answer], ensure_ascii=True)
        row = {"key": key, "question": question, "answer": answer, "check": zlib.crc32(body.encode())}
        line = json.dumps(row, ensure_ascii=True).encode() + b"\n"
        try:
            own = self._own or self._start()
            place = own.tell()
            # unbuffered: a killed process loses nothing that was said; fsync guards against a machine that dies
            if own.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._unsynced += 1
            if self._unsynced >= self._sync_every:
                self._sync()
        except OSError as error:
            self._end()  # after a torn line nothing can follow
            raise MaxiError(
                f"cannot keep an answer of {counted(len(line), 'byte')} in {self.folder}: {error.strerror or error}",
                "make room or choose another --store; the same command goes on from here",
            ) from error
        self._places[bytes.fromhex(key)] = (len(self._segments) - 1, place)  # our own is the last

    def close(self) -> None:
        """Force what is written to the disk and close the segments."""
        with suppress(OSError):
            self._sync()
        self._end()
        for segment in self._open.values():
            segment.close()
        self._open = {}

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, path: Path) -> None:
        """Learn the places of a segment; one that cannot be read, as a colleague's that is private, holds nothing."""
        self._segments.append(path)
        if not path.is_file():
            return
        try:
            with path.open("rb") as segment:
                for place, line in _lines(segment):
                    row = _row(line)
                    if row is not None:
                        self._places[bytes.fromhex(str(row["key"]))] = (len(self._segments) - 1, place)
        except OSError as error:
            log.warning("answers in %s cannot be read and count as not there: %s", path, error.strerror or error)

    def _opened(self, number: int) -> BinaryIO:
        """Return a segment to be read, and close the one that was not used for longest if there are too many."""
        segment = self._open.pop(number, None) or self._segments[number].open("rb")
        self._open[number] = segment
        if len(self._open) > self.OPEN_AT_ONCE:
            self._open.pop(next(iter(self._open))).close()
        return segment

    def _start(self) -> FileIO:
        """Start a segment of our own, under a name that no other process and thread has."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / ABOUT
        if not about.exists():
            write_text(about, json.dumps(masked({"schema": SCHEMA, **self._about}), indent=2, default=str) + "\n")
        name = (
            f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}-{next(_names)}-{os.urandom(4).hex()}.jsonl"
        )
        self._own = (self.folder / name).open("xb", buffering=0)
        self._segments.append(self.folder / name)
        return self._own

    def _end(self) -> None:
        if self._own is not None:
            self._own.close()
        self._own, self._unsynced = None, 0

    def _sync(self) -> None:
        if self._own is not None and self._unsynced:
            os.fsync(self._own.fileno())
        self._unsynced = 0


def _lines(segment: BinaryIO) -> Iterator[tuple[int, bytes]]:
    place = 0
    for line in segment:
        yield place, line
        place += len(line)


def _row(line: bytes) -> dict[str, object] | None:
    """Return a row, or None for a line that is torn or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
        body = json.dumps([row["key"], row["question"], row["answer"]], ensure_ascii=True)
        return row if zlib.crc32(body.encode()) == row["check"] and bytes.fromhex(row["key"]) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
