"""Dictionaries of action names: from a text file, a labels CSV or a known name ."""

import csv
import io
import logging
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maxi_core.border import blamed
from maxi_core.errors import PluginError, UsageError, nearest
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.names import near_duplicates
from maxi_core.offers import Offer
from maxi_core.plugins import Catalog, discover
from maxi_core.texts import LONGEST, tidy
from maxi_core.types import Dictionary
from maxi_core.worlds import World

logger = logging.getLogger("maxi")

SHOWN = 3  # of a long list of findings, the log and the errors show these
_NAME = re.compile(r"[a-z0-9]")  # what a name begins with; anything else is a path
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_dictionary(name: str | Path, catalog: Catalog | None = None) -> Dictionary:
    """Return the dictionary of a file or of a known name.

    A file has one action a line, or is a CSV with the header `id,name`; UTF-8, or UTF-16 with its mark. Known names are
    those of the worlds and benchmarks of `catalog` (without one, of the installed plugins) that have a dictionary:
    `NAME`, or `NAME:N` and `NAME:N:SEED` for N of its entries at random, in their order (seed 0 if none is named).
    Entries are in NFC, blank ones are dropped. Raises UsageError for duplicates, with both lines, an empty dictionary,
    an unreadable file and an unknown name; logs a warning for near duplicates, a single entry and entries that are cut
    at 1,000 characters.
    """
    text, path = str(name), _path(name)
    entries = _known(text, catalog) if isinstance(name, str) else None
    if entries is None:
        entries = tuple(_checked(path, _lines(text, path, catalog)))
    elif path.is_file():
        raise UsageError(
            f"'{text}' is a known dictionary and also a file in this folder", f"type ./{text} for the file"
        )
    _warn(text, entries)
    return Dictionary(text, entries)


def _path(name: str | Path) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # the home folder of nobody
        raise UsageError(f"cannot find the dictionary {name}: {error}", "name a text file") from None


def is_dictionary(catalog: Catalog, text: str) -> bool:
    """Return whether `text` is the name of a dictionary, with or without `:N`."""
    return bool(_offers(catalog, text))


def _known(text: str, catalog: Catalog | None) -> tuple[str, ...] | None:
    """Return the entries of the dictionary of that name, or None if there is none."""
    found = _offers(catalog, text) if _NAME.match(text) else []
    if len(found) > 1:
        choices = " or ".join(offer.ref for offer, _ in found)
        raise PluginError(f"'{text}' is a dictionary of several plugins", f"write {choices}")
    for offer, parts in found:
        with blamed(offer.ref, "when it was asked for its dictionary"):
            entries = _of_plugin(offer.ref, offer.cls().dictionary())
        return entries if not parts else _drawn(text, entries, parts.split(":"))
    return None


def _offers(catalog: Catalog | None, text: str) -> list[tuple[Offer, str]]:
    """Return the (world or benchmark, what stands behind its name and a colon) whose dictionary `text` means."""
    having = [offer for offer in (discover() if catalog is None else catalog).offers if _has_dictionary(offer.cls)]
    by_ref = [(offer, text[len(offer.ref) + 1 :]) for offer in having if f"{text}:".startswith(f"{offer.ref}:")]
    return by_ref or [
        (offer, text[len(offer.name) + 1 :]) for offer in having if f"{text}:".startswith(f"{offer.name}:")
    ]


def _has_dictionary(cls: type) -> bool:
    return any(issubclass(cls, role) and cls.dictionary is not role.dictionary for role in (World, Benchmark))


def known_dictionaries(catalog: Catalog | None = None) -> list[str]:
    """Return the names of the dictionaries that need no file."""
    offers = (discover() if catalog is None else catalog).offers
    return sorted({offer.name for offer in offers if _has_dictionary(offer.cls)})


def _of_plugin(name: str, said: object) -> tuple[str, ...]:
    """Return the entries that a plugin gave; raises PluginError for what is no list of different names."""
    if not isinstance(said, (list, tuple)) or not all(isinstance(entry, str) and tidy(entry) for entry in said):
        raise PluginError(f"'{name}' gave {said!r:.80} for its dictionary, not a list of names")
    entries = tuple(tidy(entry) for entry in said)
    if not entries or len(set(entries)) < len(entries):
        raise PluginError(f"'{name}' gave a dictionary {'with a name twice' if entries else 'without any name'}")
    return entries


def _drawn(text: str, entries: tuple[str, ...], parts: list[str]) -> tuple[str, ...]:
    """Return N of the entries, drawn by SEED, in their order, for what stands behind the name: [N] or [N, SEED]."""
    family = text.removesuffix(":".join(["", *parts]))
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        example = f"type {family}:{min(200, len(entries))}"
        raise UsageError(f"'{text}' is not of the form {family}:N or {family}:N:SEED", example)
    count, seed = int(parts[0]), int(parts[1]) if len(parts) == 2 else 0
    if not 1 <= count <= len(entries):
        raise UsageError(f"'{text}' asks for {count} of {len(entries)} actions", f"N is 1 to {len(entries)}")
    chosen = random.Random(seed).sample(range(len(entries)), count)  # noqa: S311 (a draw, not a secret)
    return tuple(entries[index] for index in sorted(chosen))


def _lines(name: str, path: Path, catalog: Catalog | None) -> Iterator[tuple[int, str]]:
    """Yield (line number, entry as written)."""
    text = _decoded(name, path, catalog)
    file = io.StringIO(text, newline=None)  # every kind of line end
    yield from _rows(path, file) if _is_csv(text) else enumerate(file, 1)


def _decoded(name: str, path: Path, catalog: Catalog | None) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        known = known_dictionaries(catalog)
        near = nearest(name.partition(":")[0], known)
        raise UsageError(
            f"no dictionary '{name}'{near}: there is no such file, and the known names are {', '.join(known)}",
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
