"""Messages between the reader and its worker processes: a line of JSON, then the pixels as they are.

Nothing is pickled, so nothing that comes through a pipe can run.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

from maxi_core.video.frames import Decoded, Info
from maxi_core.video.problems import VideoFailed

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

_LENGTHS = struct.Struct("<QQ")  # bytes of JSON, bytes of pixels


def send(pipe: BinaryIO, header: dict[str, Any], pixels: Pixels | None = None) -> None:
    """Write one message; raises OSError if nobody reads."""
    text = json.dumps(header).encode()
    body = memoryview(b"") if pixels is None else pixels.reshape(-1).data
    pipe.write(_LENGTHS.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], bytearray] | None:
    """Read one message; None when the other side is gone, be it in the middle of a message."""
    lengths = _exactly(pipe, _LENGTHS.size)
    if lengths is None:
        return None
    text_size, body_size = _LENGTHS.unpack(lengths)
    text, body = _exactly(pipe, text_size), _exactly(pipe, body_size)
    if text is None or body is None:
        return None
    header: dict[str, Any] = json.loads(text)
    return header, body


def _exactly(pipe: BinaryIO, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = pipe.readinto(view)  # type: ignore[attr-defined]  # every file object that is open for bytes has it
        if not got:
            return None
        view = view[got:]
    return data


def pack(reply: Decoded | VideoFailed) -> tuple[dict[str, Any], Pixels | None]:
    """Return a worker's answer as header and pixels."""
    if isinstance(reply, VideoFailed):
        return {"failed": asdict(reply)}, None
    info = asdict(reply.info) if reply.info else None
    header = {"found": reply.found, "declared": reply.declared, "damage": reply.damage, "info": info}
    return {**header, "shape": reply.pixels.shape}, reply.pixels


def unpack(header: dict[str, Any], body: bytearray) -> Decoded | VideoFailed:
    """Rebuild a worker's answer."""
    import numpy as np

    if "failed" in header:
        return VideoFailed(**header["failed"])
    info = Info(**header["info"]) if header["info"] else None
    pixels = np.frombuffer(body, dtype=np.uint8).reshape(header["shape"])  # (N, H, W, 3)
    return Decoded(pixels, header["found"], header["declared"], header["damage"], info)
