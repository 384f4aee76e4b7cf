"""The folder that the videos of a list must lie in, so that no list of a stranger's reads what it should not."""

import os
from pathlib import Path, PurePosixPath

from maxi_core.errors import UsageError
from maxi_core.text_files import excerpt

ALLOW = "--allow-outside-root"


class OutsideError(UsageError):
    """A path leads out of the folder of the videos, or is no path at all."""


class Root:
    """Finds the paths of a list under `folder`, and refuses what leads out of it unless `allow_outside`.

    `given` says that the user named the folder: then absolute paths must lie in it too. In a list that is typed on the
    command line without a root they may be anywhere. `~` is an ordinary character, `..` is never followed unasked.
    Paths are strings here: lists have millions of lines.
    """

    def __init__(self, folder: Path, *, given: bool, allow_outside: bool) -> None:
        self.folder, self._given, self._allow_outside = folder, given, allow_outside
        self._top = str(folder)
        self._absolute = str(folder.absolute())
        self._real = os.path.realpath(folder)
        self._folders: dict[str, bool] = {}  # folder of a video -> whether it lies in the root, links followed

    def place(self, written: str) -> tuple[str, str]:
        """Return id and path of an entry; raises `OutsideError` with the reason."""
        if not written or "\0" in written:
            raise OutsideError(f"'{excerpt(written)}' is not the path of a file", "correct it")
        name = str(PurePosixPath(written)) if "//" in written or "./" in written or written[-1] in "/." else written
        if ".." in name and ".." in name.split("/") and not self._allow_outside:
            raise OutsideError(
                f"'{excerpt(written)}' leads out of {self.folder} by '..'", f"correct it, or pass {ALLOW}"
            )
        if name[0] != "/":
            path = f"{self._top}/{name}"
        elif _within(name, self._absolute):
            path, name = name, name[len(self._absolute) :].lstrip("/")
        elif self._given and not self._allow_outside:
            raise OutsideError(
                f"'{excerpt(written)}' is not in {self.folder}", f"write paths relative to it, or pass {ALLOW}"
            )
        else:
            return name, name
        self.check_links(path)
        return name, path

    def check_links(self, path: str) -> None:
        """Raise `OutsideError` if a symbolic link on the way to `path` leads out of the folder."""
        if self._allow_outside:
            return
        folder = path.rpartition("/")[0] or "/"
        inside = self._folders.get(folder)
        if inside is None:
            inside = self._folders[folder] = _within(os.path.realpath(folder), self._real)
        if inside and not (os.path.islink(path) and not _within(os.path.realpath(path), self._real)):  # noqa: PTH114
            return
        raise OutsideError(
            f"'{excerpt(path, 300)}' is a link that leads out of {self.folder} (to {os.path.realpath(path)})",
            f"copy the file there, or pass {ALLOW} to follow it",
        )


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
