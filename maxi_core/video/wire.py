"""Messages between the reader and its worker processes: a line of JSON, then the pixels as they are.

Nothing is pickled, so nothing that comes through a pipe can run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

from maxi_core.video.frames import Decoded, Info
from maxi_core.video.skips import VideoFailed

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

_LENGTHS = struct.Struct("<QQ")  # bytes of JSON, bytes of pixels


def send(pipe: BinaryIO, header: dict[str, Any], pixels: Sequence[Pixels] = ()) -> None:
    """Write one message; raises OSError if nobody reads."""
    text = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(text), sum(part.nbytes for part in pixels)) + text)
    for part in pixels:
        pipe.write(part.reshape(-1).data)
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


def pack(reply: Decoded | VideoFailed) -> tuple[dict[str, Any], tuple[Pixels, ...]]:
    """Return a worker's answer as header and pixels."""
    if isinstance(reply, VideoFailed):
        return {"failed": asdict(reply)}, ()
    info = asdict(reply.info) if reply.info else None
    header = {"found": reply.found, "declared": reply.declared, "damage": reply.damage, "info": info}
    return {**header, "shapes": [part.shape for part in reply.pixels]}, reply.pixels


def unpack(header: dict[str, Any], body: bytearray | memoryview) -> Decoded | VideoFailed:
    """Rebuild a worker's answer; the arrays lie in `body`."""
    import numpy as np

    if "failed" in header:
        return VideoFailed(**header["failed"])
    info = Info(**header["info"]) if header["info"] else None
    parts, view = [], memoryview(body)
    for shape in header["shapes"]:
        size = prod(shape)
        parts.append(np.frombuffer(view[:size], dtype=np.uint8).reshape(shape))  # (N, H, W, 3)
        view = view[size:]
    return Decoded(tuple(parts), header["found"], header["declared"], header["damage"], info)
