"""`decord`: decord, read from the first frame to the last."""

from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from pathlib import Path

from maxi_core import Choose, Decoded, Decoder, Side, hookimpl


class Decord(Decoder):
    """Step through every frame with decord, and refuse what it gets wrong."""

    name = "decord"

    def __init__(self) -> None:
        """Import the library."""
        from maxi_core.video.decord_decoder import decode

        import_module("decord")  # so that it is missed now, and not at each video; after av
        self._decode = decode

    def decode(
        self,
        path: Path,
        choose: Choose,
        sides: Sequence[Side] = (None,),
        *,
        start: float | None = None,
        end: float | None = None,
        square_pixels: bool = True,
        threads: int = 0,
    ) -> Decoded:
        """Decode one file, or one window of it."""
        return self._decode(path, choose, sides, start=start, end=end, square_pixels=square_pixels, threads=threads)

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
