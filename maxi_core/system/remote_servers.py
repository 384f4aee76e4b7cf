"""The servers of remote files, and the one place that knows fsspec, whose exceptions are those of five libraries.

All is said by URLs without credentials; those are put back for each request.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from maxi_core.system import remote_hub
from maxi_core.system.remote_clients import client
from maxi_core.system.remote_errors import TRANSIENT, RemoteError, explained

PAUSES = (0.5, 2.0)  # seconds before each new try over HTTP and of a look at the hub; other clients try by themselves
REMEMBERED = 1_000_000  # files whose state is known without asking again

# of gs the MD5 stands before the ETag, which another class of storage or other metadata change
FIX = "name the file's own URL; of a folder, which no web server lists, one on s3:// or a copy here"
_STATES = (
    "ETag",
    "md5Hash",
    "etag",
    "blob_id",
    "oid",
    "xet_hash",
    "Content-MD5",
    "Digest",
    "LastModified",
    "Last-Modified",
)

Answer = TypeVar("Answer")

_full: dict[str, str] = {}  # URL -> the same with its credentials, of this process


@dataclass(frozen=True, slots=True)
class State:
    """Which state a remote file is in: bytes (-1: not known), and the ETag or what the server has in its place."""

    size: int
    tag: str
    folder: bool = False
    ranges: bool = True


_states: dict[str, State] = {}


class NoRangesError(Exception):
    """A server sent the whole file where a part was asked for."""


def scheme_of(url: str) -> str:
    """Return what a URL begins with, as `s3`."""
    return url.partition(":")[0]


def keep_full(url: str, full: str) -> None:
    """Remember a URL with its credentials."""
    _full[url.rstrip("/")] = full


def full_of(url: str) -> str:
    """Return a URL as a server wants it, with its credentials."""
    return _full.get(url, url)


def known_state(url: str) -> State | None:
    """Return the state that was seen of a file, None if it was not looked at."""
    return _states.get(url)


def remember(url: str, state: State) -> None:
    """Take this for the state of a file until somebody looks afresh."""
    if len(_states) >= REMEMBERED:
        del _states[next(iter(_states))]
    _states[url] = state


def state(url: str, *, fresh: bool = False) -> State:
    """Return size and ETag as first seen in this process, or as they are now; raises RemoteError."""
    if fresh or url not in _states:
        remember(url, tried(url, lambda: state_in(_info(url), url), again=scheme_of(url) == "hf"))
    return _states[url]


def _info(url: str) -> Mapping[str, Any]:
    of = system(scheme_of(url))
    found: Mapping[str, Any] = remote_hub.info(of, url) if scheme_of(url) == "hf" else of.info(full_of(url))
    return found


def listed(url: str) -> Iterator[str]:
    """Yield the names of all files below a URL, relative to it and sorted; their states are remembered."""
    if scheme_of(url).startswith("http"):
        raise RemoteError("folder", f"{url} is on a web server, which lists nothing", "name files, or a list")
    files = tried(url, lambda: _find(url))
    top = _bare(full_of(url))
    for name, info in sorted(files.items()):
        if inside := _bare(name).removeprefix(top).strip("/"):
            if not info.get("size") and name.endswith("/"):
                continue  # the mark of a folder that some tools make
            if "//" in inside:
                raise RemoteError("name", f"{url}/{inside} has // in its name", "copy it to another name")
            remember(f"{url}/{inside}", state_in(info))
            yield inside


def _find(url: str) -> Mapping[str, Any]:
    of = system(scheme_of(url))
    found: Mapping[str, Any] = (
        remote_hub.find(of, url) if scheme_of(url) == "hf" else of.find(full_of(url), detail=True)
    )
    return found


def children(url: str) -> list[str]:
    """Return the names of the files and folders right below a URL, sorted; raises RemoteError."""
    found = tried(url, lambda: system(scheme_of(url)).ls(full_of(url), detail=False))
    return sorted(_bare(name).rstrip("/").rpartition("/")[2] for name in found)


def contents(urls: Sequence[str]) -> list[bytes]:
    """Return what is in some files of one server, fetched side by side; raises RemoteError."""
    if not urls:
        return []
    found = tried(urls[0], lambda: system(scheme_of(urls[0])).cat([full_of(url) for url in urls], on_error="raise"))
    by_name = {_bare(name): data for name, data in found.items()}
    return [by_name[_bare(full_of(url))] for url in urls]


def write(url: str, data: bytes) -> None:
    """Write a file whole or not at all; raises RemoteError."""
    tried(url, lambda: system(scheme_of(url)).pipe_file(full_of(url), data), writing=True)


def upload(url: str, path: Path) -> None:
    """Write a file of this machine to a server, whole or not at all; raises RemoteError."""
    tried(url, lambda: system(scheme_of(url)).put_file(str(path), full_of(url)), writing=True)


def download(url: str, path: Path) -> None:
    """Write a file of a server to this machine; raises RemoteError."""
    tried(url, lambda: system(scheme_of(url)).get_file(full_of(url), str(path)))


def remove(url: str) -> None:
    """Remove a file; raises RemoteError."""
    tried(url, lambda: system(scheme_of(url)).rm_file(full_of(url)), writing=True)


def _bare(name: str) -> str:
    return name.partition("://")[2] if "://" in name else name


@cache
def system(scheme: str) -> Any:
    """Return the file system of a scheme, as fsspec has it."""
    return client(scheme)


def state_in(info: Mapping[str, Any], url: str = "") -> State:
    """Return the state in what fsspec says of a file; raises RemoteError where `url` gave a web page."""
    if scheme_of(url).startswith("http") and info.get("mimetype") == "text/html":
        raise RemoteError("not-a-video", f"{url} is a web page (text/html), not a file", FIX)
    size = info.get("size")
    tag = next((str(info[key]) for key in _STATES if info.get(key)), "")
    folder = info.get("type") == "directory"
    return State(-1 if size is None else int(size), tag, folder, bool(info.get("partial", True)))


def tried(url: str, call: Callable[[], Answer], *, writing: bool = False, again: bool = False) -> Answer:
    """Return what `call` gives; over HTTP, or `again`, a fault that may pass is tried again. Raises RemoteError."""
    scheme = scheme_of(url)
    for pause in (*(PAUSES if again or scheme.startswith("http") else ()), None):
        try:
            return call()
        except NoRangesError:
            raise
        except Exception as error:  # of fsspec, botocore, aiohttp, huggingface_hub, gcsfs
            if "range requests" in str(error):
                raise NoRangesError from None
            found = (
                error
                if isinstance(error, RemoteError)
                else explained(url, error, partial(_lacks, scheme), writing=writing)
            )
            if found.kind == "changed":
                _states.pop(url, None)  # so that a new try sees what is there now
            if pause is None or found.kind not in TRANSIENT:
                raise found from None
            time.sleep(pause)
    raise AssertionError


def _lacks(scheme: str, bucket: str) -> bool:
    return not system(scheme).exists(bucket)
