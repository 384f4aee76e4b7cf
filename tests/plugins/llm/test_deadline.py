"""A request ends in time, its look-up, too; a body is read within its size, whatever it is packed in."""

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from maxi_plugins.llm.deadline import MOST_BYTES, UnreadableError, read_bounded
from maxi_plugins.llm.endpoint import connect
from maxi_plugins.llm.outcome import Transient
from tests.plugins.loopback import Reply, Server, serving
from tests.plugins.misbehaviour import BOMB, GZIP


@pytest.mark.parametrize(
    ("pack", "packing"), [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (bytes, "identity")]
)
def test_a_body_is_unpacked(pack, packing: str) -> None:
    data = pack(b"hello" * 1000)
    assert read_bounded([data[:7], data[7:]], packing) == b"hello" * 1000


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_bomb_is_refused_in_little_memory(packing: str) -> None:
    bomb = (gzip if packing == "gzip" else zlib).compress(bytes(256 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError, match="more than 4 MiB"):
            read_bounded([bomb], packing)
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, gzip"])
def test_a_packing_that_nobody_asked_for_is_refused(packing: str) -> None:
    with pytest.raises(UnreadableError, match="nobody asked for"):
        read_bounded([b"x"], packing)


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (Reply(BOMB, headers=GZIP), "more than 4 MiB"),
        (Reply(BOMB, 500, headers=GZIP), "more than 4 MiB"),
        (Reply(BOMB, 302, headers={**GZIP, "location": "/v1/elsewhere"}), "more than 4 MiB"),
        (Reply("", way="drip headers"), "within 0.5 s"),
        (Reply("x" * 200, 400, way="drip"), "within 0.5 s"),
    ],
    ids=["bomb", "bomb with 500", "bomb of a redirection", "headers that drip", "an error that drips"],
)
def test_the_list_of_models_has_the_same_deadline_and_size(
    listing: Reply, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Server(listing=listing)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789abcdef")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        endpoint = connect("gpt3", "chat", None, 0.5)
        with pytest.raises(LookupError, match=said):
            endpoint.models()
        endpoint.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Replace the system's look-up of names by one that hangs on `hangs.test`; return the names it was asked for."""
    asked: list[str] = []
    over, real = threading.Event(), socket.getaddrinfo
    known = {"two.test": ("::1", "127.0.0.1"), "here.test": ("127.0.0.1",)}

    def look_up(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        asked.append(host)
        if host == "hangs.test":
            over.wait(30)
        names = known.get(host, (host,))
        return [row for name in names for row in real(name, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789abcdef")
    yield asked
    over.set()


def asked_at(url: str, monkeypatch: pytest.MonkeyPatch, timeout: float = 0.2, times: int = 1) -> list[Any]:
    """Return what comes of some requests at once."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    endpoint = connect("gpt3", "chat", None, timeout)
    request = {"model": "m", "messages": [{"role": "user", "content": "Generate"}]}
    with ThreadPoolExecutor(times) as pool:
        outcomes = list(pool.map(endpoint.send, [request] * times))
    endpoint.close()
    return outcomes


LATE = "cannot reach http://hangs.test/v1: the look-up of host 'hangs.test' took longer than 0.2 s"


def test_a_lookup_that_hangs_ends_with_its_request_and_is_one_thread_for_all(
    resolver: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    assert asked_at("http://hangs.test/v1", monkeypatch, times=8) == [Transient(LATE)] * 8
    assert time.monotonic() - began < 5
    assert asked_at("http://hangs.test/v1", monkeypatch) == [Transient(LATE)]  # another client
    with pytest.raises(LookupError, match="the look-up of host 'hangs.test'"):
        connect("gpt3", "chat", None, 0.2).models()
    assert resolver == ["hangs.test"]
    waiting = [thread for thread in threading.enumerate() if thread.name == "maxi-lookup-hangs.test"]
    assert [thread.daemon for thread in waiting] == [True]  # it does not hold the process


def test_with_a_proxy_only_the_proxy_is_looked_up(resolver: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://hangs.test:3128")
    outcome = asked_at("http://elsewhere.test/v1", monkeypatch)[0]
    assert outcome.reason == LATE.replace("http://hangs.test", "http://elsewhere.test")
    monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
    outcome = asked_at("http://nowhere.invalid/v1", monkeypatch)[0]
    assert "host 'nowhere.invalid' cannot be looked up" in outcome.reason
    assert not outcome.sent
    assert resolver == ["hangs.test", "nowhere.invalid"]


@pytest.mark.parametrize("host", ["127.0.0.1", "here.test", "two.test"])
def test_each_address_of_a_host_is_tried(host: str, resolver: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Server()) as server:
        outcomes = asked_at(server.url.replace("127.0.0.1", host), monkeypatch, timeout=5, times=3)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Reply"] * 3
    assert all(name in (host, "127.0.0.1", "::1") for name in resolver)
