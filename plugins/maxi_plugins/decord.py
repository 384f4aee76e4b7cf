"""`decord`: decord, read from the first frame to the last."""

from collections.abc import Iterable
from importlib import import_module, metadata
from typing import Any

from maxi_core import Decoded, Decoder, hookimpl


class Decord(Decoder):
    """Step through every frame with decord, and refuse what it gets wrong."""

    name = "decord"

    def __init__(self) -> None:
        """Import the library."""
        from maxi_core.video.decord_decoder import decode

        import_module("decord")  # so that it is missed now, and not at each video; after av
        self._decode = decode

    def decode(self, *video: Any, **how: Any) -> Decoded:
        """Decode one file, or one window of it."""
        return self._decode(*video, **how)

    @classmethod
    def about(cls) -> str:
        """Return the version of the library."""
        try:
            return f"decord {metadata.version('decord')}"
        except metadata.PackageNotFoundError:
            return "not installed: it has wheels for x86-64 Linux and Windows only"


@hookimpl
def maxi_register_decoders() -> Iterable[type[Decoder]]:
    """Offer `decord`."""
    return [Decord]
