"""`maxi export bags`: the text bags of a run in the files of other people's tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maxi_cli.flags import JsonFlag
from maxi_cli.terminal import note, show_json, stdout, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.texts import counted

SCHEMA = 1
SHOWN = 3


def export_bags(
    run: Annotated[Path, typer.Argument(help="Run folder of maxi bags.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="File (parquet, jsonl) or new folder.", show_default=False)],
    to: Annotated[
        Literal["parquet", "jsonl", "hf", "fiftyone", "released"] | None,
        typer.Option(
            help="parquet and jsonl: a table. hf: a dataset with its videos for the Hub. fiftyone: a CSV dataset. "
            "released: the files of the paper's authors.  [required]"
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add predictions: of maxi eval, or printed by maxi predict --json."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Write the text bags of a run as a table, a dataset of the Hub, a FiftyOne dataset, or as the authors' files.

    Example: maxi export bags runs/mine bags.parquet --to parquet
    """
    from maxi_core.bags.exporting import export_bags as export

    if to is None:
        raise UsageError("export to what?", "type --to parquet, jsonl, hf, fiftyone or released")
    done = export(run, out, to, predictions)
    if json:
        show_json({"schema": SCHEMA, "path": str(done.path), "bags": done.bags, "missing": list(done.missing)})
    else:
        stdout().print(visible(f"{done.path}: {counted(done.bags, 'bag')}"), soft_wrap=True)
    if done.missing:
        some = ", ".join(done.missing[:SHOWN]) + (", ..." if len(done.missing) > SHOWN else "")
        note(f"{len(done.missing)} left out, whose videos are not there: {some}")
        raise typer.Exit(ExitCode.SKIPPED)
