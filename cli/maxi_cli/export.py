"""`maxi export`: text bags and models, in the files of other people's tools."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, offering
from maxi_cli.terminal import announce, note, show_json, stdout, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.texts import counted, first_few

SCHEMA = 1


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
    from maxi_core.system.remote_folders import here

    if to is None:
        raise UsageError("export to what?", "type --to parquet, jsonl, hf, fiftyone or released")
    done = export(here(run), out, to, predictions)
    if json:
        show_json({"schema": SCHEMA, "path": str(done.path), "bags": done.bags, "missing": list(done.missing)})
    else:
        stdout().print(visible(f"{done.path}: {counted(done.bags, 'bag')}"), soft_wrap=True)
    if done.missing:
        note(f"{len(done.missing)} left out, whose videos are not there: {first_few(done.missing)}")
        raise typer.Exit(ExitCode.SKIPPED)


@takes(shared=("plugin", "no_plugin"))
def export_model(
    settings: Settings,
    model: Annotated[
        str,
        typer.Argument(
            help="Run, checkpoint or export folder, ARCH/TAG, or sandbox.", autocompletion=offering("world.clip")
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder that gets the files.")],
    to: Annotated[
        Literal["open-clip", "hf", "onnx", "authors"],
        typer.Option(
            "--to",
            help="What is to load it: open_clip, transformers (CLIP and SigLIP), onnxruntime, the authors' code.",
        ),
    ],
    scores: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="scores.json of maxi eval for the model card.")
    ] = None,
    licence: Annotated[str, typer.Option("--license", help="What the model card says of the licence.")] = "",
    json: JsonFlag = False,
) -> None:
    """Write a model for other programs: open_clip, transformers, onnxruntime, or the authors' code.

    Example: maxi export model runs/mine/vitb16 exported/vitb16 --to open-clip
    """
    from maxi_core.export.exporting import export_model as write

    announce(f"loading {model}")
    written = write(model, folder, to, settings.catalog, scores=scores or (), licence=licence)
    if json:
        show_json({"schema": SCHEMA, "folder": str(folder), "to": to, "files": [path.name for path in written]})
        return
    for path in written:
        stdout().print(visible(f"{os.path.relpath(path)} ({path.stat().st_size:,} bytes)"), soft_wrap=True)
