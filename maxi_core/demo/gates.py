"""What the demonstration must show, as checks on its table: the paper's effect, in the small."""

from dataclasses import dataclass

from maxi_core.demo.table import Table

NOVEL_GAIN, SAME_GAIN = 8.0, 3.0  # points of top-1


@dataclass(frozen=True, slots=True)
class Gate:
    """One claim, what was found, and whether it holds."""

    claim: str
    found: str
    holds: bool


def gates(table: Table) -> list[Gate]:
    """Return the gates: novel verbs and same verbs against raw CLIP, captions against the dictionary alone."""
    novel, same = table["full", "sandbox-novel"].difference, table["full", "sandbox-same"].difference
    assert novel is not None
    assert same is not None
    full, alone = table["full", "sandbox-novel"].seeds, table["dictionary", "sandbox-novel"].seeds
    lifts = [one - other for one, other in zip(full, alone, strict=True)]
    return [
        Gate(
            f"novel verbs: all sources at least {NOVEL_GAIN:.0f} points above raw CLIP, interval above 0",
            f"{novel.difference:+.1f} [{novel.low:+.1f}, {novel.high:+.1f}]",
            novel.difference >= NOVEL_GAIN and novel.low > 0,
        ),
        Gate(
            f"same verbs, new scenes: all sources at least {SAME_GAIN:.0f} points above raw CLIP",
            f"{same.difference:+.1f} [{same.low:+.1f}, {same.high:+.1f}]",
            same.difference >= SAME_GAIN,
        ),
        Gate(
            "novel verbs: replies and captions above the dictionary alone, with every seed",
            ", ".join(f"{lift:+.1f}" for lift in lifts),
            min(lifts) > 0,
        ),
    ]
