"""`maxi demo`: the whole method in the sandbox, offline, in public commands."""

import sys
import time
from collections.abc import Iterator
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

SCHEMA = 1
ROWS = {
    "raw": "raw CLIP",
    "dictionary": "dictionary only",
    "gpt3": "+ gpt3",
    "blip": "+ blip",
    "full": "+ gpt3 + blip",
    "plain": "  plain replies",
    "supervised": "supervised bound",
}
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

    console = stdout()
    spread = f", mean and standard deviation of {seeds} seeds" if seeds > 1 else ", seed 0"
    console.print(f"zero-shot top-1 in percent{spread}", style="bold")
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("")
    for benchmark in BENCHMARKS:
        grid.add_column(COLUMNS[benchmark], justify="right", no_wrap=True)
    for model, title in ROWS.items():
        grid.add_row(title, *(_number(table[model, benchmark]) for benchmark in BENCHMARKS))
    differences = [table["full", benchmark].difference for benchmark in BENCHMARKS]
    grid.add_row("all sources - raw", *(f"{one.difference:+.1f}" for one in differences if one))
    grid.add_row("  95 % interval", *(f"[{one.low:+.1f}, {one.high:+.1f}]" for one in differences if one))
    console.print(grid)
    console.print("all sources: gpt3 and blip; plain replies name no verb of novel verbs;", style="dim")
    console.print("the interval is of a paired bootstrap over the 360 videos of each benchmark", style="dim")
    for gate in checked:
        style = "green" if gate.holds else "red"
        console.print(f"{'holds' if gate.holds else 'FAILS'}  {gate.claim}: {gate.found}", style=style)


def _number(cell: "Cell") -> str:
    return f"{cell.mean:.1f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.1f}")
