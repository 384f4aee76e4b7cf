"""`maxi check`: what is wrong with videos, and what they are; nothing is changed or deleted."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, QuietFlag, offering
from maxi_cli.progress import Progress
from maxi_cli.terminal import show_json, stdout, visible
from maxi_core.errors import ExitCode
from maxi_core.system.urls import refuse_remote
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.video.check import Checked, Totals

SCHEMA = 1


@takes(
    "video",
    but=("video.frame_cache", "video.frame_cache_gb", "video.clip_seconds", "video.short_side", "video.square_pixels"),
    said={"video.max_skipped": "Problems that are no reason for exit code 3; 0 if it is not set."},
)
def check(
    settings: Settings,
    videos: Annotated[
        list[str],
        typer.Argument(
            help="Videos, folders, or a list, CSV or JSON lines of videos.", autocompletion=offering("world.videos")
        ),
    ],
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that the paths of a list start from.")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the problems to this file, as JSON lines.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Decode every video from beginning to end and say what is wrong with which; never deletes anything.

    Example: maxi check clips/ --problems bad.jsonl
    """
    from maxi_core.plugin.world_paths import videos_of
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.system.replacing import refuse_foreign
    from maxi_core.video.check import PROBLEMS, check_videos, count, write_problems

    refuse_remote(problems)
    if problems is not None:
        refuse_foreign(problems, PROBLEMS, "list of problems", "--problems")
    options = settings.recipe().core("video", VideoOptions)
    found = videos_of(settings.catalog, videos, root, allow_outside_root=options.allow_outside_root)
    checked = list(_watched(check_videos(found, options), Progress("checking", len(found), quiet=quiet)))
    totals = count(checked)
    if problems is not None:
        write_problems(checked, problems)
    show_json(_as_json(checked, totals)) if json else _show(checked, totals)
    if not totals.usable:
        raise typer.Exit(ExitCode.FAILED)
    if totals.problems > (options.max_skipped or 0):
        raise typer.Exit(ExitCode.SKIPPED)


def _watched(checked: "Iterable[Checked]", progress: Progress) -> "Iterator[Checked]":
    for one in progress.follow(checked):
        yield one
        if one.problem:
            progress.skip()


def _show(checked: "list[Checked]", totals: "Totals") -> None:
    from rich.table import Table

    console = stdout()
    table = Table(box=None, pad_edge=False)
    table.add_column("video", overflow="fold")
    for title in ("length", "size", "rate", "frames"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("codec", no_wrap=True)
    for one in checked:
        if not one.problem:
            table.add_row(visible(one.video.id), *_cells(one))
    if table.row_count:
        console.print(table)
    for one in checked:
        if one.problem:
            console.print(visible(f"{one.video.id}: {one.problem}"), style="yellow" if one.usable else "red")
            console.print(visible(f"    {one.fix}"))
    console.print(
        f"{counted(totals.videos, 'video')}: {totals.videos - totals.problems} good, {totals.damaged} "
        "damaged but usable, "
        f"{totals.unusable} unusable; {totals.seconds:.1f} s, {totals.bytes / 1e6:.2f} MB",
        style="bold",
    )


def _cells(one: "Checked") -> tuple[str, ...]:
    info = one.info
    if info is None:
        return "?", "?", "?", str(one.found), "?"
    length = "?" if info.duration is None else f"{info.duration:.2f} s"
    rate = "?" if info.rate is None else f"{info.rate:.4g}/s"
    return length, f"{info.width}x{info.height}", rate, str(one.found), info.codec


def _as_json(checked: "list[Checked]", totals: "Totals") -> dict[str, object]:
    from dataclasses import asdict

    from maxi_core.video.check import record

    return {"schema": SCHEMA, "videos": [record(one) for one in checked], "totals": asdict(totals)}
