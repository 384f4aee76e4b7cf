"""`maxi eval`: zero-shot scores of models on benchmarks."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import BENCHMARK, RECIPE, JsonFlag, QuietFlag, named, offering
from maxi_cli.progress import follow
from maxi_cli.terminal import (
    announce,
    below_each_other,
    complain,
    goes_on,
    note,
    print_hanging,
    show_json,
    stdout,
    uploaded,
    visible,
)
from maxi_core.errors import ExitCode, MaxiError, UsageError
from maxi_core.texts import counted, first_few

if TYPE_CHECKING:
    from maxi_core.clip.model import VideoCLIP
    from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, Split
    from maxi_core.evaluation.evaluating import Evaluated, ModelScores
    from maxi_core.evaluation.presets import Chosen
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.evaluation.scoring import Result
    from maxi_core.plugin.catalog import Catalog
    from maxi_core.settings.sections import EvalSection
    from maxi_core.system.remote_folders import Upload

# The scores of one model, as `maxi eval` prints them.


COLUMNS = {"top-1": "top1", "top-5": "top5", "mean class": "mean_class", "mAP": "map"}


def show_scores(scores: "ModelScores", folder: Path) -> None:
    """Print what one model scored: a table, the groups, the circumstances, the notes, and where the files are."""
    from rich.table import Table

    console = stdout()
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark", overflow="fold")
    records = scores.records()
    spread = any("deviations" in record for record in records)
    texts = any(record["prompts"] for record in records)
    if texts:
        table.add_column("class names", overflow="fold")
    for title in ("split", "videos", "skipped", *COLUMNS):
        # a right edge would put the points of 70.1 and 69.9±1.3 at different places
        table.add_column(title, justify="left" if spread and title in COLUMNS else "right", no_wrap=True)
    columns = (below_each_other([_percent(record, name) for record in records]) for name in COLUMNS.values())
    for record, *cells in zip(records, *columns, strict=True):
        counts = (str(record["split"]), str(record["n"]), str(record["skipped"]))
        mark = [visible(record["prompt"])] if texts else []
        table.add_row(visible(record["benchmark"]), *mark, *counts, *cells)
    model, first = scores.model, records[0]
    console.print(visible(model.name), style="bold")
    console.print(table)
    for result in scores.results:
        if answered := result.record.get("metrics_answered"):
            numbers = ", ".join(f"{name} {100 * value:.1f}" for name, value in answered.items())
            count = len(result.videos) - len(result.skipped)
            console.print(
                visible(f"{result.split.label}, of the {counted(count, 'video')} that could be used: {numbers}")
            )
        _show_left_out(result)
    _show_own(scores)
    _show_groups(scores)
    _show_protocol(first)
    notes = (f"{result.split.label}: {text}" for result in scores.results for text in result.split.notes)
    for text in dict.fromkeys(notes):
        console.print(visible(text), style="yellow")
    console.print(visible(f"in {_shown(folder)}: scores.json, predictions-*.jsonl"), soft_wrap=True)


def _shown(folder: Path) -> str:
    from maxi_core.system.urls import is_remote

    return str(folder) if is_remote(folder) else os.path.relpath(folder)


def _show_protocol(record: dict[str, Any]) -> None:
    """Print how videos and names were shown, and what of a protocol's name that is not."""
    console = stdout()
    templates = f" and {record['templates'] - 1} more" if record["templates"] > 1 else ""
    if record["prompts"]:
        said = f"not the paper's protocol: {record['prompt']}, the mean of a class's texts stands for it"
        console.print(visible(said), soft_wrap=True, style="yellow")
    shown = f"prompt '{record['example']}'{templates}, {counted(record['frames'], 'frame')}, views {record['views']}"
    for line in (shown, f"names {record['names']}, normalisation {record['normalisation']}"):
        console.print(visible(line), soft_wrap=True, style="dim")
    if not (said := record["protocol"]):
        return
    changed = [f"{key} {one['is']} ({one['by']}) for {one['preset']}" for key, one in said["changed"].items()]
    but = f", but {', '.join(changed)}" if changed else ""
    console.print(visible(f"protocol {said['name']} ({said['from']}){but}"), soft_wrap=True, style="dim")
    for text in said["otherwise"]:
        console.print(visible(f"not as in {said['name']}: {text}"), soft_wrap=True, style="yellow")


def _show_left_out(result: "Result") -> None:
    """Print which videos could not be used and why, and which classes have none."""
    console, label = stdout(), result.split.label
    for video, failed in result.skipped[:SHOWN]:
        console.print(visible(f"{label}: skipped {video.id}: {failed.reason}"), style="yellow", soft_wrap=True)
    if (more := len(result.skipped) - SHOWN) > 0:
        console.print(visible(f"{label}: {more} more skipped, see skipped.jsonl"), style="yellow")
    empty = [name for name, score in zip(result.split.classes, result.by_class, strict=True) if isnan(score)]
    if empty:
        of = counted(len(result.split.classes), "class")
        said = f"{label}: {len(empty)} of {of} have no videos: {first_few(empty)}"
        console.print(visible(said), style="yellow", soft_wrap=True)


def _percent(record: dict[str, Any], name: str) -> str:
    if name not in record["metrics"]:
        return "-"
    deviation = record.get("deviations", {}).get(name)
    return f"{100 * record['metrics'][name]:.1f}" + ("" if deviation is None else f"±{100 * deviation:.1f}")


def _show_own(scores: "ModelScores") -> None:
    """Print the metrics that are a benchmark's own, beside the columns of the core's."""
    from maxi_core.evaluation.benchmarks.benchmark import METRICS

    for record in scores.records():
        own = [f"{name} {_percent(record, name)}" for name in record["metrics"] if name not in METRICS]
        if own:
            stdout().print(visible(f"{record['benchmark']}:{record['split']}: {', '.join(own)}"))


def _show_groups(scores: "ModelScores") -> None:
    console = stdout()
    for result in scores.results:
        for group, found in result.record.get("groups", {}).items():
            names = [name for name in ("top1", "mean_class", "map") if name in found]
            numbers = ", ".join(f"{name} {100 * found[name]:.1f}" for name in names)
            counts = f"{counted(found['classes'], 'class')}, {counted(found['n'], 'video')}"
            print_hanging(console, f"{result.split.label} {group}: {counts}, {numbers}")


SCHEMA = 1
SHOWN = 3
ForgettingFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="BENCHMARK",
        help="Score on this one, too, which training should not move: its difference from the first model "
        "stands beside each gain.",
        autocompletion=offering("benchmark"),
    ),
]


@takes("eval", "video", but=("video.clip_seconds", "video.short_side"), shared=(*BENCHMARK, *RECIPE))
def evaluate(
    settings: Settings,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Run, checkpoint or export folder, ARCH/TAG, or sandbox.  [required]",
            autocompletion=offering("world.clip"),
        ),
    ] = None,
    forgetting: ForgettingFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Score models zero-shot on benchmarks: one prompt, one view, as the paper does.

    Example: maxi eval runs/mine/vitb16 --benchmark ucf101 --videos UCF-101 --annotations ucfTrainTestlist
    """
    from maxi_core.evaluation.presets import settled
    from maxi_core.settings.sections import VideoOptions

    recipe = settings.recipe()
    reading = recipe.core("video", VideoOptions)
    names = named(settings.given["benchmark"])
    if forgetting is not None:
        if models and len(models) < 2:
            raise UsageError("--forgetting is a difference from the first model", "name that before this one")
        settings.given["benchmark"] = [*names, forgetting]
    if not models:
        raise UsageError("which model?", "name a run folder, a checkpoint, ARCH/TAG or sandbox before --benchmark")
    section, chosen = settled(recipe, models)
    opened = settings.benchmarks(recipe, section.names or "written")
    kept = None if forgetting is None else opened[named(settings.given["benchmark"]).index(forgetting)].name
    if not quiet and os.environ.get("RANK", "0") == "0":
        announce(f"loading {', '.join(models)}")  # torch, too, which takes its time
    _run(settings.catalog, models, opened, section, chosen, reading, json=json, quiet=quiet, kept=kept)


def _run(
    catalog: "Catalog",
    models: Sequence[str],
    opened: "Sequence[OpenedBenchmark]",
    section: "EvalSection",
    chosen: "Chosen | None",
    reading: Any,
    *,
    json: bool,
    quiet: bool,
    kept: str | None,
) -> None:
    from maxi_core.dictionaries import read_dictionary
    from maxi_core.evaluation.evaluating import evaluate as run
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.system.ranks import joined
    from maxi_core.system.store import store_at

    protocol = Protocol.of(section, "written", chosen)
    entries = read_dictionary(section.dictionary, catalog).entries if section.dictionary else None
    places = _places(models, section.out, protocol)
    _check_there(opened, reading)
    store = store_at(section.store)
    with goes_on(), joined(section.device, "gloo") as (ranks, _):
        loaded = load(catalog, models, section)  # before a folder is made for what is not there
        with _all_held(places if ranks.first else ()):
            evaluated = run(
                loaded,
                opened,
                protocol,
                reading=reading,
                store=store,
                dictionary=entries,
                ranks=ranks,
                follow=follow(quiet=quiet),
                missing=_missing,
            )
            if evaluated is None:
                return
            _finish(evaluated, places, json=json, quiet=quiet, kept=kept)


def _check_there(opened: "Sequence[OpenedBenchmark]", reading: Any) -> None:
    """A decoder or folder that is missing is an error now, not after models were loaded."""
    from maxi_core.evaluation.evaluating import folder_of

    reading.located().load()
    for benchmark in opened:
        folder_of(benchmark)


def _places(models: Sequence[str], out: Path, protocol: "Protocol") -> "list[Path | Upload]":
    """Return where the scores of each model belong; raises UsageError where two share one or none may write."""
    from maxi_core.evaluation.saving import SCORES, folders_for
    from maxi_core.system.remote_folders import upload_to

    folders = folders_for(models, out, protocol)
    return [upload_to(folder, complete=SCORES, adds=True) or folder for folder in folders]


def _here(place: "Path | Upload") -> Path:
    """Return the folder on this machine that scores are written into."""
    return place if isinstance(place, Path) else place.folder


@contextmanager
def _all_held(places: "Sequence[Path | Upload]") -> Iterator[None]:
    """Keep others out of the folders; what is on a server already is taken over, since scores of others stay."""
    from maxi_core.evaluation.saving import take_over
    from maxi_core.system.locks import locked

    with ExitStack() as stack:
        for place in places:
            stack.enter_context(locked(_here(place)))
            if not isinstance(place, Path):
                take_over(place)
        yield


def load(catalog: "Catalog", models: Sequence[str], section: "EvalSection") -> "list[VideoCLIP]":
    """Load models with the temporal modules that their checkpoints name."""
    from maxi_core.clip.loading import load_model

    return [
        load_model(name, section.device, frames=section.frames, normalisation=section.normalisation, catalog=catalog)
        for name in models
    ]


def _missing(split: "Split", ids: Sequence[str]) -> None:
    of = f"{counted(len(split.samples), 'video')} of {split.label}"
    note(f"{len(ids)} of {of} are missing and count as wrong: {first_few(ids)}")


def _finish(
    evaluated: "Evaluated", places: "Sequence[Path | Upload]", *, json: bool, quiet: bool, kept: str | None = None
) -> None:
    from maxi_cli.compare import show_compared
    from maxi_core.evaluation.comparing import compare
    from maxi_core.evaluation.saving import save

    for scores, place in zip(evaluated.models, places, strict=True):
        save(scores, _here(place))
    errors, shown = _uploaded(places)
    _show(evaluated, shown, json=json, quiet=quiet)
    if kept is not None and not json:
        show_compared(compare([_here(place) for place in places], tables=(), forgetting=kept))
    if errors:
        raise errors[0]
    lost = {result.split.label: result for scores in evaluated.models for result in scores.results}
    useless = [result for result in lost.values() if result.record["mostly_skipped"]]
    for result in useless:
        first = result.skipped[0][1].reason
        complain(
            f"{len(result.skipped)} of {counted(len(result.videos), 'video')} of {result.split.label} "
            "could not be used and count "
            f"as wrong, the first: {first}; these are no scores of the model: correct --videos, or the list"
        )
    if useless:
        raise typer.Exit(ExitCode.SKIPPED)


def _uploaded(places: "Sequence[Path | Upload]") -> tuple[list[MaxiError], list[Path]]:
    """Upload what belongs on a server; return what went wrong, and where the scores of each model are now."""
    errors, shown = [], []
    for place in places:
        if isinstance(place, Path):
            shown.append(place)
            continue
        try:
            uploaded(place, place.run())
            shown.append(place.at)
        except MaxiError as error:
            errors.append(error)
            shown.append(place.folder)
    return errors, shown


def _show(evaluated: "Evaluated", folders: Sequence[Path], *, json: bool, quiet: bool) -> None:
    shares = evaluated.clock.shares()
    if json:
        models = [
            {"model": scores.model.name, "folder": str(folder), "scores": scores.records()}
            for scores, folder in zip(evaluated.models, folders, strict=True)
        ]
        seconds = {"whole": evaluated.clock.whole, "encoded": evaluated.clock.encoded, "shares": shares}
        show_json({"schema": SCHEMA, "models": models, "seconds": seconds})
        return
    for scores, folder in zip(evaluated.models, folders, strict=True):
        show_scores(scores, folder)
    if evaluated.clock.encoded and not quiet:
        split = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        note(f"{evaluated.clock.whole:.1f} s for {counted(evaluated.clock.encoded, 'video')}: {split}")
