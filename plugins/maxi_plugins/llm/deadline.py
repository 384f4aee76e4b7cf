"""One deadline and one size for all that comes of a request, whatever phase it is in: no endpoint holds a run up.

The timeouts of the HTTP library are those of one read: a header that drips a byte a second never meets them, a look-up
of a host has none, and the body of an error is read without a limit. So hosts are looked up here, a timer ends the
connections of a request that is late, and each body is read here, up to a size, before anybody else sees it.
"""

import socket
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from maxi_plugins.llm.lookup import UnresolvedError, addresses

MOST_BYTES = 4 << 20  # of a response, packed and unpacked; five phrases take about 1000
PACKED = ("gzip", "x-gzip", "deflate")
_UNPACK = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says


class UnreadableError(Exception):
    """A response has more than `MOST_BYTES`, or is packed in a way that nobody asked for; says what it has."""


class Deadline:
    """Ends the connections that this thread's request uses when its seconds are over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """The seconds that are left; never 0, which to a socket means "do not wait"."""
        return max(self._until - time.monotonic(), 1e-3)

    @property
    def over(self) -> bool:
        """Whether the seconds are over."""
        return time.monotonic() >= self._until

    @property
    def connected(self) -> bool:
        """Whether there was a connection, so that the request may have been sent."""
        return bool(self._sockets)

    @contextmanager
    def held(self) -> Iterator["Deadline"]:
        """Hold what this thread asks of a `bounded_client` to the deadline."""
        before = _current.set(self)
        self._timer.start()
        try:
            yield self
        finally:
            _current.reset(before)
            self._timer.cancel()
            with self._lock:
                for one in self._sockets:
                    one.close()
                self._sockets = []

    def watch(self, connection: socket.socket) -> None:
        """End a connection, too, when the seconds are over."""
        with self._lock:
            self._sockets.append(connection.dup())  # a copy: TLS takes the socket itself away
        if self.over:
            self._end()

    def _end(self) -> None:
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):  # it has ended by itself
                    one.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Deadline] = ContextVar("deadline")


def bounded_client(timeout: float) -> Any:
    """Return an HTTP client for `openai.OpenAI`: requests have the deadline of their thread, bodies `MOST_BYTES` bytes.

    Every thread that sends holds one. A connection serves one request, so that the deadline knows it. Proxies and
    certificates of the environment hold as ever. Sending raises UnreadableError for a body and UnresolvedError for a
    host, or what `openai` makes of them, with these as its cause.
    """
    from openai import DefaultHttpxClient

    client: Any = DefaultHttpxClient(
        timeout=timeout,
        headers={"Accept-Encoding": "gzip", "Connection": "close"},
        event_hooks={"response": [_read]},
    )
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:  # none where no proxy is wanted; no public way keeps proxies of the environment
            transport._pool._network_backend = _Backend(transport._pool._network_backend)
    return client


class _Backend:
    """Connects for the HTTP library within the deadline of the thread's request, and tells it each connection."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, **more: Any) -> Any:
        """Return a connection to the first address of a host that takes one; each has its share of what is left."""
        deadline = _current.get()
        try:
            found = addresses(host, port, deadline.left)
        except TimeoutError:
            raise UnresolvedError(f"the look-up of host '{host}' took longer than {deadline.seconds:g} s") from None
        for left in range(len(found), 0, -1):
            try:
                within = {**more, "timeout": deadline.left / left}
                stream = self._backend.connect_tcp(found[-left], port, **within)
                break
            except Exception:  # the library's, for this address
                if left == 1:
                    raise
        deadline.watch(stream.get_extra_info("socket"))
        return stream


def _read(response: Any) -> None:
    """Read a body within its size and put it back unpacked, for whoever reads it next."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    try:
        body = read_bounded(response.iter_raw(), packing)
    finally:
        response.close()
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        response.headers.pop(name, None)
    response.stream = type(response)(200, content=body).stream
    response.is_stream_consumed = response.is_closed = False


def read_bounded(chunks: Iterable[bytes], packing: str) -> bytes:
    """Return a body unpacked, never holding more than twice `MOST_BYTES`.

    Raises UnreadableError for one that has more, and for another packing than gzip and deflate.
    """
    if packing not in (*PACKED, "identity", ""):
        raise UnreadableError(f"data packed as {packing!r:.40}, which nobody asked for")
    unpack = zlib.decompressobj(_UNPACK) if packing in PACKED else None
    body = bytearray()
    for chunk in chunks:
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, MOST_BYTES - len(body) + 1)
        except zlib.error as error:
            raise UnreadableError(f"{packing} that is broken ({error})") from None
        if len(body) > MOST_BYTES:
            raise UnreadableError(f"more than {MOST_BYTES >> 20} MiB")
    return bytes(body)
