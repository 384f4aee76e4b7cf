"""`maxi demo`: the whole method in a world, offline, in public commands."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from maxi_cli.flags import JsonFlag, QuietFlag, offering, read_catalog
from maxi_cli.terminal import data, note, show_json, stdout, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.threads import own_cores
from maxi_core.system.urls import refuse_remote

if TYPE_CHECKING:
    from rich.table import Table

    from maxi_core.plugin.demonstrations import Guarded, Step
    from maxi_core.plugin.roles import Grid

SCHEMA = 1
AT_ONCE = 4  # commands; a process of them grows to 1.7 GB of memory


def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that is made.")] = Path("demo"),
    world: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="World whose demonstration is run, if several have one.",
            autocompletion=offering("world.demonstration"),
        ),
    ] = None,
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
    from maxi_core.plugin.world_paths import world_demonstration

    refuse_remote(out)
    demonstration = world_demonstration(read_catalog(), world)
    story = demonstration.commands(out, seeds)
    if print_commands:
        data().writelines(f"{command}\n" for command in story)
        data().write(f"# {visible(demonstration.beside)}\n")
        return
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder", "name another with --out")
    began = time.monotonic()
    _run(story, sys.stderr if quiet or json else data(), quiet=quiet)
    _finish(demonstration, out, seeds, time.monotonic() - began, json=json)


def _run(story: Sequence["Step"], output: TextIO, *, quiet: bool) -> None:
    """Run all commands, as many at a time as there are cores, and print what each has printed when it is done."""
    from maxi_cli.pool import Finished, run_all

    def begins(number: int, command: "Step") -> None:
        if quiet:
            return
        note(f"[{number + 1}/{len(story)}] {command.title}")
        note(f"$ {command}")

    def ends(command: "Step", finished: Finished) -> None:
        if quiet and finished.code == ExitCode.DONE:
            return
        note(f"{command.title}: {finished.seconds:.0f} s")
        output.write(finished.printed)
        output.flush()

    run_all(story, min(own_cores(), AT_ONCE), begins, ends)


def as_table(grid: "Grid") -> "Table":
    """Return a table for the terminal, numbers to the right; it fits 80 columns if its cells do."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column(visible(grid.columns[0]))
    for title in grid.columns[1:]:
        table.add_column(visible(title), justify="right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*map(visible, row))
    return table


def _finish(demonstration: "Guarded", out: Path, seeds: int, seconds: float, *, json: bool) -> None:
    outcome = demonstration.outcome(out, seeds)
    if json:
        show_json({"schema": SCHEMA, "seeds": seeds, "seconds": seconds, **outcome.data})
        return
    console = stdout()
    for shown in outcome.shown:
        console.print(visible(shown.what) if isinstance(shown.what, str) else as_table(shown.what), style=shown.style)
    console.print()
    console.print(f"{seconds / 60:.1f} minutes, all of it computed now", style="dim")
    for line in outcome.afterwards:
        console.print(visible(line))
