"""A remote file that is open: read in blocks, as they are wanted."""

from __future__ import annotations

import io
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable
from urllib.parse import urlsplit

from maxi_core.system.remote_errors import BUCKETS, RemoteError, changed
from maxi_core.system.remote_servers import NoRangesError, State, full_of, scheme_of, state, state_in, system, tried

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger("maxi")

BLOCK = 1 << 20  # bytes of a request: few enough to wait for, few too many for a window (docs/remote.md)
KEPT = 8  # blocks of an open file that are held: films whose sound lies apart go back and forth

Answer = TypeVar("Answer")

_without_ranges: set[str] = set()  # servers that were asked for a part and sent the whole


@runtime_checkable
class Checked(Protocol):
    """An open file that remembers what went wrong in it."""

    def check(self) -> None:
        """Raise it."""
        ...


class RemoteFile(io.RawIOBase):
    """A remote file that is open: blocks are fetched as they are wanted, and `failure` is the first that was not.

    A file of a server without ranges is fetched whole, into a temporary file.
    """

    def __init__(self, url: str, block: int | None = None) -> None:
        self.name, self.failure = url, cast("RemoteError | None", None)
        self._at, self._state = 0, state(url)
        if self._state.folder:
            raise RemoteError("folder", f"{url} is a folder, not a file", "name the files in it")
        if self._state.size == 0:
            self._inner: Any = io.BytesIO()
        elif self._state.ranges and self._state.size > 0 and urlsplit(url).netloc not in _without_ranges:
            self._inner = tried(url, lambda: _opened(url, self._state, block or BLOCK))
        else:
            self._inner = self._tried(lambda: _downloaded(url))

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place in it; nothing is fetched."""
        if whence == os.SEEK_END:
            offset += self._inner.seek(0, os.SEEK_END)
        elif whence == os.SEEK_CUR:
            offset += self._at
        self._at = max(0, offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read on; raises RemoteError."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._tried(lambda: self._read(len(view)))
        except NoRangesError:
            host = urlsplit(self.name).netloc
            log.warning("%s answers no ranges: each of its files is fetched whole", host)
            _without_ranges.add(host)
            self._inner = self._tried(lambda: _downloaded(self.name))
            data = self._read(len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def check(self) -> None:
        """Raise the failure that a library may have passed over, or that the file changed while it was read."""
        if self.failure is not None:
            raise self.failure
        if scheme_of(self.name) == "s3":
            return  # each request names the ETag
        if state(self.name, fresh=True) != self._state:
            raise changed(self.name)

    def close(self) -> None:
        """Close it."""
        if not self.closed and not isinstance(self._inner, _Shared):
            self._inner.close()
        super().close()

    def _read(self, count: int) -> bytes:
        self._inner.seek(self._at)
        return cast(bytes, self._inner.read(count))

    def _tried(self, call: Callable[[], Answer]) -> Answer:
        try:
            return tried(self.name, call)
        except RemoteError as error:
            self.failure = self.failure or error
            raise


class _Shared(io.FileIO):
    """A temporary file with a whole remote file, for all who have that open; it goes with the last of them."""

    def __del__(self) -> None:
        self.close()


def _opened(url: str, seen: State, block: int) -> Any:
    more: dict[str, Any] = {}
    if scheme_of(url) in ("http", "https", "hf"):
        more["size"] = seen.size
        if scheme_of(url) != "hf" and seen.tag.startswith('"'):
            more["headers"] = {"If-Match": seen.tag}
    file = system(scheme_of(url)).open(
        full_of(url), "rb", block_size=block, cache_type="blockcache", cache_options={"maxblocks": KEPT}, **more
    )
    if scheme_of(url) in BUCKETS and state_in(file.details) != seen:
        raise changed(url)
    return file


_held: tuple[str, State, _Shared] | None = None  # the last one that was fetched whole: readers open a file repeatedly


def _downloaded(url: str) -> _Shared:
    global _held  # noqa: PLW0603 (a cache of one, of this process)
    seen = state(url)
    if _held is None or _held[:2] != (url, seen):
        handle, name = tempfile.mkstemp()
        Path(name).unlink()
        shared = _Shared(handle, "w+")
        size = {"size": seen.size} if seen.size > 0 else {}
        with (
            system(scheme_of(url)).open(full_of(url), "rb", block_size=0, **size) as file,
            os.fdopen(os.dup(handle), "wb") as copy,
        ):
            shutil.copyfileobj(file, copy, BLOCK)
        _held = url, seen, shared
    return _held[2]
