"""`maxi import`: files of other programs become maxi's."""

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from maxi_cli.flags import JsonFlag, QuietFlag, offering, read_catalog
from maxi_cli.terminal import announce, note, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.system.urls import refuse_remote
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.bags.released import Release, Released
    from maxi_core.interop.checkpoint_import import Imported

SCHEMA = 1
SHOWN = 6  # kinds of weights of each sort
CLASSES = "kinetics400"  # what the authors matched to

MatchesFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="List of lines PATH LABEL; else the text file in FOLDER. The word folders: the folders of the "
        "captions are the labels.",
    ),
]
ClassesFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Class names that the labels count: a file or a known dictionary; else labels.csv of FOLDER, or "
        f"{CLASSES}.",
        autocompletion=offering("world.dictionary"),
    ),
]


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
    refuse_remote(out)
    if not quiet:
        announce(f"loading {base or file}")  # torch, too, which takes its time
    from maxi_core.interop.checkpoint_import import import_checkpoint
    from maxi_core.system.remote_folders import here

    found = import_checkpoint(here(file), out, base, protocol=protocol, overwrite=overwrite, catalog=read_catalog())
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


def import_bags(
    folder: Annotated[
        Path, typer.Argument(help="Folder with gpt3_verbs and caption_verbs_bag, or one of them.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder that gets them.  [required]")] = None,
    matches: MatchesFlag = None,
    classes: ClassesFlag = None,
    videos: Annotated[Path | None, typer.Option(help="Folder that the paths start from; else FOLDER.")] = None,
    allow_outside_root: Annotated[
        bool, typer.Option("--allow-outside-root", help="Follow links that lead out of the folders.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bags that --out has.")] = False,
    json: JsonFlag = False,
) -> None:
    """Read the text bags that the paper's authors released into a run that maxi train takes.

    Example: maxi import bags MAXI/data --matches clip_match_result_thresh0.9.txt --videos k400/train --out runs/k400
    """
    from maxi_core.bags.released import LABELS, find_release, import_released

    if out is None:
        raise UsageError("which run folder?", "name one with --out")
    beside = folder / LABELS
    named = classes or (str(beside) if beside.is_file() else CLASSES)
    release = replace(
        find_release(folder, matches, named, videos, read_catalog()), allow_outside_root=allow_outside_root
    )
    _show_bags(import_released(release, out, argv=sys.argv, overwrite=overwrite), release, out, json=json)


def _show_bags(found: "Released", release: "Release", out: Path, *, json: bool) -> None:
    if json:
        show_json({"schema": SCHEMA, **asdict(found), "classes": len(found.classes), "run": str(out)})
    else:
        without = f", {found.without_captions} without captions" if found.without_captions else ""
        kept = f"; files of no video of the list, kept for the way back: {found.rest}" if found.rest else ""
        stdout().print(
            visible(
                f"{out}: {counted(found.videos, 'bag')} of {counted(len(found.classes), 'class')}, "
                f"{found.empty} empty{without}{kept}"
            ),
            soft_wrap=True,
        )
    if release.matches is None:
        note("the folders were taken for labels: in the release they are the true classes, and no matches of CLIP")
    if found.missing:
        note(
            f"{found.missing} of {counted(found.videos, 'video')} are not in {release.videos}: name their "
            "folder with --videos"
        )
