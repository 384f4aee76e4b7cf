"""What an archive of videos is, and tar archives."""

from __future__ import annotations

import io
import logging
import os
import tarfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from maxi_core.errors import UsageError
from maxi_core.system.remote import as_path
from maxi_core.system.remote_file import RemoteFile
from maxi_core.system.text_files import excerpt
from maxi_core.texts import counted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger("maxi")

BLOCK = 512  # bytes of a header
AT_ONCE = 1 << 16  # bytes that are read ahead
SMALL = 1 << 13  # the same where one header is read, and a video skipped


class Archive(Protocol):
    """A file that holds videos: where each lies, as two numbers that say it for as long as the file is the same."""

    places: dict[str, tuple[int, int]]  # by name, in the order of the file
    only_videos: bool

    def open(self, name: str, place: tuple[int, int]) -> BinaryIO:
        """Open one of them to be read; the file says that it is called `name`."""
        ...


class Tar:
    """A tar archive, as WebDataset has them; places are (offset, bytes).

    Links, devices and what is no file are not seen. Raises UsageError for a file that is no tar, a name that leads out
    of it, and one that comes twice. What follows damage is lost, with a warning.
    """

    only_videos = False

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self.places: dict[str, tuple[int, int]] = {}
        try:
            with as_path(path).open("rb", SMALL) as file, tarfile.open(path, "r:", file) as tar:
                with suppress(tarfile.ReadError):  # the last file breaks off: it is kept, and its reader says so
                    for member in tar:
                        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
                        self._note(member)
                end = tar.offset
        except (tarfile.TarError, ValueError) as error:
            raise UsageError(f"{path} is no tar archive: {error}", "get it again") from error
        with as_path(path).open("rb", SMALL) as file:
            file.seek(end)
            if end > size or any(file.read(BLOCK)):
                found = counted(len(self.places), "file")
                log.warning("%s is damaged or cut off after %s: what follows is not seen", path, found)

    def _note(self, member: tarfile.TarInfo) -> None:
        if not member.isreg() or member.issparse():
            return
        name = str(PurePosixPath(member.name.lstrip("/")))
        if "\0" in name or ".." in name.split("/"):
            raise UsageError(f"{self._path} has a file '{excerpt(name)}', which leads out of it", "make it anew")
        if name in self.places:
            raise UsageError(f"{self._path} has '{excerpt(name)}' twice", "make it anew with one of them")
        self.places[name] = member.offset_data, member.size

    def open(self, name: str, place: tuple[int, int]) -> BinaryIO:
        """Open a part of the archive."""
        return cast(BinaryIO, io.BufferedReader(_Span(as_path(self._path), name, *place), AT_ONCE))


class _Span(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: Path, name: str, offset: int, size: int) -> None:
        self._file = file.open("rb", buffering=0)
        self.name = name
        self._offset, self._size, self._at = offset, size, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place in the part."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read on, up to the end of the part."""
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        self._file.seek(self._offset + self._at)
        count = self._file.readinto(view) or 0
        self._at += count
        return count

    def check(self) -> None:
        """Raise what kept a part of a remote file from being read, which a library may have passed over."""
        if isinstance(self._file, RemoteFile):
            self._file.check()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
