"""The videos below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.video.roots import Root
from maxi_core.video.rows import is_video_name


def scan(folder: Path, root: Root, *, follow: bool) -> list[str]:
    """Return the paths of the videos below `folder`, relative to it and sorted.

    A folder that is named like a video and holds none is listed too, so that it is reported and not passed over.
    Links to folders inside the root are not entered, since their files are found where they are; with `follow`, links
    that lead out of it are, and each folder once, so loops end. Raises UsageError for a link that leads out of the
    root unless `follow`, and for a folder that cannot be read.
    """
    found = sorted(_below(str(folder), "", root, follow, {os.path.realpath(folder)}))
    folders = {os.path.dirname(path) for path in found}  # noqa: PTH120 (strings, for speed)
    above = {parent for path in folders for parent in _parents(path)}
    return [path for path in found if path not in above]


def _parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = os.path.dirname(path)  # noqa: PTH120


def _below(top: str, inside: str, root: Root, follow: bool, entered: set[str]) -> Iterator[str]:
    try:
        with os.scandir(Path(top, inside)) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read the folder {Path(top, inside)}: {error.strerror or error}") from error
    for entry in listed:
        path = f"{inside}/{entry.name}" if inside else entry.name
        link = entry.is_symlink()
        is_folder = _is_folder(entry)
        if link and (is_folder or is_video_name(entry.name)):
            root.check_links(entry.path)
        if is_video_name(entry.name):
            yield path
        if is_folder and (not link or follow):
            real = os.path.realpath(entry.path)
            if not link or real not in entered:
                entered.add(real)
                yield from _below(top, path, root, follow, entered)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
