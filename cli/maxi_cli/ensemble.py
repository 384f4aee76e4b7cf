"""`maxi ensemble`: the weights of an original and of what was trained from it, mixed; and a score of each mixture."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.evaluate import load
from maxi_cli.flags import JsonFlag, QuietFlag, named, offering
from maxi_cli.progress import follow
from maxi_cli.terminal import plain_table, show_json, stdout, visible
from maxi_core.errors import UsageError
from maxi_core.system.secrets import without_secrets
from maxi_core.system.urls import is_remote, refuse_remote

if TYPE_CHECKING:
    from maxi_core.evaluation.evaluating import ModelScores

SCHEMA = 1

OriginalArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="The model before training: ARCH/TAG, a folder, sandbox.", autocompletion=offering("world.clip")
    ),
]
ScoreOnFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        "-b",
        help="Score the original and each of them on these, with commas.",
        autocompletion=offering("benchmark", many=True),
    ),
]


@takes()
def ensemble(
    settings: Settings,
    original: OriginalArgument,
    trained: Annotated[str, typer.Argument(help="Checkpoint or run folder of maxi train.")],
    ratio: Annotated[
        str, typer.Option(help="Share of the original; several with commas make one checkpoint each.")
    ] = "0.2",
    last: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Take the mean of the run's last K epochs for TRAINED.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that gets them; else TRAINED-ensemble beside it.")] = None,
    benchmark: ScoreOnFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Mix ratio x ORIGINAL + (1 - ratio) x TRAINED, every parameter, into ordinary checkpoints.

    Example: maxi ensemble ViT-B-16-quickgelu/openai runs/mine/vitb16 --ratio 0.1,0.2,0.3
    """
    ratios = _ratios(ratio)
    folder = Path(trained.rstrip("/"))
    into = out or folder.with_name(f"{folder.name}-ensemble")
    refuse_remote(into)
    if last is not None and is_remote(trained):
        what = f"--last takes epochs of a run on this machine, and {without_secrets(trained)} is not"
        raise UsageError(what, "copy it here")
    opened = _opened(settings, benchmark)  # what is missing is an error before anything is written
    from maxi_core.training.ensemble import averaged, last_epochs
    from maxi_core.training.ensemble import ensemble as mix

    if last is not None:
        trained = str(averaged(last_epochs(folder, last), into / "mean"))
    written = mix(original, trained, ratios, into, settings.catalog)
    scores = _scores(settings, [original, *map(str, written)], opened, quiet=quiet) if opened else []
    _show_json(written, scores) if json else _show(written, ratios, scores)


def _show_json(written: Sequence[Path], scores: "Sequence[ModelScores]") -> None:
    made = {"schema": SCHEMA, "checkpoints": [str(path) for path in written]}
    show_json(made | ({"scores": [one.records() for one in scores]} if scores else {}))


def _show(written: Sequence[Path], ratios: Sequence[float], scores: "Sequence[ModelScores]") -> None:
    for path in written:
        stdout().print(visible(os.path.relpath(path)), soft_wrap=True)
    if scores:
        _show_scores(ratios, scores)


def _opened(settings: Settings, benchmark: list[str] | None) -> list[Any]:
    """Open the benchmarks, if any are named; raises UsageError for one that is not there."""
    if not benchmark:
        return []
    from maxi_core.evaluation.benchmarks.opening import open_benchmark
    from maxi_core.evaluation.evaluating import folder_of
    from maxi_core.settings.sections import EvalSection

    section = settings.recipe().core("eval", EvalSection)
    refuse_remote(section.out)
    found = [
        open_benchmark(name, settings.catalog, data_root=section.data_root, spelling=section.names or "written")
        for name in named(benchmark)
    ]
    for one in found:
        folder_of(one)
    return found


def _scores(settings: Settings, models: list[str], opened: list[Any], *, quiet: bool) -> "list[ModelScores]":
    """Evaluate the models as `maxi eval` does, with its files."""
    from maxi_core.evaluation.evaluating import evaluate
    from maxi_core.evaluation.presets import settled
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.evaluation.saving import folders_for, save
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.system.store import store_at

    recipe = settings.recipe()
    section, chosen = settled(recipe, models)
    protocol = Protocol.of(section, "written", chosen)
    folders, store = folders_for(models, section.out, protocol), store_at(section.store)
    found = evaluate(
        load(settings.catalog, models, section),
        opened,
        protocol,
        reading=recipe.core("video", VideoOptions),
        store=store,
        follow=follow(quiet=quiet),
    )
    assert found is not None
    for scores, folder in zip(found.models, folders, strict=True):
        save(scores, folder)
    return list(found.models)


def _show_scores(ratios: Sequence[float], scores: "Sequence[ModelScores]") -> None:
    """Print a row for each mixture: each score, and how far it is from the original's."""

    def headline(one: "ModelScores") -> dict[str, float]:
        records = {record["benchmark"]: record for record in one.records()}  # the last is the mean over splits
        metrics = {result.record["benchmark"]: result.record["metric"] for result in one.results}
        return {name: 100 * record["metrics"][metrics[name]] for name, record in records.items()}

    first, *others = map(headline, scores)
    titles = ("original", *first)
    table = plain_table(*titles, numbers=titles)
    table.add_row("all", *(f"{value:.1f}" for value in first.values()))
    for ratio, found in zip(ratios, others, strict=True):
        table.add_row(f"{ratio:g}", *(f"{value:.1f} ({value - first[name]:+.1f})" for name, value in found.items()))
    stdout().print(table)


def _ratios(text: str) -> list[float]:
    try:
        ratios = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--ratio {text} is no list of numbers", "for example --ratio 0.1,0.2") from None
    if not ratios:
        raise UsageError("--ratio names no number", "for example --ratio 0.2")
    return ratios
