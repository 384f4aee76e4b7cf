"""Which videos: a folder, one file, or a list of any of the usual kinds becomes `Video`s with ids that stay."""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path, PurePosixPath

from maxi_core.errors import UsageError
from maxi_core.system.hidden import is_hidden
from maxi_core.system.text_files import check_regular, check_text, excerpt, not_text
from maxi_core.types import Video
from maxi_core.video.annotations import is_annotations, split_subset
from maxi_core.video.archives import ARCHIVES, archive_of, is_archive, names_in, video_exists
from maxi_core.video.lists import Row, is_video_name, parse_list_line, read_rows, wrong
from maxi_core.video.skips import VideoError

# The folder that the videos of a list must lie in, so that no list of a stranger's reads what it should not.

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


# The videos below a folder.

SHOWN = 5  # endings and hidden names in a message


@dataclass(frozen=True)
class PassedOver:
    """What was not taken in a folder: how many files by their ending, and which hidden files and folders."""

    endings: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)

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
    return ", ".join(said[:SHOWN]) + (", ..." if len(said) > SHOWN else "")


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
        for entry in _listed(Path(top, inside)):
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
            elif not is_folder:
                passed.endings[_ending(entry.name)] += 1
            if is_folder and (not link or follow):
                real = os.path.realpath(entry.path)
                if not link or real not in entered:
                    entered.add(real)
                    waiting.append(path)


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


log = logging.getLogger("maxi")

__all__ = ["VideoList", "find_videos", "parse_list_line"]


class VideoList:
    """The videos of a run: their number is known, and they can be gone through any number of times.

    A list of a million lines is checked once and then read from its file as it is needed, not held in memory.
    """

    def __init__(self, count: int, make: Callable[[], Iterator[Video]]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Video]:
        return self._make()


def find_videos(
    source: Path | str | Sequence[Path | str],
    root: Path | str | None = None,
    clip_seconds: float | None = None,
    *,
    allow_outside_root: bool = False,
) -> VideoList:
    """Return the videos of a folder (recursive, sorted), of an archive, of one file, or of a list (see `read_rows`).

    Several videos, folders and archives may be named, or several lists. Ids are paths relative to `root` (default: the
    folder itself, the folder of the video or list, or the folder that several have in common), with `#t=start,end`
    behind them for a window in seconds.
    `clip_seconds` cuts every video that has no window of its own into windows. Whether the files of a list exist is
    seen when they are read. What a folder holds besides is logged, and a file that is no text is taken for a video.
    Raises UsageError, with the line, for anything that cannot be understood, leads out of the
    root (unless `allow_outside_root`), or has the id of another.
    """
    if not isinstance(source, (str, Path)):
        if len(source) != 1:
            videos = _several([Path(one) for one in source], root, allow_outside_root)
            return videos if clip_seconds is None else cut(videos, clip_seconds)
        source = source[0]
    source = Path(source)
    check_regular(source)
    file = split_subset(source)[0]
    if not os.path.exists(file) and not video_exists(source):  # noqa: PTH110 (which raises for names too long)
        raise UsageError(f"there is no folder, video or list at {source}", "correct the path")
    top = Path(root) if root is not None else (source if source.is_dir() else (archive_of(source) or source).parent)
    if not os.path.isdir(top) and not is_archive(top):  # noqa: PTH112 (which raises for a name that is too long)
        raise UsageError(f"the root {top} is not a folder", "correct --root")
    place = Root(top, given=root is not None, allow_outside=allow_outside_root)
    if source.is_dir():
        videos = _in_folder(source, place, follow=allow_outside_root)
    elif is_archive(source):
        videos = _in_archive(source, place)
    elif _is_named_or_video(file):
        videos = _one(source, place)
    else:
        check_text(file, "neither a video nor a list")
        videos = _in_list(source, place)
    return videos if clip_seconds is None else cut(videos, clip_seconds)


def cut(videos: Iterable[Video], clip_seconds: float) -> VideoList:
    """Cut videos into windows of `clip_seconds`; less than half a window at the end stays with the one before.

    The last window has no end, so no frame is lost to a length that was rounded. A video that cannot be opened stays
    whole: reading it says why. Opens every file, and imports PyAV.
    """
    windows = [window for video in videos for window in _windows(video, clip_seconds)]
    return VideoList(len(windows), lambda: iter(windows))


def _windows(video: Video, clip_seconds: float) -> Iterator[Video]:
    from maxi_core.video.lengths import length_of
    from maxi_core.video.pyav_decoder import opened

    length = None
    if video.start is None and video.end is None:
        try:
            with opened(video.path) as (container, stream):
                length = length_of(container, stream)
        except VideoError:
            length = None
    count = int(length / clip_seconds + 0.5) if length else 0
    if count <= 1:
        yield video
        return
    for number in range(count):
        start = number * clip_seconds
        end = start + clip_seconds if number < count - 1 else None
        yield Video(with_window(video.id, start, end), video.path, start, end)


def with_window(name: str, start: float | None, end: float | None) -> str:
    """Return the id of a window, in the notation of media fragments: `a.mp4#t=10,20`."""
    if start is None and end is None:
        return name
    return f"{name}#t={_short(start)}" + (f",{_short(end)}" if end is not None else "")


def _short(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}".rstrip("0").rstrip(".")


def _several(sources: list[Path], root: Path | str | None, allow_outside: bool) -> VideoList:
    """Return the videos of several sources: of lists in their order, else sorted as if their folder was named."""
    lists = [path for path in sources if is_annotations(path) or _is_list(path)]
    if lists and len(lists) < len(sources):
        raise UsageError(f"{lists[0]} is no video", "name videos and folders together, and a list by itself")
    if root is None and not lists:
        root = os.path.commonpath([path.absolute() if path.is_dir() else path.absolute().parent for path in sources])
    parts = [find_videos(path, root, allow_outside_root=allow_outside) for path in sources]
    count = Counter(video.id for part in parts for video in part)
    if twice := [name for name, times in count.items() if times > 1]:
        raise UsageError(f"the video '{excerpt(twice[0])}' is named twice", "name it once")
    if lists:
        return VideoList(count.total(), lambda: chain.from_iterable(parts))
    videos = sorted(chain.from_iterable(parts), key=lambda video: video.id)
    return VideoList(len(videos), lambda: iter(videos))


def _in_folder(folder: Path, root: Root, *, follow: bool) -> VideoList:
    try:
        prefix = folder.absolute().relative_to(root.folder.absolute())
    except ValueError:
        raise UsageError(f"the folder {folder} is not in the root {root.folder}", "correct --root") from None
    passed = PassedOver()
    names = scan(folder, root, follow=follow, passed=passed)
    if str(passed):
        log.warning("%s: passed over %s", excerpt(str(folder), 300), passed)
    return VideoList(len(names), lambda: (Video(str(prefix / name), folder / name) for name in names))


def _is_video(path: Path) -> bool:
    """Whether a file with the ending of no video is one nevertheless; a text is not looked at."""
    try:
        if not not_text(path):
            return False
    except OSError:  # whoever reads it says so
        return False
    from maxi_core.video.pyav_decoder import opened

    try:
        with opened(path):
            return True
    except VideoError:
        return False


def _is_named_or_video(path: Path) -> bool:
    return is_video_name(path.name) or _is_video(path)


def _is_list(path: Path) -> bool:
    return os.path.isfile(path) and not is_archive(path) and not _is_named_or_video(path)  # noqa: PTH113


def _in_archive(archive: Path, root: Root) -> VideoList:
    passed = PassedOver()
    names = videos_in(archive, passed)
    if str(passed):
        log.warning("%s: passed over %s", excerpt(str(archive), 300), passed)
    prefix, place = root.place(str(archive.absolute()))
    return VideoList(len(names), lambda: (Video(f"{prefix}/{name}", Path(place, name)) for name in names))


def _one(path: Path, root: Root) -> VideoList:
    name, place = root.place(str(path.absolute()))
    return VideoList(1, lambda: iter([Video(name, Path(place))]))


def _in_list(source: Path, root: Root) -> VideoList:
    seen: set[int] = set()  # hashes, since a million names weigh more
    count = 0
    rows = partial(read_rows, source)
    if is_annotations(source):  # read at once, and with ids that files have yet to be found for
        files = _Files(root)
        held = [_found(row, files) for row in rows()]
        rows = partial(iter, held)
    for row in rows():
        count += 1
        try:
            name = _id(row, root.place(row.path)[0])
        except OutsideError as error:
            raise wrong(source, row.line, error.problem, error.fix) from None
        if hash(name) in seen:
            _refuse_twice(source, root, row.line, name, rows())
        seen.add(hash(name))
    return VideoList(count, lambda: (_video(row, root) for row in rows()))


class _Files:
    """Files below the root by their names without ending, for lists that have ids alone."""

    def __init__(self, root: Root) -> None:
        self._root = root

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in scan(self._root.folder, self._root, follow=False):
            found.setdefault(PurePosixPath(path).stem, []).append(path)
        return found

    def find(self, name: str) -> str:
        """Return the only file of this name, or of it behind `v_`; where there is none, how it would be called."""
        found = self._by_stem.get(name) or self._by_stem.get(f"v_{name}") or [f"{name}.mp4"]
        if len(found) > 1:
            both = " or ".join(found[:2])
            raise UsageError(f"'{excerpt(name)}' could be {both} in {self._root.folder}", "name a folder that has one")
        return found[0]


def _found(row: Row, files: _Files) -> Row:
    return row if row.named or is_video_name(row.path) else replace(row, path=files.find(row.path))


def _video(row: Row, root: Root) -> Video:
    name, path = root.place(row.path)
    return Video(_id(row, name), Path(path), row.start, row.end)


def _id(row: Row, name: str) -> str:
    return row.id or with_window(name, row.start, row.end)


def _refuse_twice(source: Path, root: Root, line: int, name: str, rows: Iterable[Row]) -> None:
    """Raise UsageError if an earlier line has this very id; the set of hashes alone might be mistaken."""
    for row in rows:
        if row.line >= line:
            return
        if _id(row, root.place(row.path)[0]) == name:
            fix = "take one of them out, or give each its own id"
            raise wrong(source, line, f"the id '{excerpt(name)}' is already on line {row.line}", fix)
