"""Dictionaries of action names: from a file of class names or a known name, and how the names go to the models."""

import logging
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from maxi_core.class_lists import FIX, ClassList, read_class_list
from maxi_core.errors import PluginError, UsageError, nearest
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.catalog import Catalog, Offer, discover
from maxi_core.plugin.roles import World
from maxi_core.system.remote import RemotePath, as_path
from maxi_core.system.urls import is_remote
from maxi_core.texts import AND_MORE, LONGEST, Spelling, counted, first_few, near_duplicates, spell, tidy
from maxi_core.types import Dictionary

logger = logging.getLogger("maxi")

KEEP = "--names written leaves them as they are"
_NAME = re.compile(r"[a-z0-9]")  # what a name begins with; anything else is a path


def read_dictionary(name: str | Path, catalog: Catalog | None = None) -> Dictionary:
    """Return the dictionary of a file or of a known name.

    A file has one of the forms of `read_class_list`. Known names are those of the worlds and benchmarks of `catalog`
    (without one, of the installed plugins) that have a dictionary: `NAME`, or `NAME:N` and `NAME:N:SEED` for N of its
    entries at random, in their order (seed 0 if none is named). Entries are as written, in NFC; blank ones are dropped.
    Raises UsageError for duplicates, with both lines, an empty dictionary, an unreadable file and an unknown name; logs
    a warning for near duplicates, a single entry and entries that are cut at 1,000 characters.
    """
    path = _path(name)
    text = str(path) if isinstance(path, RemotePath) else str(name)
    entries = _known(text, catalog) if isinstance(name, str) else None
    if entries is None:
        if not _may_exist(path):
            _refuse_unknown(text, catalog)
        entries = _checked(read_class_list(path))
    elif path.is_file():
        raise UsageError(
            f"'{text}' is a known dictionary and also a file in this folder", f"type ./{text} for the file"
        )
    _warn(text, entries)
    return Dictionary(text, entries)


def _path(name: str | Path) -> Path:
    try:
        return as_path(name) if is_remote(name) else Path(name).expanduser()
    except RuntimeError as error:  # the home folder of nobody
        raise UsageError(f"cannot find the dictionary {name}: {error}", "name a text file") from None


def _may_exist(path: Path) -> bool:
    try:
        return isinstance(path, RemotePath) or path.exists()
    except OSError:  # reading it says why
        return True


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
        raise UsageError(f"'{text}' asks for {count} of {counted(len(entries), 'action')}", f"N is 1 to {len(entries)}")
    chosen = random.Random(seed).sample(range(len(entries)), count)  # noqa: S311 (a draw, not a secret)
    return tuple(entries[index] for index in sorted(chosen))


def _refuse_unknown(name: str, catalog: Catalog | None) -> NoReturn:
    known = known_dictionaries(catalog)
    near = nearest(name.partition(":")[0], known)
    raise UsageError(
        f"no dictionary '{name}'{near}: there is no such file, and the known names are {', '.join(known)}",
        "name a text file with one action a line",
    )


def _checked(listed: ClassList) -> tuple[str, ...]:
    """Return the entries, tidied; raises UsageError for exact duplicates and when there is none at all."""
    seen: dict[str, int] = {}
    cut = []
    for one in listed.names:
        entry = tidy(one.name)
        if not entry:
            continue
        if entry in seen:
            where = f"{'entries' if listed.unit == 'entry' else 'lines'} {seen[entry]} and {one.place}"
            raise UsageError(f"{listed.path} has '{entry}' twice, in {where}", "remove one of them")
        if len(entry) == LONGEST and len(one.name.strip()) > LONGEST:
            cut.append(str(one.place))
        seen[entry] = one.place
    if not seen:
        raise UsageError(f"the dictionary {listed.path} is empty, or has nothing but comments", FIX)
    if cut:
        some = first_few(cut, rest=AND_MORE)
        logger.warning("%s: cut at %d characters: %s %s", listed.path, LONGEST, listed.unit, some)
    return tuple(seen)


def spelt(dictionary: Dictionary, spelling: Spelling) -> Dictionary:
    """Return a dictionary whose names are spelt so (`maxi_core.texts.spell`); says in one warning which change.

    Raises UsageError for two names that are then one.
    """
    entries = spell(dictionary.entries, spelling)
    changed = [pair for pair in zip(dictionary.entries, entries, strict=True) if pair[0] != pair[1]]
    if not changed:
        return dictionary
    if len(set(entries)) < len(entries):
        twice = next(entry for place, entry in enumerate(entries) if entry in entries[:place])
        both = [f"'{name}'" for name, entry in zip(dictionary.entries, entries, strict=True) if entry == twice]
        raise UsageError(f"{dictionary.name}: {' and '.join(both)} are one name with their words apart", KEEP)
    logger.warning(
        "dictionary %s: %d of %s are matched with their words apart, such as '%s' for '%s' (%s)",
        *(dictionary.name, len(changed), counted(len(entries), "name"), *reversed(changed[0]), KEEP),
    )
    return Dictionary(dictionary.name, entries)


def _warn(name: str, entries: Sequence[str]) -> None:
    if len(entries) == 1:
        logger.warning("dictionary %s has one entry: every video will match '%s'", name, entries[0])
    pairs = [f"'{first}' and '{second}'" for first, second in near_duplicates(entries)]
    if pairs:
        some = first_few(pairs, rest=AND_MORE)
        logger.warning("dictionary %s: entries that differ only in spelling or number: %s", name, some)
