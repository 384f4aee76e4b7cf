"""Whether a file that somebody names can be read as lines of text, and how its text is quoted in a message."""

import os
import stat
from pathlib import Path

from maxi_core.errors import UsageError

HEAD = 1 << 16  # bytes that are looked at
QUOTED = 80  # characters
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def excerpt(text: str, most: int = QUOTED) -> str:
    """Return at most so many characters of a text for a message, in one line and without control characters."""
    short = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in short)


def check_regular(path: Path) -> None:
    """Raise UsageError if `path` is there and neither a folder nor an ordinary file: to read it might never end."""
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
        problem = not_text(path) if os.path.isfile(path) else ""  # noqa: PTH113 (which raises for names too long)
    except OSError:
        return
    if problem:
        fix = "unpack it first" if "compressed" in problem else "name a text file in UTF-8"
        raise UsageError(f"{path} is {what}: {problem}", fix)
