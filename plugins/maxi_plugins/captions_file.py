"""Files of captions, streamed: one a line, or a column of a CSV such as WebVid's; gzip or not."""

import csv
import gzip
import io
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from maxi_core.errors import UsageError
from maxi_core.texts import tidy

logger = logging.getLogger("maxi")

GZIP = b"\x1f\x8b"
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
WEBVID = "name"  # the column of WebVid's captions: videoid,contentUrl,duration,page_dir,name
SHOWN = 12  # columns that an error names


def read_captions(path: Path, column: str | None) -> Iterator[str]:
    """Yield the captions of a file, tidied, without the blank ones.

    With `column`, or if the file is called .csv or .tsv, it is a table with a header, and its column `name` if none is
    named; else each line is a caption. UTF-8, in which unreadable bytes are replaced, or UTF-16 with its mark. Raises
    UsageError for a file that cannot be read and for a column that it has not, with the columns that it has.
    """
    try:
        with _opened(path) as file:
            delimiter = DELIMITERS.get(_kind(path))
            table = column is not None or delimiter is not None
            texts = _cells(path, file, column or WEBVID, delimiter or ",") if table else iter(file)
            yield from filter(None, map(tidy, texts))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"{path} is cut or damaged: {error}", "get the file again") from None
    except OSError as error:
        raise UsageError(f"cannot read the captions {path}: {error.strerror or error}", "name a text file") from None


def _kind(path: Path) -> str:
    """Return the suffix that says what is in a file: .csv of `captions.csv.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
    with gzip.open(path) if packed else path.open("rb") as data:
        start = data.read(2)
        data.seek(0)
        yield io.TextIOWrapper(cast(BinaryIO, data), MARKS.get(start, "utf-8-sig"), errors="replace", newline="")


def _cells(path: Path, file: io.TextIOWrapper, column: str, delimiter: str) -> Iterator[str]:
    rows = csv.reader(file, delimiter=delimiter)
    short = 0
    try:
        header = [name.strip() for name in next(rows, [])]
        if column not in header:
            there = ", ".join(header[:SHOWN]) + (f" and {len(header) - SHOWN} more" if len(header) > SHOWN else "")
            raise UsageError(
                f"{path} has no column '{column}'; its columns are: {there or 'none'}",
                "type -o webvid.column=NAME",
            )
        place = header.index(column)
        for row in rows:
            if len(row) > place:
                yield row[place]
            elif row:
                short += 1
    except csv.Error as error:
        raise UsageError(f"{path}:{rows.line_num} is not CSV: {error}", "close the quotes in it") from None
    if short:
        logger.warning("%s: %d rows end before the column '%s' and are left out", path, short, column)
