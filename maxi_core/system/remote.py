"""Files on object stores and web servers, as paths.

A remote file is a `RemotePath`, a path like any other that prints as its URL and can be opened, looked at and listed.
`as_path` makes it of what somebody wrote, and takes credentials off: they are used, and stand in no path. What talks
to servers is imported when the first URL is used.
"""

from __future__ import annotations

import io
import os
import stat as kinds
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any

from maxi_core.errors import UsageError
from maxi_core.system.remote_errors import BUCKETS, RemoteError
from maxi_core.system.secrets import without_secrets
from maxi_core.system.urls import NEAR, NEEDS, OTHER, URL, refuse_remote, without_credentials

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from maxi_core.system.remote_servers import State

AT_ONCE = 1 << 16  # bytes that are taken out of a block
PROBE = ".maxi-writes"  # what is written, and removed, to see whether a place can be written


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
        from maxi_core.system import remote_servers as servers

        return servers.state(str(self), fresh=fresh)

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
        from maxi_core.system.remote_file import RemoteFile

        raw = RemoteFile(str(self), buffering if buffering > 1 else None)
        if "b" in mode:
            return raw if buffering == 0 else io.BufferedReader(raw, AT_ONCE)
        return io.TextIOWrapper(io.BufferedReader(raw, AT_ONCE), *text, **as_text)

    def write_bytes(self, data: ReadableBuffer) -> int:
        """Write it whole or not at all; raises RemoteError."""
        from maxi_core.system import remote_servers as servers

        servers.write(str(self), bytes(data))
        return len(memoryview(data))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:  # noqa: ARG002
        """Raise UsageError: no folder is made on a server, and none of that name here."""
        refuse_remote(self)

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:  # noqa: ARG002
        """Raise UsageError, as `mkdir`."""
        refuse_remote(self)

    def write_text(self, *_: Any, **__: Any) -> int:
        """Raise UsageError: what may be written there is written as bytes, on purpose."""
        refuse_remote(self)
        raise AssertionError

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove it; raises RemoteError."""
        from maxi_core.system import remote_servers as servers

        try:
            servers.remove(str(self))
        except RemoteError as error:
            if not (missing_ok and error.kind == "missing"):
                raise

    def listed(self) -> Iterator[str]:
        """Yield the names of all files below it, relative to it and sorted; their states are remembered."""
        from maxi_core.system import remote_servers as servers

        return servers.listed(str(self))

    def iterdir(self) -> Generator[RemotePath, None, None]:
        """Yield the files and folders right below it, sorted; raises RemoteError."""
        from maxi_core.system import remote_servers as servers

        yield from (self / name for name in servers.children(str(self)))


# What somebody wrote, and what is secret in it.


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
        if near := NEAR.fullmatch(str(written)):
            scheme, said = near[1].lower(), without_secrets(str(written))
            raise UsageError(f"{said} is no URL of {scheme}", f"write {scheme}://, and what is meant behind it")
        return Path(written)
    scheme, rest = found[1].lower(), str(written)[found.end() :]
    url, full = f"{scheme}://{without_credentials(scheme, rest)}", f"{scheme}://{rest}"
    if "//" in url.partition("://")[2].rstrip("/"):
        raise UsageError(f"{without_secrets(url)} has // in its name", "write it with one slash, or copy the file")
    if url != full:
        from maxi_core.system.remote_servers import keep_full

        keep_full(url, full)
    return RemotePath(url)


def passport(path: Path) -> dict[str, object] | None:
    """Return what another process has to know of a remote path: the URL to ask, and the state that was seen."""
    if not isinstance(path, RemotePath):
        return None
    from maxi_core.system import remote_servers as servers

    seen = servers.known_state(str(path))
    return {"url": servers.full_of(str(path)), "state": asdict(seen) if seen else None}


def admit(values: Mapping[str, Any]) -> Path:
    """Return the path of a `passport` of another process, and know what it knew."""
    from maxi_core.system.remote_servers import State, remember

    path = as_path(values["url"])
    if values["state"] is not None:
        remember(str(path), State(**values["state"]))
    return path


def is_folder(path: Path) -> bool:
    """Whether files lie below a path; of a web server, which lists nothing, that is taken to be so."""
    return (isinstance(path, RemotePath) and path.scheme.startswith("http")) or path.is_dir()


def refuse_unwritable(path: RemotePath) -> None:
    """Raise UsageError if what is at this kind of address is only read."""
    if path.scheme not in BUCKETS:
        raise UsageError(f"{path} cannot be written: {path.scheme}:// is for reading", "name a place on s3:// or gs://")


def check_writable(path: RemotePath) -> None:
    """Raise UsageError unless objects can be written below a path: one without contents is, and removed again."""
    refuse_unwritable(path)
    probe = path / PROBE
    try:
        probe.write_bytes(b"")
    except RemoteError as error:  # in the words of what was typed
        raise RemoteError(error.kind, error.problem.replace(f"/{PROBE}", ""), error.fix) from None
    with suppress(RemoteError):  # who may not remove may still write
        probe.unlink()
