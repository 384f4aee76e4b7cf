"""`maxi demo`: the whole method in the sandbox, offline, in public commands."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.flags import JsonFlag, QuietFlag
from maxi_cli.terminal import note, show_json, stdout, visible
from maxi_core.demo.commands import BENCHMARKS, Command, commands
from maxi_core.errors import ExitCode, MaxiError, UsageError

if TYPE_CHECKING:
    from maxi_core.demo.gates import Gate
    from maxi_core.demo.table import Cell, Table
    from maxi_core.evaluation.bootstrap import Interval

SCHEMA = 1
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
AFTERWARDS = "no command: maxi demo counts the caption vote itself, from OUT/captions, and makes the table from all"
COLUMNS = {"sandbox-same": "same verbs", "sandbox-novel": "novel verbs", "sandbox-view": "other view"}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that is made.")] = Path("demo"),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind, with the seeds 0, 1, ...")] = 1,
    print_commands: Annotated[
        bool, typer.Option("--print-commands", help="Print the commands, to be pasted, and run none.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Run the whole method in the sandbox: bags, trainings, zero-shot scores, one table.

    Example: maxi demo --seeds 3
    """
    story = list(commands(out, seeds))
    if print_commands:
        sys.stdout.writelines(f"{command}\n" for command in story)
        sys.stdout.write(f"# {AFTERWARDS}\n")
        return
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder", "name another with --out")
    began = time.monotonic()
    for number, command in enumerate(story, 1):
        note(f"[{number}/{len(story)}] {command.title}")
        note(f"$ {command}")
        _run(command, quiet=quiet or json)
    _finish(out, seeds, time.monotonic() - began, json=json)


def _run(command: Command, *, quiet: bool) -> None:
    """Run a command in this process, which saves the seconds that each start of Python and torch takes."""
    from maxi_cli.__main__ import run

    words = [*command.words, *(["--quiet"] if quiet else [])]
    began = time.monotonic()
    with _argv(words), _silent(quiet):
        code = run(words)
    if code != ExitCode.DONE:
        raise MaxiError(f"`{command}` ended with {code}", "the lines above say why")
    note(f"  {time.monotonic() - began:.0f} s")


@contextmanager
def _argv(words: list[str]) -> Iterator[None]:
    """Let manifests say the command that was run, and not the demonstration's."""
    before, sys.argv = sys.argv, ["maxi", *words]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _silent(wanted: bool) -> Iterator[None]:
    """Send what the command prints to stderr, so that stdout has the table alone."""
    before, sys.stdout = sys.stdout, sys.stderr if wanted else sys.stdout
    try:
        yield
    finally:
        sys.stdout = before


def _finish(out: Path, seeds: int, seconds: float, *, json: bool) -> None:
    from maxi_core.demo.gates import gates
    from maxi_core.demo.table import read_table

    table = read_table(out, seeds)
    checked = gates(table)
    if json:
        show_json({"schema": SCHEMA, "seeds": seeds, "seconds": seconds, **_plain(table, checked)})
        return
    _show(table, checked, seeds)
    console = stdout()
    console.print()
    console.print(f"{seconds / 60:.1f} minutes, all of it computed now", style="dim")
    console.print(visible(f"look at: maxi show {out}/bags/full, maxi stats {out}/bags/full --labels sandbox"))
    console.print(visible(f"and at: maxi compare {out}/scores/sandbox {out}/scores/seed0-full --tables none"))
    console.print(
        visible("your own videos: maxi bags VIDEOS --dictionary actions.txt --sources gpt3,blip --out runs/mine")
    )
    console.print("then: maxi train runs/mine, and maxi eval runs/mine/train --benchmark NAME")


def _plain(table: "Table", checked: "list[Gate]") -> dict[str, object]:
    from dataclasses import asdict

    cells = [{"model": model, "benchmark": benchmark, **asdict(cell)} for (model, benchmark), cell in table.items()]
    return {"scores": cells, "gates": [asdict(gate) for gate in checked]}


def _show(table: "Table", checked: "list[Gate]", seeds: int) -> None:
    from rich.table import Table as Grid

    from maxi_core.demo.gates import gates

    console = stdout()
    spread = f", mean and sample standard deviation of {seeds} seeds" if seeds > 1 else ", seed 0"
    console.print(f"zero-shot top-1 in percent{spread}", style="bold")
    grid = Grid(box=None, pad_edge=False, padding=(0, 0, 0, 1))  # 80 columns with the longest interval
    grid.add_column("")
    for benchmark in BENCHMARKS:
        grid.add_column(COLUMNS[benchmark], justify="right", no_wrap=True)
    for model, title in ROWS.items():
        grid.add_row(title, *(_number(table[model, benchmark]) for benchmark in BENCHMARKS))
    for model, title in (("full", "all sources - raw"), ("paper", "paper's loss - raw")):
        cells = [table[model, benchmark] for benchmark in BENCHMARKS]
        grid.add_row(title, *(f"{cell.difference.difference:+.1f}" for cell in cells if cell.difference))
        grid.add_row("  interval over videos", *(_interval(cell.difference) for cell in cells))
        grid.add_row("  over verbs and videos", *(_interval(cell.over_verbs) for cell in cells))
    console.print(grid)
    for line in ABOUT.splitlines():
        console.print(line, style="dim")
    console.print("gains by verb, all sources - raw:", style="bold")
    for benchmark in BENCHMARKS:
        console.print(_gains(COLUMNS[benchmark], table["full", benchmark].gains))
    console.print(_highest(table))
    for gate in checked:
        style = "green" if gate.holds else "red"
        console.print(f"{'holds' if gate.holds else 'FAILS'}  {gate.claim}: {gate.found}", style=style)
    console.print(_of_the_papers_loss(gates(table, "paper")))


def _interval(found: "Interval | None") -> str:
    return f"[{found.low:+.1f}, {found.high:+.1f}]" if found else ""


def _gains(title: str, gains: "Mapping[str, float]") -> str:
    """Return how many verbs gain, and each with its gain, the largest first."""
    ordered = sorted(gains.items(), key=lambda pair: -pair[1])
    verbs = ", ".join(f"{verb} {round(gain):+d}" for verb, gain in ordered)  # no -0
    return f"  {title}, {sum(gain > 0 for gain in gains.values())} of {len(gains)} gain: {verbs}"


def _highest(table: "Table") -> str:
    """Return which rows have the highest scores, and on what."""
    best: dict[str, list[str]] = {}
    for benchmark in BENCHMARKS:
        row = max(ROWS, key=lambda row: table[row, benchmark].mean)
        best.setdefault(ROWS[row].partition(" (")[0].strip(), []).append(COLUMNS[benchmark])
    return "highest score: " + "; ".join(f"{row} on {', '.join(columns)}" for row, columns in best.items())


def _of_the_papers_loss(checked: "list[Gate]") -> str:
    """Return how the row of the paper's own loss would do at the gates, which speak of another row."""
    failed = sum(not gate.holds for gate in checked)
    return f"no gate, to know: with the paper's loss {failed} of these {len(checked)} would fail"


def _number(cell: "Cell") -> str:
    return f"{cell.mean:.1f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.1f}")
