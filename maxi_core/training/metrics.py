"""`metrics.jsonl`: one record per step, the same after a resume as of an unbroken run (method.md, files)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from maxi_core.errors import MaxiError
from maxi_core.files import write_lines

SCHEMA = 1

Report = Callable[[Mapping[str, Any]], None]


class MetricsFile:
    """Appends records; those after step `start`, which a stopped run wrote and which come again, are taken out first.

    Every record is also told to `reports`.
    """

    def __init__(self, path: Path, start: int = 0, reports: tuple[Report, ...] = ()) -> None:
        self._path, self._reports = path, reports
        write_lines(path, [json.dumps(record) for record in read_metrics(path) if record["step"] <= start])
        self._file: IO[str] | None = None

    def __enter__(self) -> "MetricsFile":
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record; raises MaxiError if it cannot be written."""
        assert self._file is not None
        try:
            self._file.write(json.dumps({"schema": SCHEMA, **record}) + "\n")
            self._file.flush()
        except OSError as error:
            raise MaxiError(f"cannot write {self._path}: {error.strerror or error}", "make room there") from error
        for report in self._reports:
            report(record)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a metrics file; a line that was cut off, and all after it, count as not there."""
    records: list[dict[str, Any]] = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            record = json.loads(line)
            record["step"]
        except (ValueError, KeyError, TypeError):
            break
        records.append(record)
    return records
