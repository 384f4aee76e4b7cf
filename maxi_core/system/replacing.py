"""What a command may write over: what maxi has written there before, and never what is somebody's."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import check_replaceable
from maxi_core.system.locks import InUseError


def refuse_foreign(path: Path, mark: bytes, what: str, option: str, read: Iterable[Path] = ()) -> None:
    """Raise UsageError if writing `path` would lose what is somebody's: a file without the `mark` of maxi's own.

    `what` is what maxi writes there, `option` the flag that names it, `read` what the command reads. An empty file is
    nobody's.
    """
    another = f"choose another {option}"
    check_replaceable(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"name a file with {option}")
    if not path.is_file():
        return
    refuse_read(path, option, read)
    try:
        foreign = path.stat().st_size > 0 and not _holds(path, mark)
    except OSError as error:
        raise UsageError(f"{path} cannot be looked at: {error.strerror or error}", another) from None
    if foreign:
        raise UsageError(f"{path} has no mark of a {what} and would be overwritten", f"{another}, or delete it")


def refuse_read(path: Path, option: str, read: Iterable[Path]) -> None:
    """Raise UsageError if a file that is to be written is one that the command reads."""
    if path.is_file() and any(path.samefile(one) for one in read if one.is_file()):
        raise UsageError(f"{path} is read by this command, and would be overwritten", f"choose another {option}")


def _holds(path: Path, mark: bytes) -> bool:
    """Whether a file holds some bytes; it may be a film of any size."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(mark) >= 0


def refuse_foreign_files(
    folder: Path, names: Iterable[str], who: str, fix: str = "choose another --out, or add --overwrite to lose it"
) -> None:
    """Raise UsageError if there are files of these names in a folder that `who` has not made, or links."""
    for name in names:
        check_replaceable(folder / name)
        if (path := folder / name).is_file() and path.stat().st_size:
            raise UsageError(f"{path} was not written by {who}, and would be overwritten", fix)


@contextmanager
def nothing_left_if_refused(folder: Path, begun: Collection[str]) -> Iterator[None]:
    """Take back what a command has made in a folder, and the folders that it made for it, if a MaxiError ends it.

    It is left where more than files called `begun` have come into it, and where another process has it.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]  # the innermost first
    before = _names_in(folder)
    try:
        yield
    except InUseError:
        raise
    except MaxiError:
        made = _names_in(folder) - before
        if made <= set(begun):
            for name in made:
                (folder / name).unlink()
            for one in missing:
                with suppress(OSError):  # it was not made, or is shared by now
                    one.rmdir()
        raise


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def refuse_among_videos(folder: Path) -> None:
    """Raise UsageError if there are videos right in a folder that is to become a run."""
    from maxi_core.video.lists import is_video_name

    found = next((one.name for one in folder.iterdir() if is_video_name(one.name)), None) if folder.is_dir() else None
    if found is not None:
        what = f"{folder} holds videos, such as {found}, and nothing is written beside videos"
        raise UsageError(what, "choose another --out")


def refuse_beside(folder: Path, videos: Iterable[Path]) -> None:
    """Raise UsageError if a folder to write into is one of videos: `videos` are folders, or single files."""
    for path in videos:
        if path.exists() and folder.is_dir() and folder.samefile(path if path.is_dir() else path.parent):
            raise UsageError(
                f"{folder} is the folder of the videos, and nothing is written there", "choose another --out"
            )
