"""What the demonstration must show, as checks on its table: what text bags teach with the loss `mil_nce_instance`."""

from dataclasses import dataclass

from maxi_sandbox.demo.commands import FULL
from maxi_sandbox.demo.table import Table

NOVEL_GAIN, SAME_GAIN = 8.0, 3.0  # points of top-1


@dataclass(frozen=True, slots=True)
class Gate:
    """One claim, what was found, and whether it holds."""

    claim: str
    found: str
    holds: bool


def gates(table: Table, model: str = FULL) -> list[Gate]:
    """Return the gates: novel verbs and same verbs against raw CLIP, captions against the dictionary alone.

    They speak of the row of all sources; `model` asks the same of another row. Intervals are over videos.
    """
    novel, same = table[model, "sandbox-novel"].difference, table[model, "sandbox-same"].difference
    assert novel is not None
    assert same is not None
    full, alone = table[model, "sandbox-novel"].seeds, table["dictionary", "sandbox-novel"].seeds
    lifts = [one - other for one, other in zip(full, alone, strict=True)]
    return [
        Gate(
            f"novel verbs: all sources at least {NOVEL_GAIN:.0f} points above raw CLIP, interval over videos above 0",
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
