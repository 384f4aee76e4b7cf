"""Two sources of one split, the official files and a list that people exchange: they agree, or the user is told."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Listing, Names, Row, same_classes
from maxi_core.texts import AND_MORE, counted, first_few

Trust = Literal["lists", "official"]
HOW = "type --trust official or --trust lists to say which is right"


def settle(label: str, listed: Listing | None, official: Listing | None, trust: Trust | None) -> Listing:
    """Return the listing of a split from its two sources, in the spelling of the list where there is one.

    Raises UsageError if neither is there, if the class names differ, and, unless `trust` says which one to take, if
    they do not have the same videos with the same classes.
    """
    if listed is None or official is None:
        found = listed or official
        assert found is not None
        return found
    ours, theirs = Names(listed.classes, "the list"), Names(official.classes, "the official files")
    same_classes(ours, theirs)
    respelt = Listing(
        listed.classes,
        tuple(Row(row.path, tuple(_spelt(name, ours) for name in row.names), row.line) for row in official.rows),
        official.files,
        official.unlabelled,
    )
    differing = differences(listed.rows, respelt.rows)
    if differing and trust is None:
        raise UsageError(f"{label}: the list and the official files differ: {'; '.join(differing)}", HOW)
    chosen = respelt if trust == "official" else listed
    return Listing(chosen.classes, chosen.rows, (*listed.files, *official.files[:1]), respelt.unlabelled)


def _spelt(name: str, names: Names) -> str:
    place = names.find(name)
    assert place is not None
    return names.names[place]


def differences(listed: Sequence[Row], official: Sequence[Row]) -> list[str]:
    """Return in words how the rows of two sources of one split differ; [] if they agree."""
    ours, theirs = ({row.stem: row for row in rows} for rows in (listed, official))
    found = []
    for who, own, other in (("the list", ours, theirs), ("the official files", theirs, ours)):
        alone = [row.path for stem, row in own.items() if stem not in other]
        if alone:
            found.append(f"{counted(len(alone), 'video')} only in {who} ({first_few(alone, rest='')})")
    if said := conflicts(
        [(ours[stem].names, theirs[stem].names) for stem in ours.keys() & theirs.keys()],
    ):
        found.append(said)
    return found


def conflicts(pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
    """Return in words which (class in the list, class officially) differ, or an empty string."""
    wrong = Counter(
        (", ".join(sorted(ours)), ", ".join(sorted(theirs))) for ours, theirs in pairs if set(ours) != set(theirs)
    )
    if not wrong:
        return ""
    pairs_said = [f"{count} x '{ours}' for '{theirs}'" for (ours, theirs), count in sorted(wrong.items())]
    some = first_few(pairs_said, 4, AND_MORE)
    return f"{counted(sum(wrong.values()), 'video', 'have')} another class in the list: {some}"
