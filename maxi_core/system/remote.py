"""Files on object stores and web servers: the one place that knows fsspec.

A remote file is a `RemotePath`, a path like any other that prints as its URL and can be opened, looked at and listed.
`as_path` makes it of what somebody wrote, and takes credentials off: they are used, and stand in no path.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import stat as kinds
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable
from urllib.parse import urlsplit

from maxi_core.errors import UsageError
from maxi_core.system.remote_errors import NEEDS, TRANSIENT, RemoteError, changed, explained
from maxi_core.system.secrets import without_secrets
from maxi_core.system.urls import OTHER, URL, without_credentials

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger("maxi")

BLOCK = 1 << 20  # bytes of a request: few enough to wait for, few too many for a window (docs/remote.md)
AT_ONCE = 1 << 16  # bytes that are taken out of a block
KEPT = 8  # blocks of an open file that are held: films whose sound lies apart go back and forth
CONNECT, READ = 5, 30  # seconds
PAUSES = (0.5, 2.0)  # seconds before each new try over HTTP; the clients of object stores retry by themselves
REMEMBERED = 1_000_000  # files whose state is known without asking again

_STATES = ("ETag", "etag", "md5Hash", "blob_id", "oid", "Content-MD5", "Digest", "LastModified", "Last-Modified")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class State:
    """Which state a remote file is in: bytes (-1: not known), and the ETag or what the server has in its place."""

    size: int
    tag: str
    folder: bool = False
    ranges: bool = True


class RemotePath(PosixPath):
    """The path of a remote file; its text is the URL, without credentials."""

    __slots__ = ()

    def __str__(self) -> str:
        text = super().__str__()
        return f"{found[1]}://{text[found.end() :]}" if (found := URL.match(text)) else text

    def __fspath__(self) -> str:
        return str(self)

    @property
    def name(self) -> str:
        """Return the last part, of a web address without its query."""
        name = super().name
        return name.partition("?")[0] if self.scheme.startswith("http") else name

    @property
    def scheme(self) -> str:
        """Return what the URL begins with, as `s3`."""
        return self.parts[0].rstrip(":")

    def resolve(self, strict: bool = False) -> RemotePath:  # noqa: ARG002 (the signature is pathlib's)
        """Return this path: nothing here is a link."""
        return self

    def absolute(self) -> RemotePath:
        """Return this path."""
        return self

    def state(self, *, fresh: bool = False) -> State:
        """Return size and ETag as first seen in this process, or as they are now; raises RemoteError."""
        url = str(self)
        if fresh or url not in _states:
            _remember(url, _tried(self, lambda: _state_of(self)))
        return _states[url]

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002
        """Return size and kind as the system does for a file here; raises RemoteError."""
        found = self.state()
        mode = kinds.S_IFDIR | 0o555 if found.folder else kinds.S_IFREG | 0o444
        return os.stat_result((mode, 0, 0, 1, 0, 0, max(found.size, 1 if found.size < 0 else 0), 0, 0, 0))

    def exists(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        """Whether it is there; raises RemoteError where that cannot be known."""
        try:
            self.state()
        except RemoteError as error:
            if error.kind == "missing":
                return False
            raise
        return True

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        """Whether it is there as a file; raises RemoteError as `exists`."""
        return self.exists() and not self.state().folder

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        """Whether something lies below it; raises RemoteError as `exists`."""
        return self.exists() and self.state().folder

    def open(self, mode: str = "r", buffering: int = -1, *text: Any, **as_text: Any) -> Any:
        """Open it to be read, as bytes or text; `buffering` is how much one request asks for. Raises RemoteError."""
        if "w" in mode or "a" in mode or "x" in mode or "+" in mode:
            refuse_remote(self)
        raw = RemoteFile(self, buffering if buffering > 1 else BLOCK)
        if "b" in mode:
            return raw if buffering == 0 else io.BufferedReader(raw, AT_ONCE)
        return io.TextIOWrapper(io.BufferedReader(raw, AT_ONCE), *text, **as_text)

    def listed(self) -> Iterator[str]:
        """Yield the names of all files below it, relative to it and sorted; their states are remembered."""
        if self.scheme.startswith("http"):
            raise RemoteError("folder", f"{self} is on a web server, which lists nothing", "name files, or a list")
        files = _tried(self, lambda: _system(self.scheme).find(_key(self), detail=True))
        top = _bare(_key(self))
        for name, info in sorted(files.items()):
            if inside := _bare(name).removeprefix(top).strip("/"):
                if not info.get("size") and name.endswith("/"):
                    continue  # the mark of a folder that some tools make
                if "//" in inside:
                    raise RemoteError("name", f"{self}/{inside} has // in its name", "copy it to another name")
                _remember(f"{self}/{inside}", _state(info))
                yield inside


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

    def __init__(self, path: RemotePath, block: int = BLOCK) -> None:
        self.path, self.name, self.failure = path, str(path), cast("RemoteError | None", None)
        self.fetched = 0
        self._at, self._state = 0, path.state()
        if self._state.folder:
            raise RemoteError("folder", f"{path} is a folder, not a file", "name the files in it")
        if self._state.size == 0:
            self._inner: Any = io.BytesIO()
        elif self._state.ranges and self._state.size > 0 and urlsplit(self.name).netloc not in _without_ranges:
            self._inner = _tried(path, lambda: _opened(path, self._state, block))
        else:
            self._inner = self._tried(lambda: _downloaded(path))

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
        except _NoRangesError:
            host = urlsplit(self.name).netloc
            log.warning("%s answers no ranges: each of its files is fetched whole", host)
            _without_ranges.add(host)
            self._inner = self._tried(lambda: _downloaded(self.path))
            data = self._read(len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def check(self) -> None:
        """Raise the failure that a library may have passed over, or that the file changed while it was read."""
        if self.failure is not None:
            raise self.failure
        if self.path.scheme == "s3":
            return  # each request names the ETag
        if self.path.state(fresh=True) != self._state:
            raise changed(str(self.path))

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
            return _tried(self.path, call)
        except RemoteError as error:
            self.failure = self.failure or error
            raise


# What somebody wrote, and what is secret in it.

_full: dict[str, str] = {}  # URL -> the same with its credentials, of this process
_states: dict[str, State] = {}
_without_ranges: set[str] = set()  # servers that were asked for a part and sent the whole


def is_remote(written: object) -> bool:
    """Whether a text or path is the URL of a remote file; one slash is enough, since paths lose the other."""
    return isinstance(written, RemotePath) or (
        URL.match(str(written)) is not None if isinstance(written, (str, Path)) else False
    )


def as_path(written: Path | str) -> Path:
    """Return the path of what was written; of a URL without its credentials, which are kept to be used.

    Raises UsageError for a name that a path cannot hold.
    """
    if isinstance(written, RemotePath):
        return written
    found = URL.match(str(written))
    if found is None:
        if other := OTHER.match(str(written)):
            raise UsageError(f"{other[1]}:// is not read", f"copy the files to where one of {', '.join(NEEDS)} reads")
        return Path(written)
    scheme, rest = found[1].lower(), str(written)[found.end() :]
    url, full = f"{scheme}://{without_credentials(scheme, rest)}", f"{scheme}://{rest}"
    if "//" in url.partition("://")[2].rstrip("/"):
        raise UsageError(f"{without_secrets(url)} has // in its name", "write it with one slash, or copy the file")
    if url != full:
        _full[url.rstrip("/")] = full
    return RemotePath(url)


def passport(path: Path) -> dict[str, object] | None:
    """Return what another process has to know of a remote path: the URL to ask, and the state that was seen."""
    if not isinstance(path, RemotePath):
        return None
    url = str(path)
    return {"url": _full.get(url, url), "state": asdict(_states[url]) if url in _states else None}


def admit(values: Mapping[str, Any]) -> Path:
    """Return the path of a `passport` of another process, and know what it knew."""
    path = as_path(values["url"])
    if values["state"] is not None:
        _remember(str(path), State(**values["state"]))
    return path


def is_folder(path: Path) -> bool:
    """Whether files lie below a path; of a web server, which lists nothing, that is taken to be so."""
    return (isinstance(path, RemotePath) and path.scheme.startswith("http")) or path.is_dir()


def refuse_remote(path: Path | None) -> None:
    """Raise UsageError if a file or folder that is to be written was named on a server."""
    if path is not None and is_remote(path):
        raise UsageError(f"{as_path(path)} is remote, and maxi writes on this machine", "name a place here")


def _remember(url: str, state: State) -> None:
    if len(_states) >= REMEMBERED:
        del _states[next(iter(_states))]
    _states[url] = state


# fsspec, whose exceptions are those of five libraries.


class _NoRangesError(Exception):
    """A server sent the whole file where a part was asked for."""


class _Shared(io.FileIO):
    """A temporary file with a whole remote file, for all who have that open; it goes with the last of them."""

    def __del__(self) -> None:
        self.close()


def _key(path: RemotePath) -> str:
    return _full.get(str(path), str(path))


def _bare(name: str) -> str:
    return name.partition("://")[2] if "://" in name else name


@cache
def _system(scheme: str) -> Any:
    import fsspec

    settings: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        retries = {"max_attempts": 2, "mode": "standard"}
        settings["config_kwargs"] = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": retries}
    if scheme.startswith("http"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=READ)
        settings["client_kwargs"] = {"timeout": timeout, "trust_env": True}
    system = fsspec.filesystem(scheme, **settings)
    if scheme == "s3":
        system.retries = 3
    return system


def _state_of(path: RemotePath) -> State:
    return _state(_system(path.scheme).info(_key(path)), path)


def _state(info: Mapping[str, Any], path: RemotePath | None = None) -> State:
    if path is not None and path.scheme.startswith("http") and info.get("mimetype") == "text/html":
        raise RemoteError("not-a-video", f"{path} is a web page (text/html), not a file", "name the file's own URL")
    size = info.get("size")
    tag = next((str(info[key]) for key in _STATES if info.get(key)), "")
    folder = info.get("type") == "directory"
    return State(-1 if size is None else int(size), tag, folder, bool(info.get("partial", True)))


def _opened(path: RemotePath, state: State, block: int) -> Any:
    more: dict[str, Any] = {}
    if path.scheme.startswith("http"):
        more["size"] = state.size
        if state.tag.startswith('"'):
            more["headers"] = {"If-Match": state.tag}
    file = _system(path.scheme).open(
        _key(path), "rb", block_size=block, cache_type="blockcache", cache_options={"maxblocks": KEPT}, **more
    )
    if path.scheme == "s3" and _state(file.details) != state:
        raise changed(str(path))
    return file


_held: tuple[str, State, _Shared] | None = None  # the last one that was fetched whole: readers open a file repeatedly


def _downloaded(path: RemotePath) -> _Shared:
    global _held  # noqa: PLW0603 (a cache of one, of this process)
    state = path.state()
    if _held is None or _held[:2] != (str(path), state):
        handle, name = tempfile.mkstemp()
        Path(name).unlink()
        shared = _Shared(handle, "w+")
        size = {"size": state.size} if state.size > 0 else {}
        with (
            _system(path.scheme).open(_key(path), "rb", block_size=0, **size) as file,
            os.fdopen(os.dup(handle), "wb") as copy,
        ):
            shutil.copyfileobj(file, copy, BLOCK)
        _held = str(path), state, shared
    return _held[2]


def _tried(path: RemotePath, call: Callable[[], Answer]) -> Answer:
    """Return what `call` gives; over HTTP a fault that may pass is tried again. Raises RemoteError."""
    for pause in (*(PAUSES if path.scheme.startswith("http") else ()), None):
        try:
            return call()
        except _NoRangesError:
            raise
        except Exception as error:  # of fsspec, botocore, aiohttp, huggingface_hub, gcsfs
            if "range requests" in str(error):
                raise _NoRangesError from None
            found = (
                error if isinstance(error, RemoteError) else explained(str(path), error, partial(_lacks, path.scheme))
            )
            if found.kind == "changed":
                _states.pop(str(path), None)  # so that a new try sees what is there now
            if pause is None or found.kind not in TRANSIENT:
                raise found from None
            time.sleep(pause)
    raise AssertionError


def _lacks(scheme: str, bucket: str) -> bool:
    return not _system(scheme).exists(bucket)
