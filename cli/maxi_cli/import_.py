"""`maxi import`: files of other programs become maxi's."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from maxi_cli.command import Command
from maxi_cli.flags import JsonFlag, QuietFlag, offering, read_catalog
from maxi_cli.group import CommandGroup, show_help
from maxi_cli.import_bags import import_bags
from maxi_cli.terminal import announce, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.interop.checkpoint_import import Imported

SCHEMA = 1
SHOWN = 6  # kinds of weights of each sort

imports = typer.Typer(
    name="import",
    help="Take in checkpoints and bags that other projects have released.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    cls=CommandGroup,
    invoke_without_command=True,
    callback=show_help,
)


@imports.command(cls=Command)
def checkpoint(
    file: Annotated[Path, typer.Argument(help="Checkpoint, archive or folder of another program.")],
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="CLIP that it was finetuned from, for what it lacks; none: it is whole and says what it is.",
            autocompletion=offering("world.clip"),
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that becomes the model.  [required]")] = None,
    protocol: Annotated[
        Literal["maxi", "vifi", "open-vclip"] | None,
        typer.Option(help="Evaluation that maxi eval takes for it; none: that of its project, if it has one."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a checkpoint that is there.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Turn a checkpoint of another program into one of maxi's, without running anything in it.

    Example: maxi import checkpoint vifi_clip_10_epochs_k400.pth --base ViT-B-16-quickgelu/openai --out models/vifi
    """
    if out is None:
        raise UsageError("where does the model go?", "name a folder with --out")
    if not quiet:
        announce(f"loading {base or file}")  # torch, too, which takes its time
    from maxi_core.interop.checkpoint_import import import_checkpoint

    found = import_checkpoint(file, out, base, protocol=protocol, overwrite=overwrite, catalog=read_catalog())
    show_json({"schema": SCHEMA, "folder": str(out), **found.about}) if json else _show(found)


def _show(found: "Imported") -> None:
    from maxi_core.interop.layouts import grouped

    console, about = stdout(), found.about
    said = about["imported"]
    console.print(visible(f"{said['file']}: a checkpoint of {said['project']}"), style="bold", soft_wrap=True)
    groups = {"mapped": found.fit.mapped, "missing, from the base": found.fit.missing, "left out": found.fit.left_out}
    for title, names in groups.items():
        kinds = [f"{kind} ({count})" for kind, count in grouped(names).items()]
        more = f", and {counted(len(kinds) - SHOWN, 'more kind')}" if len(kinds) > SHOWN else ""
        listed = f": {', '.join(kinds[:SHOWN])}{more}" if names and title != "mapped" else ""
        console.print(visible(f"{title}: {len(names)}{listed}"), soft_wrap=True)
    activation = "QuickGELU" if about["quick_gelu"] else "GELU"
    settings = f"activation {activation}, normalisation {about['normalisation']}, {counted(about['frames'], 'frame')}"
    console.print(visible(f"{settings}, protocol {about['protocol'] or 'unknown'}"), soft_wrap=True)
    for text in said["notes"]:
        console.print(visible(f"note: {text}"), style="yellow", soft_wrap=True)
    console.print(visible(f"the model is in {os.path.relpath(found.folder)}"), soft_wrap=True)


imports.command("bags", cls=Command)(import_bags)
