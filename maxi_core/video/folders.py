"""The videos below a folder or in an archive, and the root that no list of a stranger's may lead out of."""

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from maxi_core.errors import UsageError
from maxi_core.system.hidden import is_hidden
from maxi_core.system.remote import RemotePath, as_path
from maxi_core.system.text_files import excerpt
from maxi_core.texts import first_few
from maxi_core.video.archives import ARCHIVES, is_archive, names_in
from maxi_core.video.lists import is_video_name

# The folder that the videos of a list must lie in, so that no list of a stranger's reads what it should not.

ALLOW = "--allow-outside-root"


class OutsideError(UsageError):
    """A path leads out of the folder of the videos, or is no path at all."""


class Root:
    """Finds the paths of a list under `folder`, and refuses what leads out of it unless `allow_outside`.

    `given` says that the user named the folder: then absolute paths must lie in it too. In a list that is typed on the
    command line without a root they may be anywhere. `~` is an ordinary character, `..` is never followed unasked.
    The paths that are found are absolute, so that what is written of them is right from any folder. They are strings
    here: lists have millions of lines.
    """

    def __init__(self, folder: Path, *, given: bool, allow_outside: bool) -> None:
        self.folder, self._given, self._allow_outside = folder, given, allow_outside
        self._absolute = str(folder.absolute())
        self._remote = isinstance(folder, RemotePath)
        self._real = os.path.realpath(folder)
        self._folders: dict[str, bool] = {}  # folder of a video -> whether it lies in the root, links followed

    def place(self, written: str) -> tuple[str, str]:
        """Return id and path of an entry; raises `OutsideError` with the reason."""
        if not written or "\0" in written:
            raise OutsideError(f"'{excerpt(written)}' is not the path of a file", "correct it")
        if "://" in written and (url := _url(written)):
            return self._place_url(url)
        name = str(PurePosixPath(written)) if "//" in written or "./" in written or written[-1] in "/." else written
        if ".." in name and ".." in name.split("/") and not self._allow_outside:
            raise OutsideError(
                f"'{excerpt(written)}' leads out of {self.folder} by '..'", f"correct it, or pass {ALLOW}"
            )
        if name[0] != "/":
            path = f"{self._absolute}/{name}"
        elif _within(name, self._absolute):
            path, name = name, name[len(self._absolute) :].lstrip("/")
        elif (self._given or self._remote) and not self._allow_outside:
            raise OutsideError(
                f"'{excerpt(written)}' is not in {self.folder}", f"write paths relative to it, or pass {ALLOW}"
            )
        else:
            return name, name
        self.check_links(path)
        return name, path

    def _place_url(self, url: str) -> tuple[str, str]:
        if ".." in url.split("/") and not self._allow_outside:
            raise OutsideError(f"'{excerpt(url)}' has '..' in it", f"correct it, or pass {ALLOW}")
        if _within(url, self._absolute):
            return url[len(self._absolute) :].lstrip("/"), url
        if self._given and not self._allow_outside:
            raise OutsideError(f"'{excerpt(url)}' is not in {self.folder}", f"correct it, or pass {ALLOW}")
        return url, url

    def check_links(self, path: str) -> None:
        """Raise `OutsideError` if a symbolic link on the way to `path` leads out of the folder."""
        if self._allow_outside or self._remote:
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


def _url(written: str) -> str:
    """Return what was written as the URL that it is, without credentials, or "" if it is none."""
    try:
        path = as_path(written)
    except UsageError as error:
        raise OutsideError(error.problem, error.fix) from None
    return str(path) if isinstance(path, RemotePath) else ""


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# The videos below a folder.

SHOWN = 5  # endings and hidden names in a message


@dataclass(frozen=True)
class PassedOver:
    """What was not taken in a folder: how many files by their ending, and which hidden files and folders.

    `watched` are the folders that were entered and the archives in them, in the state (size and time of the last
    change) that they had before that.
    """

    endings: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    watched: dict[str, list[int]] = field(default_factory=dict)

    def watch(self, path: Path) -> None:
        """Note the state of a folder or archive; one that is not there is noted as what nothing is."""
        try:
            found = path.stat()
            self.watched[str(path)] = [found.st_size, found.st_mtime_ns]
        except OSError:
            self.watched[str(path)] = []

    def __str__(self) -> str:
        """Return it in words, or an empty string if there is nothing."""
        parts = []
        if count := self.endings.total():
            parts.append(f"{count} {'file' if count == 1 else 'files'} not named like a video ({_most(self.endings)})")
        if count := self.hidden.total():
            parts.append(f"{count} hidden ({_most(self.hidden)})")
        return " and ".join(parts)


def _most(counted: Counter[str]) -> str:
    said = [f"{count} {excerpt(name, 20)}" if count > 1 else excerpt(name, 20) for name, count in counted.most_common()]
    return first_few(said, SHOWN)


def scan(folder: Path, root: Root, *, follow: bool, passed: PassedOver | None = None) -> list[str]:
    """Return the paths of the videos below a folder or archive, relative to it and sorted; note in `passed` the rest.

    Hidden files and folders (`system.hidden`) are passed over, and so are files that are not named like a video. A
    folder that is named like a video and holds none is listed too, so that it is reported and not passed over.
    Archives are taken where there is no video outside them, in their own order, else passed over: a folder may hold
    what was unpacked of them. Links to folders inside the root are not entered, since their files are found where they
    are; with `follow`, links that lead out of it are, and each folder once, so loops end. Raises UsageError for a link
    that leads out of the root unless `follow`, and for a folder that cannot be read.
    """
    passed = PassedOver() if passed is None else passed
    if is_archive(folder):
        return videos_in(folder, passed)
    archives: list[str] = []
    if isinstance(folder, RemotePath):
        found = list(_below_remote(folder, passed, archives))
    else:
        found = sorted(_below(str(folder), root, passed, archives, follow=follow))
    if not found:
        return [f"{one}/{name}" for one in sorted(archives) for name in videos_in(folder / one, passed)]
    passed.endings.update(Path(one).suffix.lower() for one in archives)
    folders = {os.path.dirname(path) for path in found}  # noqa: PTH120 (strings, for speed)
    above = {parent for path in folders for parent in _parents(path)}
    return [path for path in found if path not in above]


def _parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = os.path.dirname(path)  # noqa: PTH120


def videos_in(archive: Path, passed: PassedOver) -> list[str]:
    """Return the names of the videos in an archive, in its order; what a folder passes over is passed over here too."""
    found = []
    for name, is_video in names_in(archive):
        if hidden := next(filter(is_hidden, name.split("/")), None):
            passed.hidden[_hidden_as(hidden)] += 1
        elif is_video or is_video_name(name):
            found.append(name)
        else:
            passed.endings[_ending(name)] += 1
    return found


def _ending(name: str) -> str:
    return Path(name).suffix.lower() or "no ending"


def _below(top: str, root: Root, passed: PassedOver, archives: list[str], *, follow: bool) -> Iterator[str]:
    entered, waiting = {os.path.realpath(top)}, deque([""])
    while waiting:  # not recursive: folders may lie deeper than Python's stack
        inside = waiting.popleft()
        folder = Path(top, inside)
        passed.watch(folder)
        for entry in _listed(folder):
            if is_hidden(entry.name):
                passed.hidden[_hidden_as(entry.name)] += 1
                continue
            path = f"{inside}/{entry.name}" if inside else entry.name
            link = entry.is_symlink()
            is_folder = _is_folder(entry)
            holds = not is_folder and entry.name.lower().endswith(ARCHIVES)
            if link and (is_folder or holds or is_video_name(entry.name)):
                root.check_links(entry.path)
            if is_video_name(entry.name):
                yield path
            elif holds:
                archives.append(path)
                passed.watch(Path(entry.path))
            elif not is_folder:
                passed.endings[_ending(entry.name)] += 1
            if is_folder and (not link or follow):
                real = os.path.realpath(entry.path)
                if not link or real not in entered:
                    entered.add(real)
                    waiting.append(path)


def _below_remote(top: RemotePath, passed: PassedOver, archives: list[str]) -> Iterator[str]:
    """Do as `_below` with the listing of a bucket, which is sorted and has no folders."""
    hidden = set()
    for path in top.listed():
        parts = path.split("/")
        at = next((place for place, part in enumerate(parts) if is_hidden(part)), None)
        if at is not None:
            hidden.add("/".join(parts[: at + 1]))
        elif is_video_name(path):
            yield path
        elif path.lower().endswith(ARCHIVES):
            archives.append(path)
        else:
            passed.endings[_ending(path)] += 1
    passed.hidden.update(_hidden_as(one.rpartition("/")[2]) for one in hidden)


def _hidden_as(name: str) -> str:
    return "._*" if name.startswith("._") else name


def _listed(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read the folder {folder}: {error.strerror or error}") from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
