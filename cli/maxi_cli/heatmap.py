"""`maxi heatmap`: where models look in videos, for a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.evaluate import load
from maxi_cli.flags import JsonFlag, QuietFlag, VideosArgument, by_comma_or_paths, offering
from maxi_cli.progress import follow
from maxi_cli.terminal import announce, show_json, stdout, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.replacing import refuse_beside, refuse_foreign
from maxi_core.system.urls import is_remote, refuse_remote
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.clip.model import VideoCLIP
    from maxi_core.heatmaps.heatmap import Heatmaps, Question
    from maxi_core.plugin.catalog import Catalog
    from maxi_core.types import Video

SCHEMA = 1
FIGURES, CLIPS, RAW = (".png", ".pdf", ".svg"), (".mp4", ".gif"), (".npz",)
ALL = (".png", ".mp4", ".npz")  # what a folder gets

ModelsFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL,...",
        help="Models, with commas, a row each: runs, checkpoints, export folders, ARCH/TAG, or sandbox.",
        autocompletion=offering("world.clip", many=True),
    ),
]
OutFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Figure (PNG, PDF, SVG), clip of all frames (MP4, GIF), raw maps (NPZ), or a folder for all three.",
    ),
]
MethodFlag: TypeAlias = Annotated[
    Literal["gradient", "cosine", "surgery", "legrad"],
    typer.Option(help="How; cosine is the paper's, the last two are for comparison."),
]
AgainstFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="More texts that compete: a file of names, a dictionary or a benchmark.",
        autocompletion=offering("world.dictionary", "benchmark"),
    ),
]
ColumnsFlag: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Most frames of a figure for each text; none: 8, of several texts 4.")
]
ScaleFlag: TypeAlias = Annotated[
    Literal["shared", "model"],
    typer.Option(help="Colours: one scale for all, or each model in shares of its largest value."),
]


@takes(
    "eval",
    "video",
    but=(
        *("eval.out", "eval.store", "eval.data_root", "eval.dictionary", "eval.views", "eval.precision"),
        *("video.clip_seconds", "video.short_side", "video.max_skipped"),
    ),
)
def heatmap(
    settings: Settings,
    videos: VideosArgument = None,
    text: Annotated[list[str] | None, typer.Option(help="Text to look for; several are drawn side by side.")] = None,
    models: ModelsFlag = None,
    out: OutFlag = None,
    method: MethodFlag = "gradient",
    against: AgainstFlag = None,
    columns: ColumnsFlag = None,
    scale: ScaleFlag = "shared",
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Show where models look in videos for a text: a figure, a clip, the raw maps.

    Example: maxi heatmap clip.mp4 --text clap --text wave --models sandbox,runs/maxi --out clap.png
    """
    from maxi_core.settings.sections import EvalSection, VideoOptions

    catalog, recipe = settings.catalog, settings.recipe()
    section, reading = recipe.core("eval", EvalSection), recipe.core("video", VideoOptions)
    if not videos or not text:
        raise UsageError("which videos and which texts?", "type maxi heatmap VIDEO --text 'arm wrestling'")
    if not (names := by_comma_or_paths(models)):
        raise UsageError("which models?", "type --models MODEL,... (see maxi eval --help)")
    competing = _competing(catalog, against) if against else ()
    asked = _asked(catalog, videos, reading)
    places = _places(out, asked)
    if not quiet:
        announce(f"loading {', '.join(names)}")  # torch, too, which takes its time
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.heatmaps.heatmap import Question

    protocol = Protocol(frames=section.frames, prompt=section.prompt, spelling=section.names or "spaced")
    question = Question(tuple(text), competing, method, protocol)
    drawing = Drawing(columns or (8 if len(text) == 1 else 4), in_shares=scale == "model", quiet=quiet)
    written, lost = _draw(load(catalog, names, section), asked, places, question, reading, drawing)
    _report(written, lost, json=json)
    if lost:
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True)
class Drawing:
    """How maps are drawn: most frames of a figure for each text, and whether in shares of a model's largest value."""

    columns: int
    in_shares: bool
    quiet: bool


def _draw(
    models: "list[VideoCLIP]",
    asked: "list[Video]",
    places: dict[str, list[Path]],
    question: "Question",
    reading: Any,
    drawing: Drawing,
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Write the files of each video; return what is in them by its id, and why a video has none."""
    from maxi_core.heatmaps.heatmap import heatmaps

    written: dict[str, list[dict[str, Any]]] = {video.id: [] for video in asked}
    lost: dict[str, str] = {}
    for whole in (False, True):
        some = {id: [path for path in paths if (path.suffix in CLIPS) == whole] for id, paths in places.items()}
        todo = [video for video in asked if some[video.id] and video.id not in lost]
        found = heatmaps(models, todo, question, reading, whole=whole)
        title = "drawing clips" if whole else "drawing figures"
        for video, one in follow(quiet=drawing.quiet)(title, len(todo), found) if todo else ():
            if not hasattr(one, "models"):
                lost[video.id] = one.reason
                continue
            drawn = one.shared_out() if drawing.in_shares else one
            for path in some[video.id]:
                _write(one if path.suffix in RAW else drawn, path, drawing.columns)
            written[video.id].append(_as_json(one, some[video.id]))
    return written, lost


def _competing(catalog: "Catalog", name: str) -> tuple[str, ...]:
    from maxi_core.dictionaries import is_dictionary, read_dictionary
    from maxi_core.evaluation.benchmarks.opening import open_benchmark

    if is_dictionary(catalog, name) or Path(name).is_file():
        return read_dictionary(name, catalog).entries
    return open_benchmark(name, catalog).splits[0].classes


def _asked(catalog: "Catalog", videos: list[str], reading: Any) -> "list[Video]":
    from maxi_core.errors import NothingError
    from maxi_core.plugin.world_paths import videos_of

    found = list(videos_of(catalog, videos, allow_outside_root=reading.allow_outside_root))
    if not found:
        raise NothingError(f"there are no videos in {', '.join(videos)}")
    return found


def _places(out: Path | None, videos: "list[Video]") -> dict[str, list[Path]]:
    """Return the files to write for each video by its id: --out itself, or files in that folder named after it."""
    if out is None:
        raise UsageError("where to?", "type --out FILE.png (or .pdf, .svg, .mp4, .gif, .npz), or a folder")
    refuse_remote(out)
    suffix = out.suffix.lower()
    if suffix in (*FIGURES, *CLIPS, *RAW) and not out.is_dir():
        if len(videos) > 1:
            raise UsageError(f"--out {out} is one file, and there are {counted(len(videos), 'video')}", "name a folder")
        return _replaceable({videos[0].id: [out.with_suffix(suffix)]}, videos)
    if suffix and not out.is_dir():
        raise UsageError(
            f"--out {out} is of no known form",
            f"end it with {', '.join((*FIGURES, *CLIPS, *RAW))}, or nothing",
        )
    stems = [Path(video.id).with_suffix("").as_posix().replace("/", "_") for video in videos]
    if len(set(stems)) < len(stems):  # a.mp4 and a.avi, or a/b.mp4 and a_b.mp4
        stems = [f"{number:04d}-{stem}" for number, stem in enumerate(stems)]
    refuse_beside(out, dict.fromkeys(video.path for video in videos))
    named = {video.id: [out / f"{stem}{ending}" for ending in ALL] for video, stem in zip(videos, stems, strict=True)}
    return _replaceable(named, videos)


def _replaceable(places: dict[str, list[Path]], videos: "list[Video]") -> dict[str, list[Path]]:
    """Return the files if each is not there, or was written by this command before; raises UsageError."""
    from maxi_core.heatmaps.heatmap import MARK, RAW_MARK

    read = [video.path for video in videos if not is_remote(video.path)]
    for path in (path for paths in places.values() for path in paths):
        refuse_foreign(path, RAW_MARK if path.suffix in RAW else MARK, "heatmap of maxi", "--out", read)
    return places


def _write(found: "Heatmaps", path: Path, columns: int) -> None:
    if path.suffix in RAW:
        from maxi_core.heatmaps.heatmap import write_raw

        write_raw(found, path)
    elif path.suffix in CLIPS:
        from maxi_core.heatmaps.overlay import write_clip

        write_clip(found, path)
    else:
        from maxi_core.heatmaps.figure import write_figure

        write_figure(found, path, columns)


def _as_json(found: "Heatmaps", paths: list[Path]) -> dict[str, Any]:
    return {
        "method": found.method,
        "frames": list(found.indices),
        "files": [str(path) for path in paths],
        "models": [
            {
                "model": one.model,
                "texts": [
                    {"text": text, "cosine": float(cosine), "share": float(share)}
                    for text, cosine, share in zip(found.texts, one.cosines, one.shares, strict=True)
                ],
            }
            for one in found.models
        ],
    }


def _report(written: dict[str, list[dict[str, Any]]], lost: dict[str, str], *, json: bool) -> None:
    if json:
        rows = [{"video": id, "skipped": lost.get(id), "written": parts} for id, parts in written.items()]
        show_json({"schema": SCHEMA, "videos": rows})
        return
    console = stdout()
    for id, parts in written.items():
        console.print(visible(id), style="bold")
        if id in lost:
            console.print(visible(f"  {lost[id]}"), style="yellow", soft_wrap=True)
        for model in parts[0]["models"] if parts else ():
            for one in model["texts"]:
                line = f"  {one['share']:6.1%}  {one['cosine']:+.3f}  {one['text']:.40}  {model['model']}"
                console.print(visible(line), soft_wrap=True)
        for part in parts:
            console.print(visible(f"  in {', '.join(part['files'])}"), soft_wrap=True, style="dim")
