"""`maxi data`: which benchmarks there are, what their files hold, and lists made of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import BENCHMARK, RECIPE, JsonFlag, named, read_catalog
from maxi_cli.terminal import note, plain_table, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.texts import counted, first_few

if TYPE_CHECKING:
    from maxi_core.evaluation.benchmarks.benchmark import Benchmark
    from maxi_core.evaluation.survey import Survey

SCHEMA = 1


def list_known(json: JsonFlag = False) -> None:
    """List the known benchmarks: metric, splits, classes, and the files that each reads.

    Example: maxi data list
    """
    from maxi_core.evaluation.benchmarks.opening import benchmarks_of
    from maxi_core.plugin.world_paths import world_benchmarks

    catalog = read_catalog()
    benchmarks, worlds = list(benchmarks_of(catalog)), world_benchmarks(catalog)
    if json:
        show_json({"schema": SCHEMA, "benchmarks": [_as_json(known) for known in benchmarks], "worlds": worlds})
    else:
        _show_known(benchmarks, worlds)


def _as_json(known: "type[Benchmark]") -> dict[str, object]:
    return {
        "name": known.name,
        "title": known.title,
        "metric": known.metric,
        "classes": known.classes,
        "videos": dict(known.counts),
        "official": known.official_files,
        "lists": list(known.lists),
        "labels": list(known.labels),
        "few_shot": known.few_shot or None,
    }


def _show_known(benchmarks: "list[type[Benchmark]]", worlds: "Mapping[str, Sequence[str]]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "metric", "classes", "videos per split"):
        table.add_column(title, justify="right" if title == "classes" else "left")
    for known in benchmarks:
        counts = " / ".join("?" if count is None else str(count) for count in known.counts.values())
        table.add_row(known.name, known.metric, str(known.classes or "?"), counts)
    console = stdout()
    console.print(table)
    console.print("\nfiles of each, where K is the split: as downloaded, or lists with their labels", style="bold")
    for known in benchmarks:
        lists = f"{known.lists[-1]} and {known.labels[0]}" if known.lists else ""
        either = "; or ".join(text.replace("{}", "K") for text in (known.official_files, lists) if text)
        console.print(visible(f"{known.name}: {either or known.title}"))
    console.print()
    for world, names in worlds.items():
        console.print(visible(f"of the world {world}: {', '.join(names)}"))
    console.print("or a path: labels.csv and split.txt, a folder for each class, or a CSV path,label")


@takes("eval.data_root", "video.allow_outside_root", shared=(*BENCHMARK, *RECIPE))
def stats(
    settings: Settings,
    durations: Annotated[bool, typer.Option("--durations", help="Open every video and say how long they are.")] = False,
    json: JsonFlag = False,
) -> None:
    """Count videos, classes, labels of a video, durations, and what is missing on the disk.

    Example: maxi data stats -b ucf101,hmdb51 --data-root data
    """
    from maxi_core.evaluation.survey import survey
    from maxi_core.settings.sections import VideoOptions

    recipe = settings.recipe()
    outside = recipe.core("video", VideoOptions).allow_outside_root
    found = [
        one
        for benchmark in settings.benchmarks(recipe)
        for one in survey(benchmark, durations=durations, allow_outside=outside)
    ]
    show_json({"schema": SCHEMA, "splits": [one.as_record() for one in found]}) if json else _show(found)


def _show(found: "list[Survey]") -> None:
    numbers = ("videos", "classes", "per class", "labels", "missing", "seconds")
    table = plain_table("benchmark", *numbers, numbers=numbers)
    for one in found:
        low, middle, high = one.per_class
        many = f"{one.labels[1]:.1f}" if one.labels[2] > 1 else "1"
        missing = "?" if one.missing is None else str(len(one.missing))
        seconds = "?" if one.seconds is None else f"{one.seconds[0]:.1f}-{one.seconds[3]:.1f}, {one.seconds[2]:.1f}"
        counts = (str(len(one.split.samples)), str(len(one.split.classes)), f"{low}-{high}, {middle:.1f}")
        table.add_row(visible(one.split.label), *counts, many, missing, seconds)
    console = stdout()
    console.print(table)
    console.print("ranges are smallest-largest, mean", style="dim")
    for one in found:
        for text in one.split.notes:
            console.print(visible(f"{one.split.label}: {text}"), style="yellow")
        if one.missing:
            console.print(visible(f"{one.split.label}: missing: {first_few(one.missing)}"), style="yellow")


@takes("eval.data_root", shared=(*BENCHMARK, *RECIPE))
def convert(
    settings: Settings,
    out: Annotated[Path | None, typer.Option(help="Folder for labels.csv and split*.txt.  [required]")] = None,
) -> None:
    """Turn the files of a benchmark into a labels CSV and split lists.

    Example: maxi data convert -b hmdb51 --annotations testTrainMulti_7030_splits --out lists/hmdb51
    """
    from maxi_core.evaluation.benchmarks.splits import write_splits

    if out is None or len(named(settings.given["benchmark"])) != 1:
        raise UsageError("one benchmark goes into one folder", "name one with -b, and its folder with --out")
    (opened,) = settings.benchmarks(settings.recipe())
    for path, split in write_splits(opened, out):
        note(f"{path}: {counted(len(split.samples), 'video')}, {counted(len(split.classes), 'class')}")


@takes(shared=("benchmark", "annotations", *RECIPE))
def shots(
    settings: Settings,
    count: Annotated[int, typer.Option("--shots", min=1, help="Videos of each class: 2, 4, 8, 16 in the paper.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for labels.csv and split.txt.  [required]")] = None,
) -> None:
    """Draw K videos of each class from a training split, for few-shot training.

    Example: maxi data shots -b hmdb51 --annotations testTrainMulti_7030_splits --shots 4 --out lists/hmdb51-4
    """
    from maxi_core.evaluation.benchmarks.lists import Annotations, write_list
    from maxi_core.evaluation.benchmarks.opening import training_split
    from maxi_core.evaluation.survey import few_shot

    names, annotations = named(settings.given["benchmark"]), settings.given["annotations"]
    if out is None or len(names) != 1 or annotations is None:
        raise UsageError("one training split goes into one folder", "name it with -b, --annotations and --out")
    chosen = few_shot(training_split(names[0], Annotations(annotations), settings.catalog), count, seed)
    write_list(chosen, out / "split.txt", out / "labels.csv")
    note(
        f"{out / 'split.txt'}: {counted(len(chosen.rows), 'video')}, {count} of each of "
        f"{counted(len(chosen.classes), 'class')}"
    )
