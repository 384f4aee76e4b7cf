"""Why a video cannot be read, in one line that a user can act on."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from maxi_core.errors import MaxiError
from maxi_core.types import Failed

AGAIN = "get the file again, or take it off the list"


class VideoError(MaxiError):
    """One video cannot be read; `kind` is a short name of the problem that stays the same from one release to the next.

    Decoders raise it; the reader turns it into a `VideoFailed`.
    """

    def __init__(self, kind: str, problem: str, fix: str = AGAIN) -> None:
        super().__init__(problem, fix)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class VideoFailed(Failed):
    """The answer for a video that cannot be read: `reason`, its short name `error`, what to do, and who decoded."""

    error: str = ""
    fix: str = ""
    decoder: str = ""


def check_file(path: Path) -> None:
    """Raise `VideoError` if `path` is not a readable file with something in it."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(error) from error
    except ValueError as error:  # a NUL in the name
        raise VideoError("missing", f"this cannot be the name of a file ({error})") from error
    if stat.S_ISDIR(found.st_mode):
        raise VideoError("folder", "this is a folder, not a video", "name the files in it, or the folder above it")
    if not stat.S_ISREG(found.st_mode):
        raise VideoError("not-a-file", "this is not an ordinary file", "take it off the list")
    if not os.access(path, os.R_OK):
        raise _unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    if found.st_size == 0:
        raise VideoError("empty", "the file is empty (0 bytes)")


def _unreadable(error: OSError) -> VideoError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return VideoError("missing", "no such file", "correct the path, or take it off the list")
    if isinstance(error, PermissionError):
        return VideoError("permission", "no permission to read the file", "chmod u+r it, or ask its owner")
    return VideoError("unreadable", f"the file cannot be read ({os.strerror(error.errno or 0)})")


def not_a_video(path: Path) -> VideoError:
    """Return the error for a file that no demuxer opens, after a look at how it begins."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return VideoError("unfinished", "this MP4 has no usable index (moov): it was cut short or never finished")
    if head[:4] in (b"RIFF", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba") or head[:1] == b"G":
        return VideoError("damaged", "the beginning of this video is damaged or cut off")
    if _is_text(head):
        return VideoError("not-a-video", "this is a text file, not a video")
    return VideoError("not-a-video", "this is not a video in any format that FFmpeg knows")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict") if len(head) < 4096 else head.decode("utf-8", errors="ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)
