"""The hub's cache on disk, filled without the hub, and a hub on the loopback interface that serves such a cache."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.rehearse.loopback import Quiet, listening

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 10_000_000  # bytes: from here on a file of a repository is in LFS, and its ETag its SHA-256
CHUNK = 1 << 20
API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?")
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


def folder_of(cache: Path, repository: str) -> Path:
    """Return the folder that the hub's client keeps a repository of models in."""
    return cache / f"models--{repository.replace('/', '--')}"


def write_repository(cache: Path, repository: str, fill: Callable[[Path], object]) -> Path:
    """Put a repository into a cache as the hub's client lays it out; `fill` writes its files into a folder.

    Returns the folder of its one snapshot, whose files are links to blobs that are named by their ETags.
    """
    folder = folder_of(cache, repository)
    blobs, snapshot, fresh = folder / "blobs", folder / "snapshots" / COMMIT, folder / "fresh"
    for path in (blobs, snapshot, folder / "refs", fresh):
        path.mkdir(parents=True)
    fill(fresh)
    for file in sorted(fresh.iterdir()):
        blob = blobs / etag(file)
        file.rename(blob)
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", blob.name))
    shutil.rmtree(fresh)
    (folder / "refs" / "main").write_text(COMMIT)
    return snapshot


def etag(file: Path) -> str:
    """Return the ETag that the hub gives a file: of a large one its SHA-256, of others Git's digest of the blob."""
    size = file.stat().st_size
    if size < LARGE:
        return hashlib.sha1(b"blob %d\0" % size + file.read_bytes(), usedforsecurity=False).hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@dataclass
class Hub:
    """A hub with the repositories of a cache.

    What it does wrong: files in `missing` are listed and not there; of one in `cut` the first answer ends after so many
    bytes, and the connection with it. `asked` has method, file and range of each request for a file.
    """

    cache: Path
    missing: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def files(self, repository: str) -> dict[str, Path]:
        """Return the files of a repository by name, none if there is no such repository."""
        snapshot = folder_of(self.cache, repository) / "snapshots" / COMMIT
        return {file.name: file.resolve() for file in sorted(snapshot.iterdir())} if snapshot.is_dir() else {}

    def fetched(self) -> list[str]:
        """Return the files whose contents were asked for, in order."""
        return [name for method, name, _ in self.asked if method == "GET"]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run `hub` on a free port of the loopback interface; its `url` is what HF_ENDPOINT takes."""

    class Handler(Quiet):
        def do_HEAD(self) -> None:  # noqa: N802
            self.do_GET()

        def do_GET(self) -> None:  # noqa: N802
            path = unquote(urlsplit(self.path).path)
            if found := API.fullmatch(path):
                self._list(*found.groups(default=""))
            elif found := FILE.fullmatch(path):
                self._file(*found.groups())
            else:
                self._refuse("no such page", "")

        def _refuse(self, what: str, code: str) -> None:
            headers = {"X-Error-Message": what} | ({"X-Error-Code": code} if code else {})
            self.send(404, json.dumps({"error": what}).encode(), headers)

        def _list(self, repository: str, kind: str, revision: str) -> None:
            files = hub.files(repository)
            if not files:
                self._refuse("Repository not found", "RepoNotFound")
            elif revision not in ("", "main", COMMIT):
                self._refuse(f"Invalid rev id: {revision}", "RevisionNotFound")
            else:
                rows = [_row(name, path) for name, path in files.items()]
                names = [{"rfilename": name} for name in files]
                about = {"_id": "0", "id": repository, "modelId": repository, "sha": COMMIT, "siblings": names}
                said = json.dumps(rows if kind == "tree" else about).encode()
                self.send(200, said, {"Content-Type": "application/json"})

        def _file(self, repository: str, _revision: str, name: str) -> None:
            wanted = self.headers.get("Range", "")
            hub.asked.append((self.command, name, wanted))
            path = hub.files(repository).get(name)
            if path is None or name in hub.missing:
                self._refuse("Entry not found", "EntryNotFound")
                return
            size = path.stat().st_size
            first = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
            self.send_response(206 if wanted else 200)
            headers = {"ETag": f'"{path.name}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if wanted:
                headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
            for key, value in {**headers, "Content-Length": str(size - first)}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self._send_from(path, name, first)

        def _send_from(self, path: Path, name: str, first: int) -> None:
            last = hub.cut.pop(name, None)
            with path.open("rb") as file:
                file.seek(first)
                if last is not None:
                    self.wfile.write(file.read(last))
                    self.close_connection = True
                    return
                shutil.copyfileobj(file, self.wfile, CHUNK)

    with listening(Handler) as url:
        hub.url = url
        yield hub


def _row(name: str, path: Path) -> dict[str, object]:
    size = path.stat().st_size
    row: dict[str, object] = {"type": "file", "path": name, "size": size, "oid": path.name}
    if size >= LARGE:
        row["lfs"] = {"oid": path.name, "size": size, "pointerSize": 135}
    return row
