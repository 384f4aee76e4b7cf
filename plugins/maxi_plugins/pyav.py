"""`pyav`: the reference decoder, in order and only what is wanted."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from maxi_core import Choose, Decoded, Decoder, Side, hookimpl


class PyAV(Decoder):
    """Read videos in order with PyAV, right on every codec of the matrix."""

    name = "pyav"
    archives = True

    def __init__(self) -> None:
        """Import the library."""
        from maxi_core.video.pyav_decoder import decode

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
        import av

        libraries = ".".join(str(part) for part in av.library_versions["libavcodec"])
        return f"PyAV {av.__version__}, libavcodec {libraries}"


@hookimpl
def maxi_register_decoders() -> Iterable[type[Decoder]]:
    """Offer `pyav`."""
    return [PyAV]
