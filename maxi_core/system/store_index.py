"""Where the answers of a store lie, on the disk: so a store of ten million is opened at once, and in little memory.

An index file has one row for each answer of some pieces of some segments, sorted by key, and a table of where each
leading part of a key begins; so a look-up is one small read. Whoever opens a store and finds many answers that no index
has writes one for them; as soon as there are `FAN` of about one size they are made into one. An index is a cache: one
that is not there or not whole costs the time to read the segments, a row that is wrong is a miss.
"""

import fcntl
import json
import os
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import MaxiError
from maxi_core.system.files import whole_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 1
ENDING = ".index"
LOCK = "index.lock"
LEAST = 4096  # answers that are worth an index
FAN = 8  # indexes of about one size that are made into one
ROW = 28  # bytes: key, number of the segment in this index, place in the segment
FIELDS = [("key", ">u8"), ("rest", "V8"), ("segment", "<u4"), ("place", "<u8")]
BITS = 8  # of a key that are told apart at least
BUCKET = 64  # rows that a look-up reads, about
TAIL = 8  # the last bytes: how long the JSON before them is

Pieces = Sequence[tuple[str, int, int]]  # name of a segment, from which byte, to before which


class Index:
    """One file: `pieces` says which parts of which segments it has."""

    def __init__(self, path: Path) -> None:
        """Open an index; raises OSError, or ValueError and the like for what is none."""
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(self._file).st_size
            length = int.from_bytes(os.pread(self._file, TAIL, size - TAIL), "little")
            if not 0 < length <= size - TAIL:
                raise ValueError("it is not whole")
            about: dict[str, Any] = json.loads(os.pread(self._file, length, size - TAIL - length))
            self.count, self._bits = int(about["count"]), int(about["bits"])
            if about["schema"] != SCHEMA or size != self.count * ROW + 4 * (2**self._bits + 1) + length + TAIL:
                raise ValueError("it is not whole")
            table = os.pread(self._file, 4 * (2**self._bits + 1), self.count * ROW)
            self.starts = array("I", table)
            if sys.byteorder == "big":
                self.starts.byteswap()
            self.pieces: Pieces = [(name, start, end) for name, start, end in about["pieces"]]
            self.names = _names(self.pieces)
        except BaseException:
            self.close()
            raise

    def find(self, key: bytes) -> Iterator[tuple[str, int]]:
        """Yield segment and place of each answer to a key; raises OSError."""
        bucket = int.from_bytes(key[:4], "big") >> (32 - self._bits)
        start, end = self.starts[bucket], self.starts[bucket + 1]
        rows = os.pread(self._file, (end - start) * ROW, start * ROW) if end > start else b""
        at = rows.find(key)
        while at >= 0:
            if at % ROW == 0:
                number = int.from_bytes(rows[at + 16 : at + 20], "little")
                yield self.names[number], int.from_bytes(rows[at + 20 : at + ROW], "little")
            at = rows.find(key, at + 1)

    def rows(self, part: int) -> "NDArray[np.void]":
        """Return the rows whose keys begin with a byte."""
        import numpy as np

        more = self._bits - BITS
        start, end = self.starts[part << more], self.starts[(part + 1) << more]
        return np.frombuffer(os.pread(self._file, (end - start) * ROW, start * ROW), np.dtype(FIELDS)).copy()

    @property
    def level(self) -> int:
        """How often so many rows were made into one file, about."""
        level, most = 0, LEAST * FAN // 2
        while self.count >= most:
            level, most = level + 1, most * FAN
        return level

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            os.close(self._file)


def _names(pieces: Iterable[tuple[str, int, int]]) -> list[str]:
    return list(dict.fromkeys(name for name, _, _ in pieces))


def open_indexes(paths: Sequence[Path]) -> list[Index]:
    """Open those of the indexes that are whole."""
    found = []
    for path in paths:
        with suppress(OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            found.append(Index(path))
    return found


def covered(indexes: Sequence[Index]) -> dict[str, int]:
    """Return up to which byte of each segment, from its beginning on, indexes have the answers."""
    found: dict[str, int] = {}
    for name, start, end in sorted(piece for index in indexes for piece in index.pieces):
        if start <= (now := found.get(name, 0)):
            found[name] = max(now, end)
    return found


def add_index(folder: Path, places: Mapping[bytes, tuple[str, int]], pieces: Pieces) -> bool:
    """Write an index of answers and make many small ones into one; returns whether it was written.

    It is not where another process is at that, or the folder is somebody else's.
    """
    try:
        with (folder / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:  # a file system without locks: two may do the same, which does no harm
                pass
            _write(folder, _table(places, pieces), pieces)
            _compact(folder)
    except (MaxiError, OSError):
        return False
    return True


def _table(places: Mapping[bytes, tuple[str, int]], pieces: Pieces) -> "Iterator[NDArray[np.void]]":
    import numpy as np

    numbers = {name: number for number, name in enumerate(_names(pieces))}
    rows = b"".join(
        key + numbers[name].to_bytes(4, "little") + place.to_bytes(8, "little")
        for key, (name, place) in sorted(places.items())
    )
    yield np.frombuffer(rows, np.dtype(FIELDS))


def _compact(folder: Path) -> None:
    """Make each `FAN` indexes of about one size into one, part by part of the keys, and remove them."""
    import numpy as np

    while True:
        levels: dict[int, list[Index]] = {}
        indexes = open_indexes(sorted(folder.glob(f"*{ENDING}")))
        try:
            for index in indexes:
                levels.setdefault(index.level, []).append(index)
            few = next((found for found in levels.values() if len(found) >= FAN), None)
            if few is None:
                return
            pieces = _joined(few)
            numbers = {name: number for number, name in enumerate(_names(pieces))}
            tables = [np.array([numbers[name] for name in index.names], np.uint32) for index in few]

            def merged(few: list[Index] = few, tables: "list[Any]" = tables) -> "Iterator[NDArray[np.void]]":
                for part in range(2**BITS):
                    found = [index.rows(part) for index in few]
                    for rows, table in zip(found, tables, strict=True):
                        rows["segment"] = table[rows["segment"]]
                    joined = b"".join(rows.tobytes() for rows in found)  # np.concatenate changes the order of bytes
                    every = np.frombuffer(joined, np.dtype(FIELDS))
                    yield every[np.argsort(every["key"], kind="stable")]

            _write(folder, merged(), pieces)
            for index in few:
                index.path.unlink(missing_ok=True)
        finally:
            for index in indexes:
                index.close()


def _joined(indexes: Sequence[Index]) -> Pieces:
    """Return the pieces of several, those that follow each other as one."""
    found: list[tuple[str, int, int]] = []
    for name, start, end in sorted(piece for index in indexes for piece in index.pieces):
        if found and found[-1][0] == name and start <= found[-1][2]:
            found[-1] = (name, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((name, start, end))
    return found


def _write(folder: Path, tables: "Iterator[NDArray[np.void]]", pieces: Pieces) -> None:
    import numpy as np

    path = folder / f"{os.urandom(8).hex()}{ENDING}"
    with whole_file(path) as file:
        heads, count = [], 0
        for rows in tables:
            file.write(rows.tobytes())
            heads.append((rows["key"] >> np.uint64(32)).astype(np.uint32))
            count += len(rows)
        bits = min(31, max(BITS, (count // BUCKET).bit_length()))
        every = np.concatenate(heads) if heads else np.empty(0, np.uint32)
        edges = np.arange(2**bits + 1, dtype=np.uint64) << np.uint64(32 - bits)
        starts = np.searchsorted(every.astype(np.uint64), edges).astype("<u4")
        file.write(starts.tobytes())
        about = {"schema": SCHEMA, "count": count, "bits": bits}
        tail = json.dumps({**about, "pieces": [list(piece) for piece in pieces]}).encode()
        file.write(tail + len(tail).to_bytes(TAIL, "little"))
