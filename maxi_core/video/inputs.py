"""Which videos: a folder, one file, or a list of any of the usual kinds becomes `Video`s with ids that stay."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.text_files import check_regular, check_text, excerpt, not_text
from maxi_core.types import Video
from maxi_core.video.folders import PassedOver, scan
from maxi_core.video.problems import VideoError
from maxi_core.video.roots import OutsideError, Root
from maxi_core.video.rows import Row, is_video_name, parse_list_line, read_rows, wrong

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
    source: Path | str,
    root: Path | str | None = None,
    clip_seconds: float | None = None,
    *,
    allow_outside_root: bool = False,
) -> VideoList:
    """Return the videos of a folder (recursive, sorted), of one file, or of a list (see `read_rows`).

    `sandbox-novel` and its like are the videos of the sandbox's benchmarks. Ids are paths relative to `root` (default:
    the folder itself, or the folder of the list), with `#t=start,end` behind them for a window in seconds.
    `clip_seconds` cuts every video that has no window of its own into windows. Whether the files of a list exist is
    seen when they are read. What a folder holds besides is logged, and a file that is no text is taken for a video.
    Raises UsageError, with the line, for anything that cannot be understood, leads out of the
    root (unless `allow_outside_root`), or has the id of another.
    """
    source = Path(source)
    if not os.path.exists(source):  # noqa: PTH110 (which raises for a name that is too long)
        raise UsageError(f"there is no folder, video or list at {source}", "correct the path")
    top = Path(root) if root is not None else (source if source.is_dir() else source.parent)
    if not os.path.isdir(top):  # noqa: PTH112 (which raises for a name that is too long)
        raise UsageError(f"the root {top} is not a folder", "correct --root")
    check_regular(source)
    place = Root(top, given=root is not None, allow_outside=allow_outside_root)
    if source.is_dir():
        videos = _in_folder(source, place, follow=allow_outside_root)
    elif is_video_name(source.name) or _is_video(source):
        videos = _one(source, place)
    else:
        check_text(source, "neither a video nor a list")
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
        yield Video(_with_window(video.id, start, end), video.path, start, end)


def _with_window(name: str, start: float | None, end: float | None) -> str:
    """Return the id of a window, in the notation of media fragments: `a.mp4#t=10,20`."""
    if start is None and end is None:
        return name
    return f"{name}#t={_short(start)}" + (f",{_short(end)}" if end is not None else "")


def _short(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}".rstrip("0").rstrip(".")


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


def _one(path: Path, root: Root) -> VideoList:
    name, place = root.place(str(path.absolute()))
    return VideoList(1, lambda: iter([Video(name, Path(place))]))


def _in_list(source: Path, root: Root) -> VideoList:
    seen: set[int] = set()  # hashes, since a million names weigh more
    count = 0
    for row in read_rows(source):
        count += 1
        try:
            name = _id(row, root.place(row.path)[0])
        except OutsideError as error:
            raise wrong(source, row.line, error.problem, error.fix) from None
        if hash(name) in seen:
            _refuse_twice(source, root, row.line, name)
        seen.add(hash(name))
    return VideoList(count, lambda: (_video(row, root) for row in read_rows(source)))


def _video(row: Row, root: Root) -> Video:
    name, path = root.place(row.path)
    return Video(_id(row, name), Path(path), row.start, row.end)


def _id(row: Row, name: str) -> str:
    return row.id or _with_window(name, row.start, row.end)


def _refuse_twice(source: Path, root: Root, line: int, name: str) -> None:
    """Raise UsageError if an earlier line has this very id; the set of hashes alone might be mistaken."""
    for row in read_rows(source):
        if row.line >= line:
            return
        if _id(row, root.place(row.path)[0]) == name:
            fix = "take one of them out, or give each its own id"
            raise wrong(source, line, f"the id '{excerpt(name)}' is already on line {row.line}", fix)
