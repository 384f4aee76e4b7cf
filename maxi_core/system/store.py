"""The store: what sources have said, so that nobody asks twice.

Each source has a folder of its own for each way it can be set up (its fingerprint). In it lie append-only segments of
JSON lines, one writer each, so that any number of processes on any machines write beside each other. There is no
database file: those fail on the network file systems that clusters use. On an object store each flush is an object, and
what is here is a copy (`store_objects`).
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
from typing import TYPE_CHECKING, BinaryIO

from maxi_core.errors import MaxiError
from maxi_core.system.files import hold, maxi_home, sweep, write_text
from maxi_core.system.remote import RemotePath, as_path, check_writable
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.secrets import masked
from maxi_core.system.store_index import ENDING, LEAST, Index, add_index, covered, open_indexes
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.system.store_objects import Objects

log = logging.getLogger("maxi")

SCHEMA = 1
ABOUT = "about.json"  # in each folder: what its answers depend on, for people
SPEED = "speed.json"  # in each folder: how many answers took how many seconds, in the last run that asked
KEY = b'{"key": "'  # how each line begins
CHECKED = "order-checked"  # in a folder whose source was seen to answer each question of a batch at its place
_ABSENT = object()
_digested = json.JSONEncoder(sort_keys=True, default=str).encode  # once: making one takes as long as a short text
_names = count()


def digest(*parts: object) -> str:
    """Return a stable hash of plain values, 32 hexadecimal digits."""
    return hashlib.sha256(_digested(parts).encode()).hexdigest()[:32]


def store_at(named: Path | None) -> Path:
    """Return the folder of all answers, `$MAXI_HOME/store` if none is named; raises UsageError if it is on a server
    and cannot be written.
    """
    if isinstance(named, RemotePath):
        check_writable(named)
    return named or maxi_home() / "store"


def parts_of(store: Path, start: str) -> list[Path]:
    """Return the folders of a store whose names begin with `start`, sorted; none where there is no store."""
    try:
        return sorted(path for path in store.iterdir() if path.name.startswith(start))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except RemoteError as error:
        if error.kind == "missing":
            return []
        raise


def _objects(at: Path) -> "Objects | None":
    """Return the copy of a part that is on an object store."""
    if not isinstance(at, RemotePath):
        return None
    from maxi_core.system.store_objects import Objects

    return Objects(at, (ABOUT, CHECKED))


class Store:
    """The answers of one source in one set-up: looked up by the digest of the question, added one line at a time.

    Where the answers lie is found in indexes on the disk (`store_index`); of those that no index has yet, and of our
    own, the places are held in memory, about 150 bytes for each. A torn or damaged line is a miss. `costly` answers are
    forced to the disk one by one, others every `SYNC_EVERY`; at once they go to the object store, if it is on one.
    """

    SYNC_EVERY = 64
    OPEN_AT_ONCE = 32  # segments, of any number: a process may have about a thousand files open
    REMEMBERED = 2048  # keys that were looked up or put last, with their answers

    def __init__(self, folder: Path, about: dict[str, object], *, costly: bool = False) -> None:
        at = as_path(folder)
        self._objects = _objects(at)
        self.folder, self.costly = self._objects.copy if self._objects else folder, costly
        self._about = about
        self._sync_every = 1 if costly else self.SYNC_EVERY
        self._places: dict[bytes, tuple[str, int]] = {}  # digest -> segment, place in it
        self._own_places: dict[bytes, tuple[str, int]] = {}  # of answers that were put now
        self._recent: dict[bytes, object] = {}  # the last answers that were looked up or put, or that there is none
        self._open: dict[str, BinaryIO] = {}  # segments by name, the last used at the end
        self._own: FileIO | None = None
        self._own_name = ""
        self._unsynced = 0
        if self._objects:
            self._objects.pull()
        self._checked = (self.folder / CHECKED).exists()
        sweep(self.folder)
        self._indexes = self._learn()

    def __len__(self) -> int:
        """Return how many answers there are; one that two processes gave may count twice."""
        return len(self._places.keys() | self._own_places.keys()) + sum(index.count for index in self._indexes)

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
                if self._objects:
                    self._objects.publish(CHECKED)

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
        name = bytes.fromhex(key)
        return name in self._own_places or self._look_up(key, name) is not _ABSENT

    def get(self, key: str) -> object | None:
        """Return the answer kept under `key`, or None; a row that is damaged or lost is a miss."""
        found = self._look_up(key, bytes.fromhex(key))
        return None if found is _ABSENT else found

    def _look_up(self, key: str, name: bytes) -> object:
        """Return an answer, or _ABSENT, and hold it for whoever wants it next."""
        if name not in self._recent:
            found = self._read(key, name)
            if name not in self._recent:  # else it was put meanwhile
                self._remember(name, found)
        return self._recent[name]

    def _remember(self, name: bytes, answer: object) -> None:
        if len(self._recent) >= self.REMEMBERED:
            del self._recent[next(iter(self._recent))]
        self._recent[name] = answer

    def _read(self, key: str, name: bytes) -> object:
        for segment, place in self._candidates(name):
            try:
                file = self._opened(segment)
                file.seek(place)
                row = _row(file.readline())
            except OSError:
                row = None
            if row is not None and row["key"] == key:
                return row["answer"]
            for places in (self._own_places, self._places):
                if places.get(name) == (segment, place):
                    del places[name]
        return _ABSENT

    def _candidates(self, name: bytes) -> Iterator[tuple[str, int]]:
        """Yield where the answer of a digest may lie."""
        for places in (self._own_places, self._places):
            if (found := places.get(name)) is not None:
                yield found
        try:
            for index in self._indexes:
                with suppress(LookupError):  # a damaged index is a miss
                    yield from index.find(name)
        except OSError:  # another machine has made it into a larger one, and removed it
            for index in self._indexes:
                index.close()
            self._indexes = self._learn()
            for index in self._indexes:
                with suppress(OSError, LookupError):
                    yield from index.find(name)

    def put(self, key: str, question: object, answer: object) -> None:
        """Keep an answer; raises MaxiError with the path if it cannot be written."""
        name, asked, said = json.dumps(key), json.dumps(question), json.dumps(answer)
        check = zlib.crc32(f"[{name}, {asked}, {said}]".encode())  # of what `_row` makes of it
        line = f'{{"key": {name}, "question": {asked}, "answer": {said}, "check": {check}}}\n'.encode()
        try:
            own = self._own or self._start()
            place = own.tell()
            # unbuffered: a killed process loses nothing that was said; fsync guards against a machine that dies
            if own.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._own_places[bytes.fromhex(key)] = (self._own_name, place)
            self._remember(bytes.fromhex(key), json.loads(said))  # as it is read again
            self._unsynced += 1
            if self._unsynced >= self._sync_every:
                self._sync()
        except RemoteError as error:
            raise self._only_here(error) from None
        except OSError as error:
            self._end()  # after a torn line nothing can follow
            raise MaxiError(
                f"cannot keep an answer of {counted(len(line), 'byte')} in {self.folder}: {error.strerror or error}",
                "make room or choose another --store; the same command goes on from here",
            ) from error

    def close(self) -> None:
        """Force what is written to the disk and close the segments; raises MaxiError if it cannot be uploaded."""
        try:
            self._sync()
        except RemoteError as error:
            raise self._only_here(error) from None
        except OSError:
            pass
        finally:
            self._end()
            for segment in self._open.values():
                segment.close()
            for index in self._indexes:
                index.close()
            self._open, self._indexes = {}, []

    def _only_here(self, error: RemoteError) -> MaxiError:
        what = f"{counted(self._unsynced, 'answer', 'are')} on this machine alone: {error.problem}"
        self._unsynced = 0  # the next one to open the store uploads what is left
        return MaxiError(what, f"{error.fix}; the same command goes on from here")

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except MaxiError as problem:
            if kind is None:
                raise
            log.warning("%s", problem)

    def _learn(self) -> list[Index]:
        """Learn the places of what no index has, and index them if they are many; returns the indexes."""
        sizes, paths = _listing(self.folder)
        indexes = open_indexes(paths)
        known = covered(indexes)
        new = {name: size for name, size in sorted(sizes.items()) if size > known.get(name, 0)}
        pieces = [(name, start, self._scan(name, start)) for name in new for start in (known.get(name, 0),)]
        if len(self._places) >= LEAST and add_index(self.folder, self._places, pieces):
            for index in indexes:
                index.close()
            indexes = open_indexes(_listing(self.folder)[1])
            known = covered(indexes)
            if all(known.get(name, 0) >= end for name, _, end in pieces):  # else the places in memory serve
                self._places = {}
        return indexes

    def _scan(self, name: str, place: int) -> int:
        """Learn the places of a segment from one on, and return where its last whole line ends.

        One that cannot be read, as a colleague's that is private, holds nothing. Whether a line is damaged is seen
        when it is wanted.
        """
        try:
            with (self.folder / name).open("rb") as segment:
                segment.seek(place)
                for line in segment:
                    if line.startswith(KEY) and line.endswith(b"}\n"):
                        with suppress(ValueError):
                            self._places[bytes.fromhex(line[len(KEY) : len(KEY) + 32].decode())] = (name, place)
                    place += len(line) if line.endswith(b"\n") else 0
        except OSError as error:
            path = self.folder / name
            log.warning("answers in %s cannot be read and count as not there: %s", path, error.strerror or error)
        return place

    def _opened(self, name: str) -> BinaryIO:
        """Return a segment to be read, and close the one that was not used for longest if there are too many."""
        segment = self._open.pop(name, None) or (self.folder / name).open("rb")
        self._open[name] = segment
        if len(self._open) > self.OPEN_AT_ONCE:
            self._open.pop(next(iter(self._open))).close()
        return segment

    def _start(self) -> FileIO:
        """Start a segment of our own, under a name that no other process and thread has."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / ABOUT
        if not about.exists():
            write_text(about, json.dumps(masked({"schema": SCHEMA, **self._about}), indent=2, default=str) + "\n")
            if self._objects:
                self._objects.publish(ABOUT)
        name = (
            f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}-{next(_names)}-{os.urandom(4).hex()}.jsonl"
        )
        self._own, self._own_name = (self.folder / name).open("xb", buffering=0), name
        if self._objects:
            hold(self._own.fileno())  # so that nobody takes it for what a killed process has left
        return self._own

    def _end(self) -> None:
        if self._own is not None:
            self._own.close()
        self._own, self._unsynced = None, 0

    def _sync(self) -> None:
        if self._own is not None and self._unsynced:
            os.fsync(self._own.fileno())
            if self._objects:
                self._objects.push(self._own_name)
        self._unsynced = 0


def _listing(folder: Path) -> tuple[dict[str, int], list[Path]]:
    """Return the bytes of each segment by its name, and the indexes."""
    sizes, indexes = {}, []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ENDING):
                indexes.append(Path(entry.path))
            elif entry.name.endswith(".jsonl"):
                with suppress(OSError):
                    if entry.is_file():
                        sizes[entry.name] = entry.stat().st_size
    return sizes, sorted(indexes)


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
