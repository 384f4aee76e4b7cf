"""Dictionaries of action names: from a text file, a labels CSV or a known name (SPEC sections 3 and 11)."""

import csv
import io
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from maxi_core.errors import UsageError, nearest
from maxi_core.names import near_duplicates
from maxi_core.texts import LONGEST, tidy
from maxi_core.types import Dictionary

logger = logging.getLogger("maxi")

SHOWN = 3  # of a long list of findings, the log and the errors show these
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_dictionary(name: str | Path) -> Dictionary:
    """Return the dictionary of a file or of a known name.

    A file has one action a line, or is a CSV with the header `id,name`; UTF-8, or UTF-16 with its mark. Known names are
    `kinetics400`, `kinetics400:N` and `kinetics400:N:SEED` (N of the 400 at random, in their order; seed 0 if none is
    named) and `sandbox`. Entries are in NFC, blank ones are dropped. Raises UsageError for duplicates, with both lines,
    an empty dictionary, an unreadable file and an unknown name; logs a warning for near duplicates, a single entry and
    entries that are cut at 1,000 characters.
    """
    text, path = str(name), _path(name)
    family = text.partition(":")[0]
    if isinstance(name, str) and family in KNOWN:
        if path.is_file():
            raise UsageError(
                f"'{text}' is a known dictionary and also a file in this folder", f"type ./{text} for the file"
            )
        entries = KNOWN[family](text)
    else:
        entries = tuple(_checked(path, _lines(text, path)))
    _warn(text, entries)
    return Dictionary(text, entries)


def _path(name: str | Path) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # the home folder of nobody
        raise UsageError(f"cannot find the dictionary {name}: {error}", "name a text file") from None


def _kinetics400(name: str) -> tuple[str, ...]:
    from torchvision.models import get_weight

    actions = tuple(get_weight("R3D_18_Weights.KINETICS400_V1").meta["categories"])
    parts = name.split(":")[1:]
    if not parts:
        return actions
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"'{name}' is not of the form kinetics400:N or kinetics400:N:SEED", "type kinetics400:200")
    count, seed = int(parts[0]), int(parts[1]) if len(parts) == 2 else 0
    if not 1 <= count <= len(actions):
        raise UsageError(f"'{name}' asks for {count} of {len(actions)} actions", f"N is 1 to {len(actions)}")
    chosen = random.Random(seed).sample(range(len(actions)), count)  # noqa: S311 (a draw, not a secret)
    return tuple(actions[index] for index in sorted(chosen))


def _sandbox(name: str) -> tuple[str, ...]:
    from maxi_core import sandbox

    if name != "sandbox":
        raise UsageError(f"'{name}': the sandbox's dictionary has no parts", "type sandbox")
    return sandbox.dictionary()


KNOWN: dict[str, Callable[[str], tuple[str, ...]]] = {"kinetics400": _kinetics400, "sandbox": _sandbox}


def _lines(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, entry as written)."""
    text = _decoded(name, path)
    file = io.StringIO(text, newline=None)  # every kind of line end
    yield from _rows(path, file) if _is_csv(text) else enumerate(file, 1)


def _decoded(name: str, path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        known = nearest(name.partition(":")[0], KNOWN)
        raise UsageError(
            f"no dictionary '{name}'{known}: there is no such file, and the known names are {', '.join(KNOWN)}",
            "name a text file with one action a line",
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the dictionary {path}: {why}", "name a text file") from None
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line} is not {encoding.upper()} text", "save it as UTF-8") from None


def _is_csv(text: str) -> bool:
    header = text.partition("\n")[0]
    return [cell.strip().strip('"').lower() for cell in header.split(",")] == ["id", "name"]


def _rows(path: Path, file: io.StringIO) -> Iterator[tuple[int, str]]:
    reader = csv.reader(file, strict=True)
    next(reader)
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != 2:
                raise UsageError(
                    f"{path}:{reader.line_num} has {len(row)} columns instead of id,name",
                    "put a name that holds a comma in double quotes",
                )
            yield reader.line_num, row[1]
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num} is not CSV: {error}") from None


def _checked(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """Yield the entries, tidied; raises UsageError for exact duplicates and when there is none at all."""
    seen: dict[str, int] = {}
    cut = []
    for number, written in lines:
        entry = tidy(written)
        if not entry:
            continue
        if entry in seen:
            raise UsageError(f"{path} has '{entry}' twice, in lines {seen[entry]} and {number}", "remove one of them")
        if len(entry) == LONGEST and len(written.strip()) > LONGEST:
            cut.append(str(number))
        seen[entry] = number
        yield entry
    if not seen:
        raise UsageError(f"the dictionary {path} is empty", "put one action a line into it")
    if cut:
        logger.warning("%s: cut at %d characters: line %s", path, LONGEST, _some(cut))


def _warn(name: str, entries: Sequence[str]) -> None:
    if len(entries) == 1:
        logger.warning("dictionary %s has one entry: every video will match '%s'", name, entries[0])
    pairs = [f"'{first}' and '{second}'" for first, second in near_duplicates(entries)]
    if pairs:
        logger.warning("dictionary %s: entries that differ only in spelling or number: %s", name, _some(pairs))


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
