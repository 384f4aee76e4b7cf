"""A real HTTP server on the loopback interface that speaks OpenAI's format, with whatever fault a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIST = "1. {0} slowly\n2. {0} quickly\n3. {0} again\n4. {0} alone\n5. {0} together"


@dataclass(frozen=True)
class Reply:
    """A response: its status, its body (text as it is, anything else as JSON) and its type."""

    body: Any
    status: int = 200
    type: str = "application/json"

    def encoded(self) -> bytes:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


def entry_of(prompt: str) -> str:
    return prompt.removeprefix("Generate 5 phrases to describe the action of ").removesuffix(" in simple words.")


def chat(text: str | None, **more: Any) -> Reply:
    """Return a chat completion that says `text`."""
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})


def fault(status: int, message: str, **more: Any) -> Reply:
    """Return an error in OpenAI's format."""
    return Reply({"error": {"message": message, "type": "error", **more}}, status)


@dataclass
class Server:
    """What a server was asked and what it answers; `answer` gets the prompt."""

    answer: Callable[[str], Reply] = lambda prompt: chat(LIST.format(entry_of(prompt)))
    models: tuple[str, ...] = ("small-model", "large-model")
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def respond(self, path: str, request: dict[str, Any]) -> Reply:
        self.requests.append(request)
        prompt = request["prompt"] if path.endswith("/completions") and "prompt" in request else None
        return self.answer(prompt or request["messages"][0]["content"])


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run `server` on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(Reply({"object": "list", "data": [{"id": name, "object": "model"} for name in server.models]}))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._send(server.respond(self.path, request))

        def _send(self, reply: Reply) -> None:
            server.paths.append(self.path)
            server.keys.append(self.headers["authorization"].removeprefix("Bearer "))
            data = reply.encoded()
            self.send_response(reply.status)
            self.send_header("content-type", reply.type)
            self.send_header("content-length", str(len(data)))
            self.send_header("retry-after-ms", "1")  # the client's own retries need not take long
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
