"""Videos inside other files, read where they lie: members of tar archives, cells of Parquet tables.

Such a video has a path like any other, `shards/000.tar/clips/a.mp4`: that of the archive, and behind it the name that
it has there. This is the one place where such paths are understood; nothing is unpacked to the disk.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import identity
from maxi_core.system.remote import RemotePath, as_path

if TYPE_CHECKING:
    from av.container import InputContainer

    from maxi_core.video.archive import Archive

ARCHIVES = (".tar", ".parquet")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")  # no place in them can be read without all before it
OPEN = 64  # archives whose places are remembered

_WITHIN = re.compile(r"\.(tar|parquet)(?=/)", re.IGNORECASE)  # where a path may go on inside a file


def is_archive(path: Path) -> bool:
    """Whether a file is named like one that holds videos; raises UsageError for a compressed one."""
    name = path.name.lower()
    if name.endswith(PACKED):
        raise UsageError(f"{path} is compressed, and videos are read where they lie", "decompress it, as with gunzip")
    return name.endswith(ARCHIVES) and is_file(path)


def is_file(path: Path) -> bool:
    """Whether there is an ordinary file at a path; False also for a name that is too long."""
    return path.is_file() if isinstance(path, RemotePath) else os.path.isfile(path)  # noqa: PTH113 (names too long)


def names_in(archive: Path) -> Iterator[tuple[str, bool]]:
    """Yield the name of each file in an archive, in its order, and whether it is known to be a video.

    Raises UsageError for an archive that is not right.
    """
    found = _indexed(archive)
    return ((name, found.only_videos) for name in found.places)


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path leads into; None for an ordinary one."""
    found = _within(path)
    return found and found[0]


def _within(path: Path) -> tuple[Path, str] | None:
    text = str(path)
    for found in _WITHIN.finditer(text):
        archive = as_path(text[: found.end()]) if isinstance(path, RemotePath) else Path(text[: found.end()])
        if is_file(archive):
            return archive, text[found.end() + 1 :]
    return None


def _indexed(archive: Path) -> Archive:
    try:
        return _read(*identity(archive))
    except OSError as error:
        raise UsageError(f"cannot read {archive}: {error.strerror or error}", "name another archive") from error


@lru_cache(maxsize=OPEN)
def _read(path: str, size: int, changed: int | str) -> Archive:
    if path.lower().endswith(".tar"):
        from maxi_core.video.archive import Tar

        return Tar(path, size)
    from maxi_core.video.parquet import Parquet

    return Parquet(path, changed)


def _place(archive: Path, name: str) -> tuple[Archive, tuple[int, int]]:
    found = _indexed(archive)
    if (place := found.places.get(name)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{archive}/{name}")
    return found, place


# What readers of videos call, with any path.


def open_video(path: Path) -> BinaryIO:
    """Open a video to be read, wherever it lies; raises OSError as the built-in `open` does."""
    if (inside := _within(path)) is None:
        return cast(BinaryIO, path.open("rb"))
    archive, place = _place(*inside)
    return archive.open(str(path), place)


def video_size(path: Path) -> int:
    """Return the bytes of a video, wherever it lies; raises OSError."""
    if _within(path) is None:
        return path.stat().st_size
    with open_video(path) as file:
        return file.seek(0, io.SEEK_END)


def video_exists(path: Path) -> bool:
    """Return whether there is a file at a path, or in an archive."""
    if (inside := _within(path)) is None:
        return is_file(path)
    try:
        return inside[1] in _indexed(inside[0]).places
    except MaxiError:
        return False


def video_identity(path: Path) -> tuple[object, ...]:
    """Return which video this is, in which state: `identity` of its file, and its place there if that is an archive.

    Raises OSError, ValueError for what is no path.
    """
    if (inside := _within(path)) is None:
        return identity(path)
    return (*identity(inside[0]), *_place(*inside)[1])


@contextmanager
def demuxed(path: Path) -> Iterator[InputContainer]:
    """Open a video with PyAV, by its path or as a part of an archive, and close it; raises what `av.open` raises."""
    import av

    with ExitStack() as stack:
        if not isinstance(path, RemotePath):
            file = str(path) if _within(path) is None else stack.enter_context(open_video(path))
            yield stack.enter_context(av.open(file, "r", metadata_errors="replace"))
            return
        from maxi_core.system.remote_file import Checked

        afar = stack.enter_context(open_video(path))
        try:
            with av.open(afar, "r", metadata_errors="replace") as container:
                yield container
        finally:  # FFmpeg takes a failure to fetch for the end of the file
            if isinstance(raw := getattr(afar, "raw", None), Checked):
                raw.check()


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """Yield a path that any program can open: of a video in an archive or elsewhere, one of a copy in memory (Linux).

    Raises UsageError where the system has no files in memory.
    """
    if _within(path) is None and not isinstance(path, RemotePath):
        yield path
        return
    if not hasattr(os, "memfd_create"):
        what = "this decoder reads files alone, and the video lies in an archive or elsewhere"
        raise UsageError(what, "use --decoder pyav")
    with open(os.memfd_create("video"), "wb") as copy, open_video(path) as video:  # noqa: PTH123
        shutil.copyfileobj(video, copy, 1 << 20)
        copy.flush()
        yield Path(f"/proc/self/fd/{copy.fileno()}")
