"""A real HTTP server on the loopback interface that speaks OpenAI's format, with whatever fault a test wants."""

import base64
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIST = "1. {0} slowly\n2. {0} quickly\n3. {0} again\n4. {0} alone\n5. {0} together"


@dataclass(frozen=True)
class Reply:
    """A response: its status, its body (text as it is, anything else as JSON), its type, and how it is sent.

    It is sent after `delay` seconds, and not before `after` is set or 30 seconds have gone; `way` is whole, cut (half
    of it, then the connection ends), closed (nothing, the connection ends), drip (a byte every 20 ms) or drip headers.
    """

    body: Any
    status: int = 200
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    after: threading.Event | None = None
    way: str = "whole"

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


def entry_of(prompt: str) -> str:
    return prompt.removeprefix("Generate 5 phrases to describe the action of ").removesuffix(" in simple words.")


def chat(text: Any, tokens: int = 100, **more: Any) -> Reply:
    """Return a chat completion that says `text`."""
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return Reply({**body, "usage": {"prompt_tokens": 20, "completion_tokens": tokens - 20, "total_tokens": tokens}})


def fault(status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    """Return an error in OpenAI's format."""
    return Reply({"error": {"message": message, "type": "error", **more}}, status, headers=headers or {})


def in_turn(*replies: Reply) -> Callable[[str], Reply]:
    """Return an answer that says the replies one after the other, and the last one from then on."""
    left = list(replies)
    return lambda prompt: left.pop(0) if len(left) > 1 else left[0]


@dataclass
class Server:
    """What a server was asked and what it answers; `answer` gets the prompt."""

    answer: Callable[[str], Reply] = lambda prompt: chat(LIST.format(entry_of(prompt)))
    models: tuple[str, ...] = ("small-model", "large-model")
    listing: Reply | None = None  # what is said of the models instead of their names
    shut_down: dict[str, str] = field(default_factory=dict)
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)  # replies that were sent whole, by prompt
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, request: dict[str, Any]) -> Reply:
        with self.lock:
            self.requests.append(request)
            self.times.append(time.monotonic())
            return self.answer(prompt_of(request))

    def list_models(self) -> Reply:
        rows = [
            {"id": name, "object": "model", "created": 0, "owned_by": "nobody"}
            | ({"shutdown_date": self.shut_down[name]} if name in self.shut_down else {})
            for name in self.models
        ]
        return self.listing or Reply({"object": "list", "data": rows})


def prompt_of(request: dict[str, Any]) -> str:
    """Return the prompt of a request; where it has pictures, `shade L R` by the two halves of the last one, in tens."""
    prompt = request["prompt"] if "prompt" in request else request["messages"][-1]["content"]
    if isinstance(prompt, str):
        return prompt
    picture = pictures(request)[-1].convert("L")
    halves = [picture.getpixel((place * picture.width // 4, picture.height // 2)) for place in (1, 3)]
    return f"shade {round(halves[0], -1)} {round(halves[1], -1)}"


def pictures(request: dict[str, Any]) -> list[Any]:
    """Return the pictures of a request, as Pillow opens them."""
    from PIL import Image

    heads, data = zip(
        *(part["image_url"]["url"].split(",", 1) for part in request["messages"][-1]["content"] if "image_url" in part),
        strict=True,
    )
    assert set(heads) == {"data:image/jpeg;base64"}
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in data]


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run `server` on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(server.list_models())

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with server.lock:
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
            with suppress(BrokenPipeError, ConnectionResetError):
                reply = server.respond(request)
                self._send(reply)
                if reply.status == 200 and reply.way == "whole":
                    server.received[prompt_of(request)] += 1
            with server.lock:
                server.at_once -= 1

        def _send(self, reply: Reply) -> None:
            server.paths.append(self.path)
            server.keys.append(self.headers["authorization"].removeprefix("Bearer "))
            time.sleep(reply.delay)
            if reply.after is not None:
                reply.after.wait(30)
            if reply.way == "closed":
                self.close_connection = True
                return
            if reply.way == "drip headers":
                self._drip(b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 200)
                return
            data = reply.encoded()
            self.send_response_only(reply.status) if "date" in reply.headers else self.send_response(reply.status)
            for name, value in {"content-type": reply.type, "content-length": str(len(data)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.way == "cut":
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            elif reply.way == "drip":
                self._drip(data)
            else:
                self.wfile.write(data)

        def _drip(self, data: bytes) -> None:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)

        def log_message(self, *_: Any) -> None:
            """Say nothing on stderr."""

    class Http(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that have gone."""

    with Http(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
