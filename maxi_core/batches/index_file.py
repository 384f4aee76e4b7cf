"""The index of a file of bags: where each line begins and what is needed to choose among them, mapped into memory.

The index is made once, while the file is gone through, and lies in the cache folder under the name of the file. Ten
million bags are 240 MB of it, of which a process touches what it needs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from maxi_core.bags.records import SCHEMA as BAG_SCHEMA
from maxi_core.errors import MaxiError, UsageError
from maxi_core.files import maxi_home, whole_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger("maxi")

SCHEMA = 1
# items is the number of texts besides the matched one, or NOT_KEPT
FIELDS = [("offset", "<u8"), ("score", "<f8"), ("entry", "<u4"), ("items", "<i4")]
NOT_KEPT = -1
AT_ONCE = 65_536  # rows that are held before they are written
TAIL = 8  # the last bytes: how long the JSON before them is


@dataclass(frozen=True)
class IndexFile:
    """One row for each bag, `rows` with FIELDS, and the matched entries by number, in the order of first use."""

    rows: NDArray[np.void]
    entries: tuple[str, ...]


def is_item(text: str, entry: str) -> bool:
    """Say whether a text of a bag is sampled: everything but the matched entry itself, which is text1 (method.md)."""
    return text.casefold() != entry.casefold()


def index_of(bags: Path, file: IO[bytes]) -> IndexFile:
    """Return the index of the bags in `file`, opened from `bags`; made first if there is none or it is another file's.

    Of several processes that need it at once, one makes it. Raises UsageError with the line for what is no bag.
    """
    status = os.fstat(file.fileno())
    where = str(bags.resolve())
    about = {"schema": SCHEMA, "bags": where, "size": status.st_size, "changed": status.st_mtime_ns}
    name = hashlib.blake2b(os.fsencode(where), digest_size=16).hexdigest()
    path = maxi_home() / "index" / f"{name}.bags"
    found = _read(path, about)
    if found is None:
        with _alone(path):
            found = _read(path, about)
            if found is None:
                logger.info("making an index of %s, once", bags)
                _make(path, about, bags, file)
                found = _read(path, about)
    assert found is not None
    return found


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("a")
    except OSError as error:
        raise MaxiError(f"cannot write {path}: {error.strerror or error}", "name another folder: MAXI_HOME") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path, about: dict[str, Any]) -> IndexFile | None:
    """Return the index at `path`, or None if there is none, it is broken, or it is not of this file as it is now."""
    import numpy as np

    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size - TAIL)
            length = int.from_bytes(file.read(TAIL), "little")
            file.seek(size - TAIL - length)
            tail = json.loads(file.read(length))
    except (OSError, ValueError):
        return None
    if not isinstance(tail, dict) or tail.get("about") != about:
        return None
    kind = np.dtype(FIELDS)
    if size != tail["count"] * kind.itemsize + length + TAIL:
        return None
    rows = np.memmap(path, kind, "r", shape=(tail["count"],)) if tail["count"] else np.empty(0, kind)
    return IndexFile(rows, tuple(tail["entries"]))


def _make(path: Path, about: dict[str, Any], bags: Path, file: IO[bytes]) -> None:
    import numpy as np

    entries: dict[str, int] = {}
    count, rows = 0, []
    with whole_file(path) as index:
        for row in _scan(bags, file, entries):
            count += 1
            rows.append(row)
            if len(rows) == AT_ONCE:
                index.write(np.array(rows, np.dtype(FIELDS)).tobytes())
                rows = []
        index.write(np.array(rows, np.dtype(FIELDS)).tobytes())
        tail = json.dumps({"about": about, "count": count, "entries": list(entries)}).encode()
        index.write(tail + len(tail).to_bytes(TAIL, "little"))


def _scan(bags: Path, file: IO[bytes], entries: dict[str, int]) -> Iterator[tuple[int, float, int, int]]:
    """Yield the row of each bag; fills `entries`."""
    offset = 0
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            record = json.loads(line)
            if record["schema"] != BAG_SCHEMA:
                raise ValueError(f"schema {record['schema']}, and this maxi reads {BAG_SCHEMA}")
            entry = record["match"]["entry"]
            items = sum(is_item(text["text"], entry) for text in record["texts"]) if record["kept"] else NOT_KEPT
            row = (offset, float(record["match"]["score"]), entries.setdefault(entry, len(entries)), items)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{bags}:{number} is not a bag: {error}", "run maxi bags again") from None
        yield row
        offset += len(line)
