"""`maxi import bags`: the text bags that the paper's authors released, as a run."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from maxi_cli.flags import JsonFlag, offering, read_catalog
from maxi_cli.terminal import note, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.texts import counted

SCHEMA = 1
CLASSES = "kinetics400"  # what the authors matched to


def import_bags(
    folder: Annotated[
        Path, typer.Argument(help="Folder with gpt3_verbs and caption_verbs_bag, or one of them.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder that gets them.  [required]")] = None,
    matches: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="List of lines PATH LABEL; else the text file in FOLDER. The word folders: the folders of the "
            "captions are the labels.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Class names that the labels count: a file or a known dictionary; else labels.csv of FOLDER, or "
            f"{CLASSES}.",
            autocompletion=offering("world.dictionary"),
        ),
    ] = None,
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
    found = import_released(release, out, argv=sys.argv, overwrite=overwrite)
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
