"""`pyav`: the reference decoder, in order and only what is wanted."""

from collections.abc import Iterable
from typing import Any

from maxi_core import Decoded, Decoder, hookimpl


class PyAV(Decoder):
    """Read videos in order with PyAV, right on every codec of the matrix."""

    name = "pyav"
    archives = True

    def __init__(self) -> None:
        """Import the library."""
        from maxi_core.video.pyav_decoder import decode

        self._decode = decode

    def decode(self, *video: Any, **how: Any) -> Decoded:
        """Decode one file, or one window of it."""
        return self._decode(*video, **how)

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
