"""`maxi export model`: a model, as other programs load it."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, offering
from maxi_cli.terminal import announce, show_json, stdout, visible

SCHEMA = 1


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
