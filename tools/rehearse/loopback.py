"""HTTP servers on the loopback interface, and the one that stands in for a language model."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PHRASES = ("doing it slowly", "moving both arms", "holding a ball", "turning around", "jumping up and down")


class Quiet(BaseHTTPRequestHandler):
    """A handler that keeps connections open and writes nothing to stderr."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole response; of a HEAD request only its head."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that have gone."""


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with `handler` on a free port of the loopback interface; gives the address, without a slash at its end."""
    with _Http(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


class Chat(Quiet):
    """Chat completions that say the same five phrases of everything, numbered, by a model called `rehearsal`."""

    def do_GET(self) -> None:
        """List the models, as `gpt3` asks before the work."""
        row = {"id": "rehearsal", "object": "model", "created": 0, "owned_by": "nobody"}
        self._say({"object": "list", "data": [row]})

    def do_POST(self) -> None:
        """Answer a question."""
        self.rfile.read(int(self.headers["content-length"]))
        text = "\n".join(f"{place}. {phrase}" for place, phrase in enumerate(PHRASES, start=1))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        said: dict[str, object] = {"id": "x", "object": "chat.completion", "created": 0, "choices": [choice]}
        self._say({**said, "usage": {"prompt_tokens": 20, "completion_tokens": 50, "total_tokens": 70}})

    def _say(self, said: dict[str, object]) -> None:
        self.send(200, json.dumps(said).encode(), {"Content-Type": "application/json"})
