"""`maxi predict`: what is done in videos, out of given labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.evaluate import load
from maxi_cli.flags import JsonFlag, ModelArgument, QuietFlag, VideosArgument, offering
from maxi_cli.progress import follow
from maxi_cli.terminal import announce, complain, note, show_json, stdout, visible
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.urls import refuse_remote
from maxi_core.texts import by_comma

if TYPE_CHECKING:
    from maxi_core.evaluation.predicting import Prediction
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.plugin.catalog import Catalog
    from maxi_core.settings.sections import EvalSection
    from maxi_core.types import Dictionary, Video

SCHEMA = 1
BAR = 20  # columns of a whole share
DictionaryFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Or a file of labels, or a known name, such as kinetics400.", autocompletion=offering("world.dictionary")
    ),
]


@takes(
    "eval",
    "video",
    but=(
        *("eval.out", "eval.store", "eval.data_root", "eval.dictionary"),
        *("video.clip_seconds", "video.short_side", "video.max_skipped"),
    ),
)
def predict(
    settings: Settings,
    model: ModelArgument = None,
    videos: VideosArgument = None,
    labels: Annotated[str | None, typer.Option(help="Labels to choose from, with commas.")] = None,
    dictionary: DictionaryFlag = None,
    top: Annotated[int, typer.Option(min=1, help="Best labels that are shown.")] = 5,
    window: Annotated[float | None, typer.Option(metavar="SECONDS", help="Slide a window of this length.")] = None,
    stride: Annotated[float | None, typer.Option(metavar="SECONDS", help="Time between windows; none: no gap.")] = None,
    strip: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the windows as a PNG strip.")] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Name what is done in videos, out of given labels; the shares are of these labels only.

    Example: maxi predict sandbox clip.mp4 --labels "arm wrestling, juggling balls" --window 4 --stride 2
    """
    from maxi_core.evaluation.presets import settled
    from maxi_core.settings.sections import VideoOptions

    catalog, recipe = settings.catalog, settings.recipe()
    reading = recipe.core("video", VideoOptions)
    if model is None or not videos:
        raise UsageError("which model and which videos?", "type maxi predict MODEL VIDEO...")
    _check_strip(strip)
    given = _labels(catalog, labels, dictionary)
    asked = _windows(catalog, videos, window, stride, reading)
    section, chosen = settled(recipe, [model])
    _begin(model, given, section, quiet=quiet)
    from maxi_core.evaluation.predicting import predict as run
    from maxi_core.evaluation.protocol import Protocol

    protocol = Protocol.of(section, "spaced", chosen)
    answers = run(load(catalog, [model], section)[0], asked, given.entries, protocol, top=top, reading=reading)
    found = list(follow(quiet=quiet)("predicting", len(asked), answers))
    if strip is not None:
        _write(found, strip, reading)
    show_json(_as_json(model, section, found)) if json else _show(found)
    if not quiet:
        _note_texts(protocol)
    _leave_if_lost(found, reading.max_skipped)


def _check_strip(strip: Path | None) -> None:
    """Raise UsageError for a place where no strip can be written, or something else would be lost."""
    if strip is not None:
        from maxi_core.evaluation.predicting import STRIP
        from maxi_core.system.replacing import refuse_foreign

        refuse_remote(strip)
        refuse_foreign(strip, STRIP, "strip of maxi predict", "--strip")


def _note_texts(protocol: "Protocol") -> None:
    """Say that labels stand for several texts each, where that is so."""
    if protocol.texts is not None:
        note(f"{protocol.texts.mark}: the mean of a label's texts stands for it")


def _begin(model: str, given: "Dictionary", section: "EvalSection", *, quiet: bool) -> None:
    """Say what is loaded, and which labels are shown to the model in another spelling."""
    from maxi_core.dictionaries import spelt

    spelt(given, section.names or "spaced")
    if not quiet:
        announce(f"loading {model}")  # torch, too, which takes its time


def _write(found: "list[Prediction]", strip: Path, reading: Any) -> None:
    from maxi_core.evaluation.predicting import write_strip

    write_strip(found, strip, reading)
    note(f"the strip is in {strip}")


def _leave_if_lost(found: "list[Prediction]", most: int | None) -> None:
    """Leave with an exit code of its own if nothing could be used, too little, or nothing was asked for."""
    lost = sum(one.failed is not None for one in found)
    if found and lost == len(found):
        raise typer.Exit(ExitCode.FAILED)
    if most is not None and lost > most:
        complain(f"{lost} of {len(found)} could not be used, and video.max_skipped is {most}")
        raise typer.Exit(ExitCode.SKIPPED)
    if not found:
        raise typer.Exit(ExitCode.NOTHING)


def _labels(catalog: "Catalog", labels: str | None, dictionary: str | None) -> "Dictionary":
    from maxi_core.dictionaries import read_dictionary
    from maxi_core.types import Dictionary

    if (labels is None) == (dictionary is None):
        raise UsageError("which labels?", "give either --labels 'a, b' or --dictionary NAME")
    if labels is not None:
        return Dictionary("--labels", tuple(by_comma(labels)))
    assert dictionary is not None
    return read_dictionary(dictionary, catalog)


def _windows(
    catalog: "Catalog", videos: list[str], window: float | None, stride: float | None, reading: Any
) -> "list[Video]":
    from maxi_core.plugin.world_paths import videos_of

    if stride is not None and window is None:
        raise UsageError("--stride is the time between windows", "give --window too")
    found = list(videos_of(catalog, videos, allow_outside_root=reading.allow_outside_root))
    if window is None:
        return found
    from maxi_core.evaluation.predicting import sliding

    return [part for video in found for part in sliding(video, window, window if stride is None else stride)]


def _as_json(model: str, section: "EvalSection", found: "list[Prediction]") -> dict[str, object]:
    from dataclasses import asdict

    predictions = [
        {
            "video": one.video.id,
            "path": str(one.video.path),
            "start": one.video.start,
            "end": one.video.end,
            "top": [asdict(guess) for guess in one.guesses],
            "skipped": one.failed.reason if one.failed else None,
            "flag": one.flag or None,
        }
        for one in found
    ]
    texts = [path.name for path in section.prompts]
    shown = {"prompt": None if texts else section.prompt, "prompts": texts, "protocol": section.protocol}
    return {"schema": SCHEMA, "model": model, **shown, "predictions": predictions}


def _show(found: "list[Prediction]") -> None:
    from itertools import groupby

    for path, group in groupby(found, lambda one: one.video.path):
        parts = list(group)
        if len(parts) > 1 or parts[0].video.start is not None:
            _show_timeline(str(path.name), parts)
        else:
            _show_one(parts[0])


def _show_one(one: "Prediction") -> None:
    console = stdout()
    console.print(visible(one.video.id), style="bold")
    if one.failed is not None:
        console.print(visible(f"  {one.failed.reason}"), style="yellow", soft_wrap=True)
    for guess in one.guesses:
        bar = "#" * round(BAR * guess.share)
        console.print(visible(f"  {guess.share:6.1%}  {guess.cosine:+.3f}  {guess.label:.40}  {bar}"), soft_wrap=True)
    if one.flag:
        console.print(visible(f"  {one.flag}"), style="yellow", soft_wrap=True)


def _show_timeline(name: str, parts: "list[Prediction]") -> None:
    from maxi_core.evaluation.predicting import time_of

    console = stdout()
    console.print(visible(name), style="bold")
    for one in parts:
        if one.failed is not None:
            console.print(visible(f"  {time_of(one):>14}  {one.failed.reason}"), style="yellow", soft_wrap=True)
            continue
        best = one.guesses[0]
        bar = "#" * round(BAR * best.share)
        console.print(visible(f"  {time_of(one):>14}  {best.share:6.1%}  {best.label:.34}  {bar}"), soft_wrap=True)
