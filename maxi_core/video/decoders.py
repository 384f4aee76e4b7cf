"""Decoders: what one is, the two that come with maxi, and how any other is named."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maxi_core.errors import UsageError, nearest

if TYPE_CHECKING:
    from maxi_core.video.frames import Decoded

BUILT_IN = {
    "pyav": "maxi_core.video.pyav_decoder:decode",
    "decord": "maxi_core.video.decord_decoder:decode",
}

Choose = Callable[[int], Sequence[int]]


class Decoder(Protocol):
    """A function that opens a video and returns the chosen frames, RGB and upright.

    `choose` is told the number of frames between `start` and `end` (seconds, None for the ends of the file) and returns
    the indices that are wanted among them, ascending and without repeats. Frames are made smaller, never larger, so
    that the shorter side has `short_side` pixels (None: as they are); with `square_pixels`, a picture that is stored
    squeezed is shown in its true shape, else as it is stored. `threads` is 1 in a worker process and 0, the
    decoder's own choice, elsewhere. Raises `VideoError` for a video that it cannot or will not read.
    """

    def __call__(
        self,
        path: Path,
        choose: Choose,
        *,
        start: float | None = None,
        end: float | None = None,
        short_side: int | None = None,
        square_pixels: bool = True,
        threads: int = 0,
    ) -> Decoded:
        """Decode one file, or one window of it."""
        ...


def resolve(name: str) -> Decoder:
    """Return the decoder called `name`: `pyav`, `decord` or `module:function`; raise UsageError if there is none."""
    target = BUILT_IN.get(name, name)
    module, colon, function = target.partition(":")
    if not colon:
        known = ", ".join(BUILT_IN)
        raise UsageError(
            f"no decoder is called '{name}'{nearest(name, BUILT_IN)}", f"use one of {known}, or module:function"
        )
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"decoder '{name}' cannot be loaded ({error})", f"use {_other(name)}") from error
    if not callable(found):
        raise UsageError(f"decoder '{name}' is not a function", f"use {_other(name)}")
    return cast(Decoder, found)


def _other(name: str) -> str:
    return "--decoder pyav" if name != "pyav" else "a decoder that is installed (module:function)"
