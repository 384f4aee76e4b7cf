"""Text files that somebody names: whether they can be read as lines, their text, and how it is quoted in a message."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError
from maxi_core.system.urls import is_remote

HEAD = 1 << 16  # bytes that are looked at
QUOTED = 80  # characters
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c")
PICKLES = (".pkl", ".pickle")
_MARKS = {  # the longer ones first: UTF-32's begins with UTF-16's
    **{b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xef\xbb\xbf": "utf-8-sig"},
    **{b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"},
}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def excerpt(text: str, most: int = QUOTED) -> str:
    """Return at most so many characters of a text for a message, in one line and without control characters."""
    short = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in short)


def check_regular(path: Path) -> None:
    """Raise UsageError if `path` is there and neither a folder nor an ordinary file: to read it might never end.

    A pickle is refused too: reading it may run whatever its author liked.
    """
    if path.suffix.lower() in PICKLES:
        raise UsageError(f"{path} is a pickle, and those may run code", "write it as JSON, CSV or a list of lines")
    if is_remote(path):
        return  # neither pipe nor device
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        return  # whoever opens it says so
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        what = KINDS.get(kind, "something else")
        raise UsageError(f"{path} is {what} and not an ordinary file", "write what it gives into a file, and name that")


def not_text(path: Path) -> str:
    """Return in words why an ordinary file is no text in UTF-8, by how it begins; an empty string if it may be.

    Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(COMPRESSED):
        return "it is compressed"
    if head.startswith(UTF_16):
        return "it is UTF-16 and not UTF-8"
    return "it holds NUL bytes, as no text does" if b"\0" in head else ""


def check_text(path: Path, what: str = "no list or table") -> None:
    """Raise UsageError that says `what` it is if `path` can be no text; whether it can be opened is seen when it is."""
    check_regular(path)
    try:
        there = is_remote(path) or os.path.isfile(path)  # noqa: PTH113 (which raises for names too long)
        problem = not_text(path) if there else ""
    except UsageError:  # of a server
        raise
    except OSError:
        return
    if problem:
        fix = "unpack it first" if "compressed" in problem else "name a text file in UTF-8"
        raise UsageError(f"{path} is {what}: {problem}", fix)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the TOML document in a file; raises UsageError that names the file, and the line, for anything else."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path} is not TOML: it is nested too deeply", "correct the file") from None
    except ValueError as error:  # also for a number of thousands of digits
        why = str(error).partition(";")[0]
        raise UsageError(f"{path} is not TOML: {why}", "correct the file") from None


def read_text(path: Path) -> str:
    """Return a text file that somebody wrote: UTF-8, or UTF-16 and UTF-32 with their mark; without the mark.

    Raises UsageError that names the file, and the line, for one that cannot be read or is no text.
    """
    check_regular(path)
    try:
        data = path.read_bytes()
    except UsageError:  # of a server
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {why}", "name a text file") from None
    if data.startswith(COMPRESSED):
        raise UsageError(f"{path} is no text file: it is compressed", "unpack it first")
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is not {encoding.upper()} text", "save it as UTF-8") from None
    if "\0" in text:
        raise UsageError(f"{path} is not a text file: it holds NUL bytes", "save it as UTF-8 text")
    return text
