"""A body is read within its size, whatever it is packed in, and memory stays within a few times that."""

import gzip
import tracemalloc
import zlib

import pytest

from maxi_plugins.llm.deadline import MOST_BYTES, UnreadableError, read_bounded


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
