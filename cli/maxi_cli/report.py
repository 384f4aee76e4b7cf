"""`maxi report`: what runs hold, as one HTML file to look at."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, QuietFlag, offering
from maxi_cli.progress import progress
from maxi_cli.terminal import note, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.system.urls import in_urls
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog
    from maxi_core.reporting.looks import LoadModel
    from maxi_core.reporting.report import Report

SCHEMA = 1
GENERATOR = b'<meta name="generator" content="maxi report">'  # stands at the head of every page

RunsArgument: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(metavar="RUN...", help="Folders of maxi bags, maxi train, maxi eval and maxi study.  [required]"),
]
LabelsFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="CSV video,label, split list, or sandbox: tells which matches are right.",
        autocompletion=offering("world.labels"),
    ),
]


@takes(
    "video",
    but=(
        "video.frame_cache",
        "video.frame_cache_gb",
        "video.clip_seconds",
        "video.short_side",
        "video.max_skipped",
        "video.allow_outside_root",
    ),
)
def report(
    settings: Settings,
    runs: RunsArgument = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="HTML file to write, here or s3://.")] = Path("report.html"),
    listed: Annotated[
        int, typer.Option("--list", min=0, metavar="N", help="Videos to list of each run; the counts are of all.")
    ] = 1000,
    figure: Annotated[
        list[str] | None,
        typer.Option(metavar="VIDEO", help="Draw frames, captions, phrases and bag of this video; may be repeated."),
    ] = None,
    labels: LabelsFlag = None,
    pictures: Annotated[bool, typer.Option(help="Show frames of the videos, which are read for it.")] = True,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Show where the models that scored looked; they are loaded for it.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write one HTML file that shows runs: bags, trainings, scores, studies; it needs no network.

    Example: maxi report runs/mine runs/mine/train eval/mine-train --out mine.html
    """
    from maxi_core.bags.stats import named_labels
    from maxi_core.reporting.report import Wanted, make_report
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.system.remote_folders import here

    if not runs:
        raise UsageError("which runs?", "name folders of maxi bags, maxi train or maxi eval")
    place = _place(out)
    if heatmaps and not pictures:
        raise UsageError("--heatmaps lie over frames, and --no-pictures shows none", "leave out one of them")
    reading = settings.recipe().core("video", VideoOptions)
    named = named_labels(labels, settings.catalog) if labels else None
    wanted = Wanted(
        listed,
        tuple(figure or ()),
        named,
        reading if pictures else None,
        _loader(settings.catalog) if heatmaps else None,
    )
    made = make_report([here(run) for run in runs], wanted, progress(quiet=quiet))
    made = replace(made, html=in_urls(made.html))
    _write(place, made.html)
    _show(made, place, json=json)


def _place(out: Path) -> Path:
    """Return the file to write; raises UsageError for a folder, a file of somebody's, a server that is only read."""
    from maxi_core.system.files import check_replaceable
    from maxi_core.system.remote import RemotePath, as_path, check_writable, refuse_unwritable

    out = as_path(out)
    if isinstance(out, RemotePath):
        if len(out.parts) < 3:
            raise UsageError(f"{out} is a bucket", f"name the file, such as --out {out / 'report.html'}")
        refuse_unwritable(out)
        check_writable(out.parent)
    else:
        check_replaceable(out)
    if out.is_dir():
        raise UsageError(f"{out} is a folder", f"name the file, such as --out {out / 'report.html'}")
    if out.is_file() and GENERATOR not in _head(out):
        raise UsageError(f"{out} is no report and would be overwritten", "choose another --out")
    return out


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return bytes(opened.read(1000))


def _write(out: Path, page: str) -> None:
    """Write the page whole or not at all, here or on an object store."""
    from maxi_core.system.files import write_text
    from maxi_core.system.remote import RemotePath

    if isinstance(out, RemotePath):
        out.write_bytes(page.encode())
    else:
        write_text(out, page)


def _show(made: "Report", out: Path, *, json: bool) -> None:
    from maxi_core.system.urls import is_remote

    size = len(made.html.encode())
    if json:
        counts = {"videos": made.videos, "without_pictures": made.without}
        show_json({"schema": SCHEMA, "file": str(out), "bytes": size, **counts, "damaged": list(made.damaged)})
        return
    for text in made.damaged:
        note(f"not shown, since it cannot be read: {text}")
    if made.without:
        note(f"{made.without} of {counted(made.videos, 'video')} have no picture: the page says why")
    shown = out if is_remote(out) else os.path.relpath(out)
    stdout().print(visible(f"{shown}: {size / 1e6:.1f} MB, opens in any browser"), soft_wrap=True)


def _loader(catalog: "Catalog") -> "LoadModel":
    """Return what loads the model that scored a video, as it was then."""
    from maxi_core.clip.loading import load_model

    return lambda look: load_model(look.model, frames=look.frames, normalisation=look.normalisation, catalog=catalog)
