"""An emulator of Google's storage on the loopback interface."""

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from urllib.parse import unquote

from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

from tools.rehearse.loopback import listening


@dataclass
class Emulator:
    """Where it is, and by bucket the pattern of the objects that nobody may write."""

    url: str = ""
    refused: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving() -> Iterator[Emulator]:
    """Run it on a free port, with its files in memory.

    Its own server answers one client after another. This one has a thread for each, and lets them at the storage in
    turn. As of Google, what a client that died has sent of an object is no object.
    """
    storage, alone, emulator = Storage(use_memory_fs=True), threading.Lock(), Emulator()

    class Handler(RequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(storage, *arguments)

        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            self.rfile = io.BytesIO(body)
            return len(body) == length and self._may_be_written(body)

        def _may_be_written(self, body: bytes) -> bool:
            if not any(fnmatch(_written(self.path, body), pattern) for pattern in emulator.refused.values()):
                return True
            said = json.dumps({"error": {"code": 403, "message": "no permission storage.objects.create"}}).encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return False

        def do_GET(self) -> None:  # noqa: N802
            with alone:
                super().do_GET()

        def do_POST(self) -> None:  # noqa: N802
            with alone:
                super().do_POST()

        def do_PUT(self) -> None:  # noqa: N802
            with alone:
                super().do_PUT()

        def do_DELETE(self) -> None:  # noqa: N802
            with alone:
                super().do_DELETE()

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as emulator.url:
        yield emulator


def _written(path: str, body: bytes) -> str:
    """Return bucket and key of what a request writes, or nothing: the name is in the address, or first in the body."""
    if not path.startswith("/upload/"):
        return ""
    named = re.search(r"[?&]name=([^&]+)", path) or re.search(r'"name": "([^"]+)', body[:1000].decode(errors="replace"))
    return f"{path.split('/')[5]}/{unquote(named[1])}" if named else ""
