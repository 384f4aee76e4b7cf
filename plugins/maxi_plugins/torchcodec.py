"""`torchcodec`: torchcodec, asked for frames by number and checked by time."""

from collections.abc import Iterable
from importlib import import_module, metadata
from typing import Any

from maxi_core import Decoded, Decoder, hookimpl
from maxi_core.errors import UsageError

INSTALL = "pip install 'maxi[torchcodec]'"


class TorchCodec(Decoder):
    """Read the frames that are wanted with torchcodec, and refuse what it gets wrong."""

    name = "torchcodec"

    def __init__(self) -> None:
        """Import the library; raises UsageError if it is not installed, or finds no FFmpeg on this machine."""
        from maxi_core.video.torchcodec_decoder import decode

        try:
            library = import_module("torchcodec")
        except ModuleNotFoundError as error:
            raise UsageError("decoder 'torchcodec' is not installed", INSTALL) from error
        if library.ffmpeg_major_version is None:
            raise UsageError(
                "decoder 'torchcodec' finds no shared libraries of FFmpeg 4 to 9 on this machine",
                "install FFmpeg (apt install ffmpeg, or conda install ffmpeg), or use --decoder pyav",
            )
        self._decode = decode

    def decode(self, *video: Any, **how: Any) -> Decoded:
        """Decode one file, or one window of it."""
        return self._decode(*video, **how)

    @classmethod
    def about(cls) -> str:
        """Return the version of the library."""
        try:
            return f"torchcodec {metadata.version('torchcodec')}"
        except metadata.PackageNotFoundError:
            return f"not installed: {INSTALL}"


@hookimpl
def maxi_register_decoders() -> Iterable[type[Decoder]]:
    """Offer `torchcodec`."""
    return [TorchCodec]
