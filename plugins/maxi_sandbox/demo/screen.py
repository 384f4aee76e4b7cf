"""What the demonstration prints: the table, what its rows are, gains by verb, and the checks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.plugin.roles import Grid, Shown
from maxi_sandbox.demo.commands import BENCHMARKS
from maxi_sandbox.demo.table import Gate, gates

if TYPE_CHECKING:
    from maxi_core.evaluation.metrics import Interval
    from maxi_sandbox.demo.table import Cell, Table

ROWS = {
    "raw": "raw CLIP",
    "dictionary": "dictionary only",
    "gpt3": "+ gpt3",
    "blip": "+ blip",
    "full": "+ gpt3 + blip",
    "plain": "  plain replies",
    "paper": "  paper's loss",
    "shuffled": "  captions of other videos",
    "supervised": "supervised, 12 names",
    "vote": "caption vote (no CLIP, no training)",
}
# What the rows are, in lines of at most 80 columns.
ABOUT = """\
what is trained: text tower and token embedding; the image tower is frozen
loss: mil_nce_instance, not the paper's; "paper's loss" is mil_nce (paper Eq. 2)
  on the bags of + gpt3 + blip (= all sources), everything else equal
plain replies: all sources, but of gpt3 only replies that name no novel verb
captions of other videos: all sources, each video with another one's captions
supervised: true labels of the 12 names and cross-entropy, no captions; it is
  told nothing of other verbs, so it bounds nothing
caption vote: the verb that most of a video's own captions name; a tie counts as
  a draw; the captioner learned from 2,000 labelled stills, 471 of novel verbs
intervals: 95 %, bootstrap over videos, or over verbs and the videos of each"""
COLUMNS = {"sandbox-same": "same verbs", "sandbox-novel": "novel verbs", "sandbox-view": "other view"}


def screen(table: "Table", seeds: int) -> Iterator[Shown]:
    """Yield what is shown, at most 80 columns wide."""
    spread = f", mean and sample standard deviation of {seeds} seeds" if seeds > 1 else ", seed 0"
    yield Shown(f"zero-shot top-1 in percent{spread}", "bold")
    yield Shown(_grid(table))
    yield from (Shown(line, "dim") for line in ABOUT.splitlines())
    yield Shown("gains by verb, all sources - raw:", "bold")
    for benchmark in BENCHMARKS:
        yield Shown(_gains(COLUMNS[benchmark], table["full", benchmark].gains))
    yield Shown(_highest(table))
    for gate in gates(table):
        said = f"{'holds' if gate.holds else 'FAILS'}  {gate.claim}: {gate.found}"
        yield Shown(said, "green" if gate.holds else "red")
    yield Shown(_of_the_papers_loss(gates(table, "paper")))


def afterwards(out: Path) -> tuple[str, ...]:
    """Return what to look at, and what to type next."""
    return (
        f"look at: maxi show {out}/bags/full, maxi stats {out}/bags/full --labels sandbox",
        f"and at: maxi compare {out}/scores/sandbox {out}/scores/seed0-full --tables none",
        "your own videos: maxi bags VIDEOS --dictionary actions.txt --sources gpt3,blip --out runs/mine",
        "then: maxi train runs/mine, and maxi eval runs/mine/train --benchmark NAME",
    )


def plain(table: "Table") -> dict[str, object]:
    """Return the table and the checks for programs."""
    cells = [{"model": model, "benchmark": benchmark, **asdict(cell)} for (model, benchmark), cell in table.items()]
    return {"scores": cells, "gates": [asdict(gate) for gate in gates(table)]}


def _grid(table: "Table") -> Grid:
    rows = [(title, *(_number(table[model, benchmark]) for benchmark in BENCHMARKS)) for model, title in ROWS.items()]
    for model, title in (("full", "all sources - raw"), ("paper", "paper's loss - raw")):
        cells = [table[model, benchmark] for benchmark in BENCHMARKS]
        rows += [
            (title, *(f"{cell.difference.difference:+.1f}" for cell in cells if cell.difference)),
            ("  interval over videos", *(_interval(cell.difference) for cell in cells)),
            ("  over verbs and videos", *(_interval(cell.over_verbs) for cell in cells)),
        ]
    return Grid(("", *(COLUMNS[benchmark] for benchmark in BENCHMARKS)), tuple(rows))


def _interval(found: "Interval | None") -> str:
    return f"[{found.low:+.1f}, {found.high:+.1f}]" if found else ""


def _gains(title: str, gains: Mapping[str, float]) -> str:
    """Return how many verbs gain, and each with its gain, the largest first."""
    ordered = sorted(gains.items(), key=lambda pair: -pair[1])
    verbs = ", ".join(f"{verb} {round(gain):+d}" for verb, gain in ordered)
    return f"  {title}, {sum(gain > 0 for gain in gains.values())} of {len(gains)} gain: {verbs}"


def _highest(table: "Table") -> str:
    """Return which rows have the highest scores, and on what."""
    best: dict[str, list[str]] = {}
    for benchmark in BENCHMARKS:
        row = max(ROWS, key=lambda row: table[row, benchmark].mean)
        best.setdefault(ROWS[row].partition(" (")[0].strip(), []).append(COLUMNS[benchmark])
    return "highest score: " + "; ".join(f"{row} on {', '.join(columns)}" for row, columns in best.items())


def _of_the_papers_loss(checked: Sequence[Gate]) -> str:
    """Return how the row of the paper's own loss would do at the gates, which speak of another row."""
    failed = sum(not gate.holds for gate in checked)
    return f"no gate, to know: with the paper's loss {failed} of these {len(checked)} would fail"


def _number(cell: "Cell") -> str:
    return f"{cell.mean:.1f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.1f}")
