"""A part of a store on an object store: each flush of a writer is one new object, and all are copied to this machine.

Objects are never changed and each name is of one writer, so any number of machines write beside each other without
locks. The copy has segments like a store on a disk, our own among them, and beside each a list: which objects have
it, up to which byte. So whoever opens the store fetches what is new and no more, and uploads what killed processes have
left. The copy may be deleted; what was not uploaded goes with it.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from maxi_core.errors import MaxiError
from maxi_core.system.files import maxi_home, sweep, whole_file, write_text
from maxi_core.system.locks import exclusive_if_possible
from maxi_core.system.remote import RemotePath, refuse_unwritable
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.remote_servers import contents

FOLDER = "objects"  # of the copies, in $MAXI_HOME
SEGMENT, LIST = ".jsonl", ".objects"
LOCK = "fetch.lock"
AT_ONCE = 64  # objects that are fetched side by side
PIECE = 4096  # objects that are copied into one segment: what is fetched anew after an interruption, at most


class Objects:
    """The objects of one part of a store, and their copy; `notes` are small files that are copied as they are."""

    def __init__(self, at: RemotePath, notes: Sequence[str]) -> None:
        refuse_unwritable(at)
        self.at, self._notes = at, notes
        self.copy = maxi_home() / FOLDER / hashlib.sha256(str(at.parent).encode()).hexdigest()[:16] / at.name
        self._uploaded: dict[str, int] = {}  # segment -> up to which byte

    def pull(self) -> None:
        """Upload what was left, fetch what is new, and drop what is no longer there; raises MaxiError.

        Processes of this machine wait for each other, so that nothing is fetched twice.
        """
        try:
            with self._alone():
                sweep(self.copy)
                known = {path.stem + SEGMENT: dict(_listed(path)) for path in self.copy.glob(f"*{LIST}")}
                there = self._there()  # after the lists: whatever stands in them was there by then
                for path in sorted(self.copy.glob(f"*{SEGMENT}")):
                    held = known.setdefault(path.name, {})
                    self._uploaded[path.name] = max(held.values(), default=0)
                    if path.stat().st_size > self._uploaded[path.name] and _is_left(path):
                        self.push(path.name)
                    if held.keys() - there and _is_left(path):
                        path.unlink()
                here = {name for segment, held in known.items() if (self.copy / segment).exists() for name in held}
                self._fetch(sorted(name for name in there - here if name.endswith(SEGMENT)))
                for name in self._notes:
                    self._level(name, there)
        except RemoteError:
            raise
        except OSError as error:
            what = f"cannot keep a copy of {self.at} in {self.copy}: {error.strerror or error}"
            raise MaxiError(what, "make room there, or set MAXI_HOME to another place") from None

    def push(self, segment: str) -> None:
        """Upload the whole lines of a segment that no object has yet, as one; raises RemoteError, OSError."""
        start = self._uploaded.get(segment, 0)
        with (self.copy / segment).open("rb") as file:
            file.seek(start)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return
        stem, end = segment.removesuffix(SEGMENT), start + len(data)
        name = f"{stem}-{start}-{os.urandom(4).hex()}{SEGMENT}"  # another one when it is tried again
        (self.at / name).write_bytes(data)
        self._uploaded[segment] = end
        with (self.copy / f"{stem}{LIST}").open("ab") as file:
            file.write(f"{name} {end}\n".encode())

    def publish(self, note: str) -> None:
        """Upload a small file; raises RemoteError, OSError."""
        (self.at / note).write_bytes((self.copy / note).read_bytes())

    def _there(self) -> set[str]:
        try:
            return set(self.at.listed())
        except RemoteError as error:
            if error.kind == "missing":
                return set()
            raise

    def _fetch(self, names: Sequence[str]) -> None:
        """Copy objects into segments; the list of each is there before it, and counts for nothing without it."""
        for start in range(0, len(names), PIECE):
            stem, lines = f"fetched-{os.urandom(8).hex()}", []
            with whole_file(self.copy / f"{stem}{SEGMENT}") as file:
                for name, data in self._contents(names[start : start + PIECE]):
                    file.write(data if data.endswith(b"\n") else data + b"\n")
                    lines.append(f"{name} {file.tell()}\n")
                write_text(self.copy / f"{stem}{LIST}", "".join(lines))

    def _contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            yield from zip(some, contents([str(self.at / name) for name in some]), strict=True)

    def _level(self, note: str, there: Iterable[str]) -> None:
        """Have a small file on both sides if it is on one."""
        if not (self.copy / note).exists():
            if note in there:
                with whole_file(self.copy / note) as file:
                    file.write(contents([str(self.at / note)])[0])
        elif note not in there:
            self.publish(note)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.copy.mkdir(parents=True, exist_ok=True)
        with (self.copy / LOCK).open("ab") as lock, exclusive_if_possible(lock):
            yield


def _listed(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the objects of a list with the byte up to which each has the segment; a torn line is none."""
    for line in path.read_bytes().splitlines(keepends=True):
        name, _, end = line.decode(errors="replace").rpartition(" ")
        if line.endswith(b"\n") and end.strip().isdigit():
            yield name, int(end)


def _is_left(path: Path) -> bool:
    """Whether no living process writes a segment, as far as can be known."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
