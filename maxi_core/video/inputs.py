"""Which videos: a folder, one file, or a list of any of the usual kinds becomes `Video`s with ids that stay."""

import hashlib
import logging
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain, islice, pairwise
from pathlib import Path, PurePosixPath

from maxi_core.errors import NothingError, UsageError
from maxi_core.system.remote import RemotePath, as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.text_files import check_regular, check_text, excerpt, not_text
from maxi_core.types import Video
from maxi_core.video.annotations import is_annotations, split_subset
from maxi_core.video.archives import archive_of, is_archive, is_file, video_exists
from maxi_core.video.folders import OutsideError, PassedOver, Root, scan, videos_in
from maxi_core.video.lists import Row, is_video_name, parse_list_line, read_rows, wrong
from maxi_core.video.skips import VideoError

log = logging.getLogger("maxi")

MANY = 100_000  # ids, from which on sorting them is worth the import of NumPy

__all__ = ["VideoList", "find_videos", "parse_list_line"]


class VideoList:
    """The videos of a run: their number is known, and they can be gone through any number of times.

    A list of a million lines is checked once and then read from its file as it is needed, not held in memory. `since`
    goes through them from a place on, where that can be done without all before it. `watched` are the files and folders
    that decide which videos they are, each in the state it had (`state_of`); None if that cannot be said.
    """

    def __init__(
        self,
        count: int,
        make: Callable[[], Iterator[Video]],
        *,
        since: Callable[[int], Iterator[Video]] | None = None,
        watched: Mapping[str, list[int]] | None = None,
        checksum: str = "",
    ) -> None:
        self._count, self._make, self._since = count, make, since
        self.watched = watched
        if checksum:
            self.checksum = checksum

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Video]:
        return self._make()

    def part(self, start: int, stop: int) -> "VideoList":
        """Return the videos from one place to before another."""
        since = self._since or (lambda place: islice(self._make(), place, None))
        return VideoList(stop - start, lambda: islice(since(start), stop - start))

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 over the ids and windows, in their order."""
        seen = hashlib.sha256()
        for video in self:
            seen.update(checksummed(video))
        return seen.hexdigest()


def checksummed(video: Video) -> bytes:
    """Return what of a video the checksum of a list is taken of."""
    return f"{video.id}\0{video.start}\0{video.end}\n".encode(errors="surrogatepass")


def state_of(path: Path | str) -> list[int]:
    """Return size and time of the last change of a file or folder; raises OSError."""
    found = os.stat(path)  # noqa: PTH116 (of a string: there may be many)
    return [found.st_size, found.st_mtime_ns]


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
            videos = _several([as_path(one) for one in source], root, allow_outside_root)
            return videos if clip_seconds is None else cut(videos, clip_seconds)
        source = source[0]
    source = as_path(source)
    check_regular(source)
    file = split_subset(source)[0]
    if isinstance(file, RemotePath):
        _check_remote(file)
    elif not os.path.exists(file) and not video_exists(source):  # noqa: PTH110 (which raises for names too long)
        raise UsageError(f"there is no folder, video or list at {source}", "correct the path")
    place = _root_of(source, root, allow_outside=allow_outside_root)
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


def _root_of(source: Path, root: Path | str | None, *, allow_outside: bool) -> Root:
    """Return the folder that ids start from; raises UsageError for a given one that is none."""
    top = as_path(root) if root is not None else (source if source.is_dir() else (archive_of(source) or source).parent)
    if not isinstance(top, RemotePath) and not os.path.isdir(top) and not is_archive(top):  # noqa: PTH112 (which raises for a name that is too long)
        raise UsageError(f"the root {top} is not a folder", "correct --root")
    return Root(top, given=root is not None, allow_outside=allow_outside)


def _check_remote(path: RemotePath) -> None:
    """Raise RemoteError if nothing is at a URL, nor in an archive that it leads into."""
    try:
        path.state(fresh=True)
    except RemoteError as error:
        if error.kind != "missing" or not video_exists(path):
            raise


def cut(videos: Iterable[Video], clip_seconds: float) -> VideoList:
    """Cut videos into windows of `clip_seconds`; less than half a window at the end stays with the one before.

    The last window has no end, so no frame is lost to a length that was rounded. A video that cannot be opened stays
    whole: reading it says why. Opens every file, and imports PyAV.
    """
    windows = [window for video in videos for window in _windows(video, clip_seconds)]
    watched = videos.watched if isinstance(videos, VideoList) else None
    return VideoList(len(windows), lambda: iter(windows), watched=watched)


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
    if not sources:
        raise NothingError("no videos are named", "name a folder, a list, or the videos")
    lists = [path for path in sources if is_annotations(path) or _is_list(path)]
    if lists and len(lists) < len(sources):
        raise UsageError(f"{lists[0]} is no video", "name videos and folders together, and a list by itself")
    if root is None and not lists:
        if len({path.parts[:2] if isinstance(path, RemotePath) else () for path in sources}) > 1:
            raise UsageError("videos of several servers cannot be named together", "name a list of them")
        root = os.path.commonpath([path.absolute() if path.is_dir() else path.absolute().parent for path in sources])
    parts = [find_videos(path, root, allow_outside_root=allow_outside) for path in sources]
    count = Counter(video.id for part in parts for video in part)
    if twice := [name for name, times in count.items() if times > 1]:
        raise UsageError(f"the video '{excerpt(twice[0])}' is named twice", "name it once")
    states = [part.watched for part in parts]
    watched = None if None in states else {path: state for part in states if part for path, state in part.items()}
    if lists:
        return VideoList(count.total(), lambda: chain.from_iterable(parts), watched=watched)
    videos = sorted(chain.from_iterable(parts), key=lambda video: video.id)
    return VideoList(len(videos), lambda: iter(videos), watched=watched)


def _in_folder(folder: Path, root: Root, *, follow: bool) -> VideoList:
    try:
        prefix = folder.absolute().relative_to(root.folder.absolute())
    except ValueError:
        raise UsageError(f"the folder {folder} is not in the root {root.folder}", "correct --root") from None
    passed = PassedOver()
    names = scan(folder, root, follow=follow, passed=passed)
    if str(passed):
        log.warning("%s: passed over %s", excerpt(str(folder), 300), passed)
    top = folder.absolute()
    return VideoList(
        len(names), lambda: (Video(str(prefix / name), top / name) for name in names), watched=passed.watched or None
    )


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
    return is_file(path) and not is_archive(path) and not _is_named_or_video(path)


def _in_archive(archive: Path, root: Root) -> VideoList:
    passed, watched = PassedOver(), _watched(archive)
    names = videos_in(archive, passed)
    if str(passed):
        log.warning("%s: passed over %s", excerpt(str(archive), 300), passed)
    prefix, place = root.place(str(archive.absolute()))
    return VideoList(
        len(names), lambda: (Video(f"{prefix}/{name}", as_path(place) / name) for name in names), watched=watched
    )


def _watched(path: Path) -> dict[str, list[int]] | None:
    try:
        return {str(path): state_of(path)}
    except OSError:  # whoever reads it says so
        return None


def _one(path: Path, root: Root) -> VideoList:
    name, place = root.place(str(path.absolute()))
    return VideoList(1, lambda: iter([Video(name, as_path(place))]), watched={})


def _in_list(source: Path, root: Root) -> VideoList:
    seen = array("q")  # hashes of the ids: ten million are 80 MB
    rows, watched = partial(read_rows, source), _watched(source)
    if is_annotations(source):  # read at once, and with ids that files have yet to be found for
        files, watched = _Files(root), None
        held = [_found(row, files) for row in rows()]
        rows = partial(iter, held)
    for row in rows():
        try:
            seen.append(hash(_id(row, root.place(row.path)[0])))
        except OutsideError as error:
            raise wrong(source, row.line, error.problem, error.fix) from None
    if twice := _repeated(seen):
        _refuse_twice(source, root, twice, rows())
    return VideoList(len(seen), lambda: (_video(row, root) for row in rows()), watched=watched)


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
    return Video(_id(row, name), as_path(path), row.start, row.end)


def _id(row: Row, name: str) -> str:
    return row.id or with_window(name, row.start, row.end)


def _repeated(numbers: "array[int]") -> frozenset[int]:
    if len(numbers) < MANY:
        ordered = sorted(numbers)
        return frozenset(one for one, after in pairwise(ordered) if one == after)
    import numpy as np

    held = np.sort(np.frombuffer(numbers, np.int64))
    return frozenset(held[1:][held[1:] == held[:-1]].tolist())


def _refuse_twice(source: Path, root: Root, hashes: frozenset[int], rows: Iterable[Row]) -> None:
    """Raise UsageError if two lines have one id; the `hashes` of ids that are equal alone might be mistaken."""
    seen: dict[str, int] = {}
    for row in rows:
        name = _id(row, root.place(row.path)[0])
        if hash(name) not in hashes:
            continue
        if name in seen:
            fix = "take one of them out, or give each its own id"
            raise wrong(source, row.line, f"the id '{excerpt(name)}' is already on line {seen[name]}", fix)
        seen[name] = row.line
