"""A body is read within its size, whatever it is packed in, and memory stays within a few times that."""

import gzip
import tracemalloc
import zlib

import pytest

from maxi_plugins.llm.deadline import MOST_BYTES, UnreadableError, read_bounded
from maxi_plugins.llm.endpoint import connect
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
