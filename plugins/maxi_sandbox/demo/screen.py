"""What the demonstration prints: the table, what its rows are, gains by verb, and the checks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.plugin.roles import Grid, Shown
from maxi_sandbox.demo.commands import BENCHMARKS, BLIP, INSTANCE, SHUFFLED, SUPERVISED
from maxi_sandbox.demo.gates import Gate
from maxi_sandbox.demo.table import RAW, VOTE

if TYPE_CHECKING:
    from maxi_core.evaluation.metrics import Interval
    from maxi_sandbox.demo.table import Cell, Table

ROWS = {
    RAW: "raw CLIP",
    "dictionary": "dictionary only",
    BLIP: "+ blip",
    "gpt3": "+ gpt3",
    "full": "+ gpt3 + blip",
    SHUFFLED: "captions of other videos",
    INSTANCE: "+ blip, mil_nce_instance",
    SUPERVISED: "supervised, 44 names",
    VOTE: "caption vote (no CLIP, no training)",
}
# What the rows are, in lines of at most 80 columns.
ABOUT = """\
what is trained: both towers, as in the paper, and the token embedding, which
  the authors leave as it is
loss: the paper's (mil_nce, Eq. 2); mil_nce_instance counts a video's own bag
  alone; it is run with three seeds or more
captions of other videos: as + blip, each video with another one's captions
supervised: true labels of all videos and cross-entropy; so it is told of novel
  verbs, too: one in four videos shows most of all a verb that no entry names
caption vote: the verb that most of a video's own captions name; a tie counts as
  a draw; the captioner learned from 10,000 labelled stills, 3,709 of novel
  verbs, nearly half of them with a wrong verb or one that says nothing
intervals: 95 %, bootstrap over videos, or over verbs and the videos of each"""
COLUMNS = {"sandbox-same": "same verbs", "sandbox-novel": "novel verbs", "sandbox-view": "other view"}


def screen(table: "Table", checked: Sequence[Gate], seeds: int) -> Iterator[Shown]:
    """Yield what is shown, at most 80 columns wide."""
    spread = f", mean and sample standard deviation of {seeds} seeds" if seeds > 1 else ", seed 0"
    yield Shown(f"zero-shot top-1 in percent{spread}", "bold")
    yield Shown(_grid(table))
    yield from (Shown(line, "dim") for line in ABOUT.splitlines())
    yield Shown("gains by verb, + blip - raw:", "bold")
    for benchmark in BENCHMARKS:
        yield Shown(_gains(COLUMNS[benchmark], table[BLIP, benchmark].gains))
    yield Shown(_highest(table))
    for gate in checked:
        said = f"{'holds' if gate.holds else 'FAILS'}  {gate.claim}: {gate.found}"
        yield Shown(said, "green" if gate.holds else "red")


def afterwards(out: Path) -> tuple[str, ...]:
    """Return what to look at, and what to type next."""
    return (
        f"look at: maxi show {out}/bags/blip, maxi stats {out}/bags/blip --labels sandbox",
        f"and at: maxi compare {out}/scores/sandbox {out}/scores/seed0-blip --tables none",
        "your own videos: maxi bags VIDEOS --dictionary actions.txt --sources gpt3,blip --out runs/mine",
        "then: maxi train runs/mine, and maxi eval runs/mine/train --benchmark NAME",
    )


def plain(table: "Table", checked: Sequence[Gate]) -> dict[str, object]:
    """Return the table and the checks for programs."""
    cells = [{"model": model, "benchmark": benchmark, **asdict(cell)} for (model, benchmark), cell in table.items()]
    return {"scores": cells, "gates": [asdict(gate) for gate in checked]}


def _grid(table: "Table") -> Grid:
    rows = [(title, *(_number(table[model, benchmark]) for benchmark in BENCHMARKS)) for model, title in _rows(table)]
    for model, title in ((BLIP, "+ blip - raw"), ("full", "+ gpt3 + blip - raw")):
        cells = [table[model, benchmark] for benchmark in BENCHMARKS]
        rows += [
            (title, *(f"{cell.difference.difference:+.1f}" for cell in cells if cell.difference)),
            ("  interval over videos", *(_interval(cell.difference) for cell in cells)),
            ("  over verbs and videos", *(_interval(cell.over_verbs) for cell in cells)),
        ]
    return Grid(("", *(COLUMNS[benchmark] for benchmark in BENCHMARKS)), tuple(rows))


def _rows(table: "Table") -> list[tuple[str, str]]:
    return [(row, title) for row, title in ROWS.items() if (row, BENCHMARKS[0]) in table]


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
        title = max(_rows(table), key=lambda row: table[row[0], benchmark].mean)[1]
        best.setdefault(title.partition(" (")[0].strip(), []).append(COLUMNS[benchmark])
    return "highest score: " + "; ".join(f"{row} on {', '.join(columns)}" for row, columns in best.items())


def _number(cell: "Cell") -> str:
    return f"{cell.mean:.1f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.1f}")
