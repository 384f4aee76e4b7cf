"""`maxi compare`: runs side by side, and beside the published numbers."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from maxi_cli.flags import JsonFlag, offering
from maxi_cli.terminal import below_each_other, data, note, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.system.urls import in_urls
from maxi_core.texts import by_comma

if TYPE_CHECKING:
    from maxi_core.evaluation.comparing import Compared, Line

SCHEMA = 1

MetricsFlag: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Metrics, with commas: top1, top5, mean_class, map, map_cosine.",
        autocompletion=offering("maxi_core.evaluation.benchmarks.benchmark:METRICS", many=True),
    ),
]
TablesFlag: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Published tables to put beside, with commas: 1 to 8, S9, S10, or none.",
        autocompletion=offering("maxi_core.evaluation.published:TABLES", many=True),
    ),
]


def compare(
    scores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCORES...", help="scores.json files, or folders with one.  [required]"),
    ] = None,
    metrics: MetricsFlag = "top1,top5,map",
    tables: TablesFlag = "1,2",
    format: Annotated[Literal["table", "markdown", "csv", "latex"], typer.Option(help="Of what is printed.")] = "table",
    over: Annotated[
        Literal["videos", "classes"],
        typer.Option(help="What the intervals draw anew: the videos, or classes and then the videos of each."),
    ] = "videos",
    forgetting: Annotated[
        str | None,
        typer.Option(metavar="BENCHMARK", help="What training should not move: its difference beside each score."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Put runs side by side: differences from the first run with 95 % intervals, and the published numbers.

    Example: maxi compare eval/sandbox eval/mine-vitb16 --format markdown
    """
    from maxi_core.evaluation.comparing import FORMATS
    from maxi_core.evaluation.comparing import compare as run

    if not scores:
        raise UsageError("which scores?", "name the scores.json of one or more maxi eval")
    wanted = [] if tables == "none" else by_comma(tables)
    here = [_here(one) for one in scores]
    found = run(here, metrics=by_comma(metrics), tables=wanted, seed=seed, over=over, forgetting=forgetting)
    if json:
        show_json({"schema": SCHEMA, "lines": list(map(asdict, found.lines)), "notes": list(found.notes)})
        return
    if format == "table":
        show_compared(found)
    else:
        data().write(in_urls(FORMATS[format](found.lines)))
    for text in found.notes:
        note(text)


def _here(scores: Path) -> Path:
    """Return where scores can be read on this machine, with the predictions beside them."""
    from maxi_core.system.remote_folders import here
    from maxi_core.system.urls import is_remote

    return here(scores.parent) / scores.name if is_remote(scores) and scores.suffix else here(scores)


def show_compared(found: "Compared") -> None:
    """Print a table for each benchmark and metric."""
    from itertools import groupby

    from rich.table import Table

    from maxi_core.evaluation.comparing import HEADER, cells

    def block(line: "Line") -> tuple[str, str]:
        return line.benchmark, line.metric

    console = stdout()
    for _, lines in groupby(found.lines, block):
        rows = [cells(line) for line in lines]
        console.print(visible(f"{rows[0][0]} {rows[0][1]}"), style="bold")
        lost = max(map(len, rows)) > len(HEADER)  # then what was forgotten takes the room of how many videos there are
        table = Table(box=None, pad_edge=False, show_header=lost, header_style="dim")
        table.add_column(overflow="fold")
        table.add_column("score", no_wrap=True)
        table.add_column(HEADER[4], justify="right", no_wrap=True)
        table.add_column("forgetting" if lost else "", no_wrap=True)
        scores = below_each_other([row[3] for row in rows])
        for row, score in zip(rows, scores, strict=True):
            table.add_row(
                *(visible(row[2]), score, visible(row[4])),
                visible("".join(row[6:]) if lost and not row[5].startswith("table") else row[5]),
                style="dim" if row[5].startswith("table") else "",
            )
        console.print(table)
        console.print()
