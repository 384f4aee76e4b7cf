"""Videos that were left out: one record each in `skipped.jsonl`, and the end of a run that loses too many."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maxi_core.errors import ExitCode, MaxiError, UsageError
from maxi_core.system.remote import RemotePath
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.secrets import without_secrets
from maxi_core.texts import counted
from maxi_core.types import Failed
from maxi_core.video.archives import archive_of, open_video, video_size

# Why a video cannot be read, in one line that a user can act on.

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
    """Raise `VideoError` if `path` is not a readable file with something in it, or the like in an archive."""
    try:
        archive = archive_of(path)
    except RemoteError as error:
        raise _unreadable(error) from error
    if archive is not None:
        check_file(archive)
        try:
            size = video_size(path)
        except OSError as error:
            raise _unreadable(error) from error
        except UsageError as error:
            raise VideoError("damaged", error.problem, error.fix) from error
        if size == 0:
            raise VideoError("empty", "the file is empty (0 bytes)")
        return
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
    if not isinstance(path, RemotePath) and not os.access(path, os.R_OK):
        raise _unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    if found.st_size == 0:
        raise VideoError("empty", "the file is empty (0 bytes)")


def _unreadable(error: OSError) -> VideoError:
    if isinstance(error, RemoteError):
        return VideoError(error.kind, error.problem, error.fix)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return VideoError("missing", "no such file", "correct the path, or take it off the list")
    if isinstance(error, PermissionError):
        return VideoError("permission", "no permission to read the file", "chmod u+r it, or ask its owner")
    return VideoError("unreadable", f"the file cannot be read ({os.strerror(error.errno or 0)})")


def not_a_video(path: Path) -> VideoError:
    """Return the error for a file that no demuxer opens, after a look at how it begins."""
    with open_video(path) as file:
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


SCHEMA = 1
HOPELESS = 50  # videos that fail before any is read: then the rest are not going to be better


class TooManySkippedError(MaxiError):
    """More videos were left out than allowed; `exit_code` is FAILED if not one could be used, else SKIPPED."""

    def __init__(self, problem: str, fix: str, exit_code: ExitCode) -> None:
        super().__init__(problem, fix)
        self.exit_code = exit_code


def skip_record(video: str, failed: Failed, stage: str, source: str = "") -> dict[str, object]:
    """Return the record of one video that `stage` (bags, train, ...) left out; `source` is the plugin, if one did."""
    error, decoder = (failed.error, failed.decoder) if isinstance(failed, VideoFailed) else ("failed", "")
    return {
        "schema": SCHEMA,
        "video": video,
        "stage": stage,
        "source": source,
        "error": error,
        "message": without_secrets(failed.reason),
        "decoder": decoder,
    }


def to_line(record: dict[str, object]) -> str:
    """Return a record as one line of JSON in UTF-8; a name that is not UTF-8 is written in escapes."""
    line = json.dumps(record, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(record)


def grouped(records: Iterable[Mapping[str, object]], most: int = 5) -> list[str]:
    """Return what was left out, by stage, source and reason: the `most` largest groups in a line each, then the rest.

    A video that cannot be read is known by the short name of its problem, all else by its message.
    """
    groups: dict[tuple[str, ...], list[Mapping[str, object]]] = {}
    for record in records:
        error, message = str(record.get("error")), str(record.get("message"))
        reason = message.replace(str(record.get("video")), "...") if error == "failed" else error
        groups.setdefault((str(record.get("stage")), str(record.get("source")), reason), []).append(record)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines = [
        f"skipped at {stage}{f' by {source}' if source else ''}: {len(found)} x {found[0].get('message')}"
        f" ({found[0].get('video')}{', ...' if len(found) > 1 else ''})"
        for (stage, source, _), found in ordered[:most]
    ]
    rest = ordered[most:]
    return lines + (
        [f"... and {sum(len(found) for _, found in rest)} more for {counted(len(rest), 'reason')}"] if rest else []
    )


class SkipLog:
    """Counts videos as they are used or left out, writes a record of each of the latter, and says when to stop.

    `most` is how many may be left out (None: any number, unless nothing but failures come), `what` what is counted.
    """

    def __init__(self, path: Path | None, most: int | None, stage: str, what: str = "videos") -> None:
        self._path, self._most, self._stage, self._what = path, most, stage, what
        self._first: list[str] = []
        self.used = 0
        self.skipped = 0

    def use(self) -> None:
        """Count one video that could be used."""
        self.used += 1

    def skip(self, video: str, failed: Failed, source: str = "") -> None:
        """Record one video that was left out; raises TooManySkippedError when there are too many."""
        self.skipped += 1
        if len(self._first) < 3:
            self._first.append(f"{video}: {failed.reason}")
        if self._path is not None:
            self._append(to_line(skip_record(video, failed, self._stage, source)))
        if self._most is not None and self.skipped > self._most:
            raise self._error(f"more {self._what} than --max-skipped {self._most} could not be used")
        if self.used == 0 and self.skipped == HOPELESS:
            raise self._error(f"the first {HOPELESS} videos could not be used")

    def finish(self) -> None:
        """Raise TooManySkippedError if there were videos and not one of them could be used."""
        if self.used == 0 and self.skipped:
            raise self._error(f"not one of {counted(self.skipped, 'video')} could be used")

    def _append(self, line: str) -> None:
        assert self._path is not None
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise MaxiError(
                f"cannot write {self._path} ({counted(len(line), 'byte')}): {error.strerror or error}"
            ) from error

    def _error(self, what: str) -> TooManySkippedError:
        reasons = "; ".join(self._first)
        code = ExitCode.SKIPPED if self.used else ExitCode.FAILED
        return TooManySkippedError(f"{what}, the first: {reasons}", "look at all with: maxi check VIDEOS", code)
