"""One video, one size: what most tests of decoders want."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maxi_core.video.decoders import look_up
from maxi_core.video.frames import Decoded, Info, Pixels


@dataclass(frozen=True)
class One:
    """What a decoder answers, with the only array that was asked for."""

    pixels: Pixels
    found: int
    declared: int | None
    damage: str
    info: Info | None


def loadable(decoder: str) -> None:
    """Skip the test where a decoder's library is missing, or the FFmpeg that it needs."""
    if decoder != "pyav":
        library = pytest.importorskip(decoder)
        if decoder == "torchcodec" and library.ffmpeg_major_version is None:
            pytest.skip("torchcodec needs the shared libraries of FFmpeg")


def decode(
    decoder: str, path: Path, choose: Callable[[int], Sequence[int]], side: int | None = None, **asked: Any
) -> One:
    """Decode the frames that `choose` wants of so many, in one size."""
    found: Decoded = look_up(decoder).load()(path, lambda n, rate: [choose(n)], (side,), **asked)
    (pixels,) = found.pixels
    return One(pixels, found.found, found.declared, found.damage, found.info)
