"""A hub of datasets on the loopback interface, with what `hf://` asks of one."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from tools.rehearse.loopback import Quiet, listening

COMMIT = "0123456789abcdef0123456789abcdef01234567"
API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.+))?)?")
FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
LARGE = re.compile(r"/large/([0-9a-f]+)")


@dataclass
class Datasets:
    """A hub: its files by dataset and path, and how it answers.

    Of the names in `large` the contents lie on another host, `store`, as those of LFS do. `token` is asked for, if
    there is one; datasets in `gated` are shown to everybody and their files given to nobody. `faults` are the statuses
    of the next answers. A listing has `page` rows a request. Each answer takes `wait` seconds. `asked` has method,
    path, range and credentials of each request.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    token: str = ""
    gated: set[str] = field(default_factory=set)
    faults: list[int] = field(default_factory=list)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    page: int = 1000
    wait: float = 0.0
    sent: int = 0
    url: str = ""
    store: str = ""


def blob_id(data: bytes) -> str:
    """Return what Git calls contents; of a file in LFS it is the pointer's, which changes with them."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@contextmanager
def serving(hub: Datasets) -> Iterator[Datasets]:
    """Run `hub` on a free port, and the host of its large files on another."""

    class Handler(Quiet):
        def do_HEAD(self) -> None:  # noqa: N802
            self.do_GET()

        def do_POST(self) -> None:  # noqa: N802
            self.do_GET()

        def do_GET(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            address, bearer = urlsplit(self.path), self.headers.get("Authorization", "")
            path, wanted = unquote(address.path), self.headers.get("Range", "")
            hub.asked.append((self.command, path, wanted, bearer))
            time.sleep(hub.wait)
            if hub.faults:
                self._refuse(hub.faults.pop(0), "a fault")
            elif found := LARGE.fullmatch(path):
                self._part(next(d for files in hub.files.values() for d in files.values() if blob_id(d) == found[1]))
            elif hub.token and bearer != f"Bearer {hub.token}":
                self._refuse(401, "Invalid username or password.")
            elif found := API.fullmatch(path):
                self._describe(*found.groups(default=""), query=parse_qs(address.query), body=parse_qs(body))
            elif found := FILE.fullmatch(path):
                self._give(*found.groups())
            else:
                self._refuse(404, "no such page")

        def _refuse(self, status: int, what: str, code: str = "") -> None:
            headers = {"X-Error-Message": what} | ({"X-Error-Code": code} if code else {})
            self.send(status, json.dumps({"error": what}).encode(), headers)

        def _describe(self, name: str, kind: str, revision: str, folder: str, *, query: object, body: object) -> None:
            files = hub.files.get(name)
            if files is None:
                self._refuse(404, "Repository not found", "RepoNotFound")
            elif revision not in ("", "main", COMMIT):
                self._refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            elif kind == "tree":
                self._list(
                    name, folder, int(query.get("cursor", ["0"])[0]), deep=query["recursive"][0].lower() == "true"
                )
            elif kind == "paths-info":
                self._json([row for path in body["paths"] for row in _rows(hub, name) if row["path"] == path])
            else:
                self._json({"_id": "0", "id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]})

        def _list(self, name: str, folder: str, start: int, *, deep: bool) -> None:
            top = f"{folder}/" if folder else ""
            rows = [row for row in _rows(hub, name) if row["path"].startswith(top)]
            if folder and not rows:
                self._refuse(404, f"{folder} does not exist on main", "EntryNotFound")
                return
            rows = [row for row in rows if deep or "/" not in row["path"].removeprefix(top)]
            end, more = start + hub.page, {}
            if end < len(rows):
                again = f"{hub.url}{self.path.partition('&cursor=')[0]}&cursor={end}"
                more = {"Link": f'<{again}>; rel="next"'}
            self._json(rows[start:end], more)

        def _json(self, said: object, more: dict[str, str] | None = None) -> None:
            self.send(200, json.dumps(said).encode(), {"Content-Type": "application/json", **(more or {})})

        def _give(self, name: str, _revision: str, path: str) -> None:
            data = hub.files.get(name, {}).get(path)
            if name in hub.gated:
                self._refuse(403, f"Access to dataset {name} is restricted", "GatedRepo")
            elif data is None:
                self._refuse(404, "Entry not found", "EntryNotFound")
            elif path in hub.large:
                self.send(302, b"", {"Location": f"{hub.store}/large/{blob_id(data)}"})
            else:
                self._part(data)

        def _part(self, data: bytes) -> None:
            headers = {"ETag": f'"{blob_id(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            status = 200
            if wanted := self.headers.get("Range"):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                end, size = min(int(last or len(data)) + 1, len(data)), len(data)
                data, status = data[int(first) : end], 206
                headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
            hub.sent += len(data)
            self.send(status, data, headers)

    with listening(Handler) as hub.url, listening(Handler) as elsewhere:
        hub.store = elsewhere.replace("127.0.0.1", "localhost")  # another host for the client
        yield hub


def _rows(hub: Datasets, name: str) -> list[dict[str, object]]:
    files = hub.files[name]
    folders = {path.rpartition("/")[0] for path in files} - {""}
    folders |= {above for path in folders for above in _above(path)}
    rows: list[dict[str, object]] = [
        {"type": "directory", "path": path, "size": 0, "oid": blob_id(path.encode())} for path in sorted(folders)
    ]
    for path, data in sorted(files.items()):
        row: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
        if path in hub.large:
            row["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 135}
        rows.append(row)
    return rows


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
