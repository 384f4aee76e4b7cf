"""Names of actions that are written differently in different files: when two are the same, and which two are."""

from collections.abc import Iterable, Iterator, Sequence

from maxi_core.errors import UsageError

SHOWN = 3
_SHORTEST_PLURAL = 4  # letters; shorter words that end in s are mostly no plurals (gas, bus)


def name_key(name: str) -> str:
    """Return what is left of a name without case, spaces and punctuation: `ApplyEyeMakeup` is `apply eye_makeup`."""
    key = name.casefold().replace(" ", "")
    return key if key.isalnum() else "".join(filter(str.isalnum, key))


def near_duplicates(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs (earlier, later) of names that differ only in case, punctuation or the plural of a word."""
    seen: dict[str, str] = {}
    for name in names:
        key = name_key(" ".join(_singular(word) for word in name.casefold().replace("_", " ").split()))
        if not key:  # all punctuation: nothing to compare
            continue
        if key in seen:
            yield seen[key], name
        else:
            seen[key] = name


def _singular(word: str) -> str:
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-1]


def align_names(ours: Iterable[str], theirs: Iterable[str], *, our_side: str, their_side: str) -> dict[str, str]:
    """Return {name of ours: the same name as they write it}, for all of ours, whatever the order and spelling.

    Names are the same if their `name_key` is. Raises UsageError that shows both sides if one of ours has no partner, or
    if two names on one side cannot be told apart; what only they have is left out.
    """
    partners = _by_key(theirs, their_side)
    mine = _by_key(ours, our_side)
    missing = [name for key, name in mine.items() if key not in partners]
    if missing:
        extra = [name for key, name in partners.items() if key not in mine]
        raise UsageError(
            f"{len(missing)} names of {our_side} are not in {their_side}: {_quoted(missing)}"
            f" (only in {their_side}: {_quoted(extra) or 'none'})",
            "correct the names: case, spaces and punctuation do not matter",
        )
    return {name: partners[key] for key, name in mine.items()}


def _by_key(names: Iterable[str], side: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        key = name_key(name) or name
        if key in found:
            raise UsageError(f"{side} has '{found[key]}' and '{name}', which differ only in spelling", "rename one")
        found[key] = name
    return found


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + more
