"""The bags of a run as examples for training, without reading more of them than are asked for."""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from maxi_core.bags.bag import from_line
from maxi_core.bags.filtering import best_places
from maxi_core.bags.manifest import bags_of, read_manifest
from maxi_core.batches.batch import Example
from maxi_core.errors import MaxiError, UsageError, nearest
from maxi_core.system.files import maxi_home, sweep, whole_file
from maxi_core.system.locks import exclusive
from maxi_core.texts import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The index of a file of bags: where each line begins and what is needed to choose among them, mapped into memory.
# The index is made once, while the file is gone through, and lies beside it (in the cache folder where that is not to
# be written). Ten million bags are 240 MB of it, of which a process touches what it needs. Bags whose checksum is the
# one in the manifest are as maxi wrote them, and need not be parsed; of others each line is read with all checks.

logger = logging.getLogger("maxi")

SCHEMA = 2
INDEX = "bags.index"
# items is the number of texts besides the matched one, or NOT_KEPT
FIELDS = [("offset", "<u8"), ("score", "<f8"), ("entry", "<u4"), ("items", "<i4")]
NOT_KEPT = -1
AT_ONCE = 65_536  # rows that are held before they are written
PIECE = 1 << 22  # bytes whose checksum is taken at once
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
    about: dict[str, Any] = {"schema": SCHEMA, "size": status.st_size, "changed": status.st_mtime_ns}
    path = bags.with_name(INDEX)
    found = _read(path, about)
    if found is None and not os.access(bags.parent, os.W_OK):  # the run of somebody else
        where = bags.resolve()
        name = hashlib.blake2b(os.fsencode(where), digest_size=16).hexdigest()
        path, about = maxi_home() / "index" / f"{name}.bags", {**about, "bags": str(where)}
        found = _read(path, about)
    if found is None:
        with _alone(path):
            found = _read(path, about)
            if found is None:
                logger.info("making an index of %s, once", bags)
                sweep(path.parent, f"{path.name}*")
                _make(path, about, bags, file)
                found = _read(path, about)
    assert found is not None
    return found


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("ab")
    except OSError as error:
        raise MaxiError(f"cannot write {path}: {error.strerror or error}", "name another folder: MAXI_HOME") from None
    with lock, exclusive(lock):
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
        if tail["about"] != about or size != tail["count"] * (kind := np.dtype(FIELDS)).itemsize + length + TAIL:
            return None
        rows = np.memmap(path, kind, "r", shape=(tail["count"],)) if tail["count"] else np.empty(0, kind)
        return IndexFile(rows, tuple(tail["entries"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


class _OtherError(Exception):
    """The bags are not those that the manifest speaks of."""


def _make(path: Path, about: dict[str, Any], bags: Path, file: IO[bytes]) -> None:
    """Make the index; the checksum is taken in a thread of its own meanwhile."""
    if (checksum := _written(bags)) is not None:
        with ThreadPoolExecutor(1) as pool, suppress(_OtherError):
            return _write(path, about, bags, file, pool.submit(_is, file.fileno(), checksum))
    return _write(path, about, bags, file, None)


def _write(path: Path, about: dict[str, Any], bags: Path, file: IO[bytes], trusted: Future[bool] | None) -> None:
    import numpy as np

    entries: dict[str, int] = {}
    count, rows = 0, []
    with whole_file(path) as index:
        for row in _scan(bags, file, entries, trusted=trusted is not None):
            count += 1
            rows.append(row)
            if len(rows) == AT_ONCE:
                index.write(np.array(rows, np.dtype(FIELDS)).tobytes())
                rows = []
        index.write(np.array(rows, np.dtype(FIELDS)).tobytes())
        tail = json.dumps({"about": about, "count": count, "entries": list(entries)}).encode()
        index.write(tail + len(tail).to_bytes(TAIL, "little"))
        if trusted is not None and not trusted.result():
            raise _OtherError


def _written(bags: Path) -> str | None:
    """Return the checksum of the bags that the manifest beside them has, if any."""
    try:
        sums = read_manifest(bags.parent).get("sha256")
    except UsageError:
        return None
    checksum = sums.get(bags.name) if isinstance(sums, dict) else None
    return checksum if isinstance(checksum, str) else None


def _is(handle: int, checksum: str) -> bool:
    found, place = hashlib.sha256(), 0
    while data := os.pread(handle, PIECE, place):
        found.update(data)
        place += len(data)
    return found.hexdigest() == checksum


_MATCH = re.compile(rb'"match": \{"entry": "([^"\\]+)", "score": (-?[0-9.]+(?:e-?[0-9]+)?), "top": ')
_KEPT = re.compile(rb'\]\}, "kept": (true|false), "texts": \[')
_TEXT = b'{"text": "'  # no string has this in it, since its quotes are escaped there


def _quickly(line: bytes) -> tuple[str, float, int] | None:
    """Return entry, score and items of a line that maxi wrote; None for one that has to be read to know them."""
    match = _MATCH.search(line)
    kept = match and _KEPT.search(line, match.end())
    if not line.isascii() or b"\\" in line or not match or not kept:
        return None  # escapes, and letters that are equal in more than their case
    if kept[1] == b"false":
        return match[1].decode(), float(match[2]), NOT_KEPT
    texts = line[kept.end() :].lower()
    if _TEXT + match[1].lower() + b'"' in texts:
        return None
    return match[1].decode(), float(match[2]), texts.count(_TEXT)


def _scan(
    bags: Path, file: IO[bytes], entries: dict[str, int], *, trusted: bool
) -> Iterator[tuple[int, float, int, int]]:
    """Yield the row of each bag; fills `entries`. `trusted` lines are as maxi wrote them."""
    offset = 0
    file.seek(0)
    for number, line in enumerate(file, 1):
        if trusted and (quick := _quickly(line)) is not None:
            yield (offset, quick[1], entries.setdefault(quick[0], len(entries)), quick[2])
            offset += len(line)
            continue
        try:
            bag = from_line(line)
        except ValueError as error:
            raise UsageError(f"{bags}:{number} is not a bag: {error}", "run maxi bags again") from None
        entry = bag.match.entry
        items = sum(is_item(text.text, entry) for text in bag.texts) if bag.kept else NOT_KEPT
        yield (offset, bag.match.score, entries.setdefault(entry, len(entries)), items)
        offset += len(line)


class BagIndex:
    """The bags of a run that are trained on, in their order; see `open_bags`.

    `total` is the number of all bags of the run, kept or not.
    """

    def __init__(self, lines: mmap.mmap, index: IndexFile, places: NDArray[np.int64], classes: tuple[str, ...]) -> None:
        self._lines, self._index, self._places, self.classes = lines, index, places, classes
        self._numbers = {name: number for number, name in enumerate(classes)}
        self.total = len(index.rows)

    @property
    def empty(self) -> int:
        """Return how many of the bags have no text besides the matched entry."""
        return int((self._index.rows["items"][self._places] == 0).sum())

    @property
    def entries(self) -> int:
        """Return how many different entries the bags that are trained on are matched to."""
        import numpy as np

        return len(np.unique(self._index.rows["entry"][self._places]))

    def __len__(self) -> int:
        """Return how many bags are trained on."""
        return len(self._places)

    def __getitem__(self, place: int) -> Example:
        """Read one bag; its matched entry is not among its texts."""
        row = int(self._places[place])
        offsets = self._index.rows["offset"]
        end = int(offsets[row + 1]) if row + 1 < len(offsets) else len(self._lines)
        try:
            bag = from_line(self._lines[int(offsets[row]) : end])
        except ValueError as error:  # the file was whole when its index was made
            raise MaxiError(
                f"bag {row + 1} cannot be read ({error}): the bags or their index were changed",
                f"delete {INDEX} beside them, or run maxi bags again",
            ) from None
        entry = bag.match.entry
        texts = tuple(text.text for text in bag.texts if is_item(text.text, entry))
        best = {entry: bag.match.score} | dict(bag.match.top)  # its own first
        top = tuple((self._numbers[name], score) for name, score in best.items() if name in self._numbers)
        return Example(bag.match.video, entry, self._numbers[entry], texts, top)


def open_bags(run: Path, keep: float | None = None, classes: Sequence[str] | None = None) -> BagIndex:
    """Return the bags of a run folder that its `--keep` kept, or a smaller share `keep` of all its matched videos.

    The share is found as `maxi bags` finds it: one threshold for all, of equal scores the earlier videos. `classes`
    are the entries that are numbered (default: those that any bag is matched to, sorted). Raises UsageError for a
    folder without bags, for a larger share than the run has texts for, and for a matched entry that is no class.
    """
    import numpy as np

    path = bags_of(run)
    with path.open("rb") as file:
        index = index_of(path, file)
        if not len(index.rows):
            raise UsageError(f"{path} is empty: no video was matched", "run maxi bags again")
        lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    kept = index.rows["items"] != NOT_KEPT
    places = np.flatnonzero(kept)
    if keep is not None:
        places = _share(run, index, places, keep)
    return BagIndex(lines, index, places, _classes(run, index, places, classes))


def _share(run: Path, index: IndexFile, kept: NDArray[np.int64], keep: float) -> NDArray[np.int64]:
    """Return the places of the `keep` best of all bags, ascending."""
    import numpy as np

    if not 0 < keep <= 1:
        raise UsageError(f"--keep {keep:g} is no share of the videos", "type a number above 0 and up to 1")
    places = best_places(index.rows["score"], keep)
    if len(places) > len(kept):
        total = len(index.rows)
        raise UsageError(
            f"--keep {keep:g} asks for {len(places)} of {counted(total, 'video')}, and {run} has texts for "
            f"{len(kept)} of them",
            f"type --keep {len(kept) / total:.3g} or less, or run maxi bags with --keep {keep:g}",
        )
    scores = index.rows["score"]
    if len(places) < len(scores) > 1 and scores.min() == scores.max():
        raise UsageError(
            f"--keep {keep:g}: all {counted(len(scores), 'video')} of {run} have the same score, so none are the best",
            "leave out --keep, or match them: maxi bags",
        )
    return np.sort(places)


def _classes(run: Path, index: IndexFile, places: NDArray[np.int64], classes: Sequence[str] | None) -> tuple[str, ...]:
    import numpy as np

    if classes is None:
        return tuple(sorted(index.entries))
    known = set(classes)
    for number in np.unique(index.rows["entry"][places]):
        entry = index.entries[number]
        if entry not in known:
            raise UsageError(
                f"{run} has videos matched to '{entry}', which is not among the {counted(len(known), 'class')}"
                f"{nearest(entry, classes)}",
                "name the dictionary that the bags were made with",
            )
    return tuple(classes)
