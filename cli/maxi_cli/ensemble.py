"""`maxi ensemble`: the weights of an original and of what was trained from it, mixed."""

import os
from pathlib import Path
from typing import Annotated

import typer

from maxi_cli.flags import JsonFlag, offering, read_catalog
from maxi_cli.terminal import show_json, stdout, visible
from maxi_core.errors import UsageError

SCHEMA = 1


def ensemble(
    original: Annotated[
        str,
        typer.Argument(
            help="The model before training: ARCH/TAG, a folder, sandbox.", autocompletion=offering("world.clip")
        ),
    ],
    trained: Annotated[str, typer.Argument(help="Checkpoint or run folder of maxi train.")],
    ratio: Annotated[
        str, typer.Option(help="Share of the original; several with commas make one checkpoint each.")
    ] = "0.2",
    out: Annotated[Path | None, typer.Option(help="Folder that gets them; else TRAINED-ensemble beside it.")] = None,
    json: JsonFlag = False,
) -> None:
    """Mix ratio x ORIGINAL + (1 - ratio) x TRAINED, every parameter, into ordinary checkpoints.

    Example: maxi ensemble ViT-B-16-quickgelu/openai runs/mine/vitb16 --ratio 0.1,0.2,0.3
    """
    from maxi_core.training.ensemble import ensemble as mix

    folder = Path(trained.rstrip("/"))
    into = out or folder.with_name(f"{folder.name}-ensemble")
    written = mix(original, trained, _ratios(ratio), into, read_catalog())
    if json:
        show_json({"schema": SCHEMA, "checkpoints": [str(path) for path in written]})
        return
    for path in written:
        stdout().print(visible(os.path.relpath(path)), soft_wrap=True)


def _ratios(text: str) -> list[float]:
    try:
        ratios = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--ratio {text} is no list of numbers", "for example --ratio 0.1,0.2") from None
    if not ratios:
        raise UsageError("--ratio names no number", "for example --ratio 0.2")
    return ratios
