"""Videos that were left out: one record each in `skipped.jsonl`, and the end of a run that loses too many."""

import json
from pathlib import Path

from maxi_core.errors import ExitCode, MaxiError
from maxi_core.secrets import without_secrets
from maxi_core.types import Failed
from maxi_core.video.problems import VideoFailed

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


class SkipLog:
    """Counts videos as they are used or left out, writes a record of each of the latter, and says when to stop.

    `most` is how many may be left out (None: any number, unless nothing but failures come).
    """

    def __init__(self, path: Path | None, most: int | None, stage: str) -> None:
        self._path, self._most, self._stage = path, most, stage
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
            raise self._error(f"more than --max-skipped {self._most} videos could not be used")
        if self.used == 0 and self.skipped == HOPELESS:
            raise self._error(f"the first {HOPELESS} videos could not be used")

    def finish(self) -> None:
        """Raise TooManySkippedError if there were videos and not one of them could be used."""
        if self.used == 0 and self.skipped:
            raise self._error(f"not one of {self.skipped} videos could be used")

    def _append(self, line: str) -> None:
        assert self._path is not None
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise MaxiError(f"cannot write {self._path} ({len(line)} bytes): {error.strerror or error}") from error

    def _error(self, what: str) -> TooManySkippedError:
        reasons = "; ".join(self._first)
        code = ExitCode.SKIPPED if self.used else ExitCode.FAILED
        return TooManySkippedError(f"{what}, the first: {reasons}", "look at all with: maxi check VIDEOS", code)
