"""Folders of runs on object stores: copied to this machine to be read, made on it and uploaded when complete.

A copy lies in `$MAXI_HOME/copies`, what is made in `$MAXI_HOME/runs`. In each stands which state of every file is there
and on the server (`RECORD`), so only what changed goes over the network, and what was interrupted goes on.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system import remote_servers as servers
from maxi_core.system.files import maxi_home, parsed_json, partial_of, sha256_of, sweep, write_text
from maxi_core.system.locks import exclusive_if_possible
from maxi_core.system.remote import RemotePath, as_path, check_writable
from maxi_core.system.remote_errors import RemoteError, changed
from maxi_core.system.urls import is_remote, note_copy

COPIES, RUNS = "copies", "runs"  # in $MAXI_HOME
RECORD = ".remote.json"
DONE, MANIFEST = "DONE", "manifest.json"  # say that a checkpoint, and a run, is complete: they go last


@dataclass(frozen=True)
class Seen:
    """A file as it was last on both sides: bytes, time of change and SHA-256 here, ETag there."""

    size: int
    changed: int
    sha256: str
    tag: str


def here(path: Path) -> Path:
    """Return where a run folder or file can be read on this machine: a remote one is copied, without folders in it."""
    return copied(as_path(path), in_itself) if is_remote(path) else path


def in_itself(names: Iterable[str]) -> Iterable[str]:
    """Return the names of the files that lie in no folder below."""
    return [name for name in names if "/" not in name]


def copied(path: Path, wanted: Callable[[Iterable[str]], Iterable[str]]) -> Path:
    """Return an up to date copy of a remote file, or of the `wanted` files of a folder; raises RemoteError."""
    assert isinstance(path, RemotePath)
    folder, is_file = _folder(COPIES, path), not path.state(fresh=True).folder
    with _alone(folder):
        if is_file:
            note_copy(folder, str(path.parent))
            _fetch(path.parent, folder, [path.name])
            return folder / path.name
        note_copy(folder, str(path))
        _fetch(path, folder, list(wanted(_listed(path))))
    return folder


@dataclass(frozen=True)
class Upload:
    """A run folder that is made here, in `folder`, and belongs `at` an object store; `deep`: with the folders in it.

    `complete` is the file that says that all others are there, so it goes last. What `adds` to a folder leaves there
    what others have added: that file is replaced, and never taken away.
    """

    folder: Path
    at: RemotePath
    deep: bool = False
    complete: str = MANIFEST
    adds: bool = False

    def begin(self, *, fetch: bool = True) -> None:
        """Take over what is there, if another machine made it: to go on with it (`fetch`), or else to replace it.

        Raises UsageError if it was changed there and here.
        """
        record, files = _read(self.folder), self._files()
        if record or files:
            mark = self._mark()
            if mark is None or (self.complete in record and record[self.complete].tag == mark):
                return
            if not self.adds and any(not _same(path, record.get(name)) for name, path in files.items()):
                raise self._changed()
        names = [name for name in _listed(self.at) if self.deep or "/" not in name]
        if fetch:
            _fetch(self.at, self.folder, names)
        else:
            _write(self.folder, {name: Seen(-1, 0, "", servers.state(str(self.at / name)).tag) for name in names})

    def has(self, start: str) -> bool:
        """Whether there is a file on the server whose name begins so."""
        return any(name.startswith(start) for name in _listed(self.at))

    @property
    def pending(self) -> bool:
        """Whether a run is complete here and not all of it is on the server."""
        record, files = _read(self.folder), self._files()
        whole = files.keys() == record.keys() and all(_same(path, record.get(name)) for name, path in files.items())
        return self.complete in files and not whole

    def run(self) -> int:
        """Upload what is new, and remove what is no longer here; return how many files went up.

        The file that says so is taken away first and uploaded last, so that nobody takes a half for the whole. What was
        removed there goes up again.
        Raises MaxiError that says how to go on.
        """
        try:
            return self._run()
        except RemoteError as error:
            what = f"{self.at} is not all there: {error.problem}"
            raise MaxiError(what, f"{error.fix}; the same command goes on, all is in {self.folder}") from None

    def _run(self) -> int:
        files, mark, there = self._files(), self._mark(), set(_listed(self.at))
        record = {name: seen for name, seen in _read(self.folder).items() if name in there}
        order = partial(_order, complete=self.complete)
        new = sorted((name for name, path in files.items() if not _same(path, record.get(name))), key=order)
        gone = sorted(record.keys() - files.keys(), key=order, reverse=True)
        if not new and not gone:
            return 0
        if mark is not None and (self.complete not in record or record[self.complete].tag != mark):
            raise self._changed()
        if mark is not None and not self.adds:
            (self.at / self.complete).unlink(missing_ok=True)
            del record[self.complete]
            _write(self.folder, record)
            last = [self.complete] if self.complete in files else []
            new = [*(name for name in new if name != self.complete), *last]
        for name in new:
            servers.upload(str(self.at / name), files[name])
            record[name] = _seen(files[name], servers.state(str(self.at / name), fresh=True).tag)
            _write(self.folder, record)
        for name in gone:
            (self.at / name).unlink(missing_ok=True)
            record.pop(name, None)
            _write(self.folder, record)
        return len(new)

    def _files(self) -> dict[str, Path]:
        found = sorted(self.folder.rglob("*") if self.deep else self.folder.glob("*"))
        names = {str(path.relative_to(self.folder)): path for path in found if path.is_file()}
        return {name: path for name, path in names.items() if "/." not in f"/{name}" and path.suffix != ".index"}

    def _mark(self) -> str | None:
        """Return the ETag of the file on the server that says that all is there, None if there is none."""
        try:
            return servers.state(str(self.at / self.complete), fresh=True).tag
        except RemoteError as error:
            if error.kind == "missing":
                return None
            raise

    def _changed(self) -> UsageError:
        what = f"{self.at} was changed by another machine while there was work on it here, in {self.folder}"
        return UsageError(what, "choose another --out; or delete that folder, and begin with what is there")


def upload_to(out: Path | None, *, deep: bool = False, complete: str = MANIFEST, adds: bool = False) -> Upload | None:
    """Return where a remote run folder is made, None for a local one; raises UsageError if it cannot be written."""
    at = None if out is None else as_path(out)
    if not isinstance(at, RemotePath):
        return None
    check_writable(at)
    return Upload(_folder(RUNS, at), at, deep, complete, adds)


def _folder(kind: str, at: RemotePath) -> Path:
    return maxi_home() / kind / hashlib.sha256(str(at).encode()).hexdigest()[:16] / at.name


def _listed(at: RemotePath) -> list[str]:
    """Return the files below a folder, without hidden ones; so no name leads out of the folder."""
    return [name for name in at.listed() if "/." not in f"/{name}"]


def _order(name: str, complete: str = MANIFEST) -> tuple[bool, bool, str]:
    return name == complete, name.rpartition("/")[2] == DONE, name


def _fetch(at: RemotePath, folder: Path, names: list[str]) -> None:
    """Fetch those files that are not here as they are there, and remove what was fetched and is not wanted now."""
    record = _read(folder)
    for name in sorted(names, key=_order):
        url, path = str(at / name), folder / name
        state = servers.state(url)
        if name in record and record[name].tag == state.tag and _same(path, record[name]):
            continue
        partial = partial_of(path)
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            servers.download(url, partial)
            if servers.state(url, fresh=True) != state:
                raise changed(url)
            partial.replace(path)
        except RemoteError:
            raise
        except OSError as error:
            what = f"cannot copy {url} to {path}: {error.strerror or error}"
            raise MaxiError(what, "make room there, or set MAXI_HOME to another place") from None
        finally:
            partial.unlink(missing_ok=True)
        record[name] = _seen(path, state.tag)
        _write(folder, record)
    for name in record.keys() - set(names):
        (folder / name).unlink(missing_ok=True)
        del record[name]
    _write(folder, record)


def _seen(path: Path, tag: str) -> Seen:
    found = path.stat()
    return Seen(found.st_size, found.st_mtime_ns, sha256_of(path), tag)


def _same(path: Path, seen: Seen | None) -> bool:
    """Whether a file here is what was last on both sides."""
    if seen is None or not path.is_file():
        return False
    found = path.stat()
    if found.st_size != seen.size:
        return False
    return found.st_mtime_ns == seen.changed or sha256_of(path) == seen.sha256


def _read(folder: Path) -> dict[str, Seen]:
    """Return what is known of the files of a folder; a record that is damaged knows nothing."""
    try:
        found = parsed_json((folder / RECORD).read_bytes())
        return {name: Seen(**values) for name, values in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(folder: Path, record: Mapping[str, Seen]) -> None:
    write_text(folder / RECORD, json.dumps({name: asdict(seen) for name, seen in record.items()}))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    with (folder / ".lock").open("ab") as lock, exclusive_if_possible(lock):
        yield
