"""`maxi study`: a table of the paper, or of one's own, as variants of one recipe."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, QuietFlag, offering
from maxi_cli.terminal import complain, goes_on, log_to, note, show_json, stdout, visible
from maxi_core.errors import ExitCode, MaxiError, UsageError
from maxi_core.system.child import how_it_ended
from maxi_core.texts import by_comma, counted

if TYPE_CHECKING:
    from maxi_core.recipe.recipe import Recipe, Setting
    from maxi_core.studies.plan import Plan, Settle
    from maxi_core.studies.results import Results
    from maxi_core.studies.run import Share
    from maxi_core.studies.step import Place, Watch
    from maxi_core.studies.study import Study, Variant

SCHEMA = 1
GOES_ON = "the same command goes on where it was"
StudyArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A study that ships, or a TOML file.",
        autocompletion=offering("maxi_core.studies.study:SHIPPED"),
    ),
]
MoreFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="One more variant, with these sources (with commas); may be given many times."),
]
KINDS = {
    "bags": "maxi bags", "features": "features of the frozen image tower", "train": "maxi train",
    "mix": "maxi ensemble", "scores": "maxi eval",
}  # fmt: skip


@takes("study", "bags.dictionary", "eval.data_root", "video.workers")
def study(
    settings: Settings,
    name: StudyArgument,
    videos: Annotated[
        list[str] | None, typer.Option(help="Videos of the bags: folder, list or world; may be given many times.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Variants, with commas; the base is always among them.")] = None,
    sources: MoreFlag = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the work, each with a GPU if there are.")] = 1,
    index: Annotated[
        str | None, typer.Option(metavar="I/N", help="Do one of N shares, as a job of an array; the last one writes.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is to be made, and how long.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compare variants of one recipe: bags, trainings with several seeds, scores, one table beside the published one.

    Example: maxi study loss --seeds 3
    """
    from maxi_core.studies.plan import make_plan
    from maxi_core.studies.results import read_results
    from maxi_core.studies.run import cost
    from maxi_core.studies.step import Place
    from maxi_core.studies.study import read_study

    found = read_study(name)
    _begin_somewhere(settings, videos)
    share = _share(index, jobs)
    plan = make_plan(found, _variants(found, only, sources), _settling(settings, videos), settings.catalog)
    place = Place(plan.section.out, settings.catalog, tuple(sys.argv), _watch(quiet=quiet))
    if dry_run:
        _show_cost(plan, cost(plan, place.out), json=json)
        return
    folder, before = _folder(place.out, plan.study)
    with log_to(folder / "run.log"):
        _spread(jobs) if jobs > 1 else _work(plan, place, share, quiet=quiet)
        results = read_results(plan, place.out, settings.catalog)
    _finish(results, folder, share, before, json=json)


def _folder(out: Path, study: "Study") -> tuple[Path, list[str]]:
    """Return where the table goes, and the variants of the one that is there.

    Raises UsageError for a folder with files of others, or with the table of another study of the same name.
    """
    from maxi_core.studies.formats import FILES
    from maxi_core.studies.results import read_record
    from maxi_core.system.files import check_replaceable
    from maxi_core.system.replacing import refuse_foreign_files

    folder = out / study.name
    for name in FILES:
        check_replaceable(folder / name)
    if not (folder / FILES[0]).is_file():  # the record, which is written first
        refuse_foreign_files(folder, FILES, "maxi study", "choose another --out")
        return folder, []
    try:
        before = read_record(folder)
    except UsageError as error:
        raise UsageError(error.problem, "choose another --out, or remove it") from None
    if before.file not in (None, study.file) and (not before.file or Path(before.file).exists()):
        other = before.file or f"the study {study.name} that ships"
        raise UsageError(f"{folder} has the table of {other}", "choose another --out, or rename the study")
    return folder, [line.name for line in before.lines]


def _share(index: str | None, jobs: int) -> "Share":
    from maxi_core.studies.run import Share, parse_share

    if index is not None and jobs > 1:
        raise UsageError("--index is one job of an array, and --jobs starts several", "give one of them")
    return Share() if index is None else parse_share(index)


def _begin_somewhere(settings: Settings, videos: list[str] | None) -> None:
    """Take the recipe of the world that has one for studies, where neither a recipe nor videos are named."""
    from maxi_cli.flags import CONFIG_FILE
    from maxi_core.plugin.world_paths import world_studies

    if settings.given.get("config") is None and not videos and not os.path.lexists(CONFIG_FILE):
        settings.given["config"] = world_studies(settings.catalog)


def _settling(settings: Settings, videos: list[str] | None) -> "Settle":
    """Return what settles a recipe between the settings of all variants and those of one."""
    from maxi_core.recipe.recipe import Setting
    from maxi_core.settings.sections import BagsSection

    typed = [Setting("bags", "videos", tuple(videos), "--videos", typed=False)] if videos else []

    def settle(under: "Sequence[Setting]", above: "Sequence[Setting]") -> "Recipe":
        recipe = settings.recipe([*typed, *above], under=under, sources=True)
        if recipe.core("bags", BagsSection).videos is None:
            raise UsageError("which videos? neither --videos nor [bags] videos says", "type --videos FOLDER")
        return recipe

    return settle


def _variants(found: "Study", names: str | None, sources: list[str] | None) -> "list[Variant]":
    from maxi_core.studies.study import About, Variant, only

    more = [
        Variant(
            text.replace(",", "+").replace(":", ".").replace("#", "."),
            About.model_validate({"title": text, "sources": text}),
        )
        for text in sources or ()
    ]
    return [*only(found, by_comma(names or "")), *more]


def _watch(*, quiet: bool) -> "Watch":
    from maxi_cli.progress import follow, follow_training, progress
    from maxi_core.studies.step import Watch

    return Watch(progress(quiet=quiet), follow_training(quiet=quiet), follow(quiet=quiet))


def _work(plan: "Plan", place: "Place", share: "Share", *, quiet: bool) -> None:
    from maxi_core.studies.run import Runner
    from maxi_core.training.stopping import StoppedError

    try:
        with goes_on():
            runner = Runner(place, (lambda _line: None) if quiet else note)
            runner.run(plan, share)
    except StoppedError as error:
        note(f"{error.problem}; {GOES_ON}")
        raise typer.Exit(error.exit_code) from None
    if runner.unnoted:
        first, *more = {str(one): one for one in runner.unnoted}.values()
        for another in more:
            complain(str(another))
        raise first


def _spread(jobs: int) -> None:
    """Start a process for each share, with what was typed, and wait for all."""
    typed, words = iter(sys.argv[1:]), list[str]()
    for word in typed:
        if word == "--jobs":
            next(typed)
        elif not word.startswith("--jobs="):
            words.append(word)
    processes = [
        subprocess.Popen(  # noqa: S603 (our own command, with what was typed; -P: no modules of the current folder)
            [sys.executable, "-P", "-m", "maxi_cli", *words, "--index", f"{number}/{jobs}"],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **_gpu(number)},
        )
        for number in range(1, jobs + 1)
    ]
    try:
        codes = [process.wait() for process in processes]
    except BaseException:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise
    wrong = [how_it_ended(code) for code in codes if code not in (ExitCode.DONE, ExitCode.FAILED)]
    if wrong:
        ends = ", ".join(dict.fromkeys(wrong))
        raise MaxiError(f"{len(wrong)} of {counted(jobs, 'job')} ended with {ends}", GOES_ON)


def _gpu(number: int) -> dict[str, str]:
    """Return the variable that gives a job one of the GPUs that are there, in turn."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = named.split(",") if named else [str(place) for place in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": there[(number - 1) % len(there)]} if there else {}


def _finish(results: "Results", folder: Path, share: "Share", before: "Sequence[str]", *, json: bool) -> None:
    from maxi_core.studies.formats import FILES, write_results

    left = ", ".join(line.name for line in results.lines if line.state in ("partly done", "not begun"))
    if left and share.of > 1:
        stdout().print(f"share {share} is done; others are at {left}, and the last one writes the table")
        return
    if left:
        raise MaxiError(f"not all is done of {left}, so there is no new table", GOES_ON)
    write_results(results, folder)
    if json:
        show_json(results.as_record())
    else:
        _show(results)
        stdout().print(visible(f"in {os.path.relpath(folder)}: {', '.join(FILES)}"), soft_wrap=True)
    if gone := [name for name in before if name not in {line.name for line in results.lines}]:
        note(f"the table that was there had {', '.join(gone)}, too; what was made for it is kept")
    for line in results.failed:
        complain(f"variant {line.name} failed: {line.why}")
    if results.failed:
        raise typer.Exit(ExitCode.FAILED)


def _show(results: "Results") -> None:
    from maxi_cli.demo import as_table
    from maxi_core.studies.formats import grids, remarks

    console = stdout()
    console.print(visible(results.title or results.name), style="bold")
    for title, grid in grids(results):
        console.print(visible(f"{title}:"))
        console.print(as_table(grid))
    for line in remarks(results):
        console.print(visible(line), style="dim")


def _show_cost(plan: "Plan", kinds: "Mapping[str, Mapping[str, Any]]", *, json: bool) -> None:
    rows = [row.variant.name for row in plan.rows]
    if json:
        show_json({"schema": SCHEMA, "variants": rows, "left_out": plan.left_out, "steps": kinds})
        return
    console = stdout()
    console.print(
        visible(f"{counted(len(rows), 'variant')}: {', '.join(rows)}; seeds {', '.join(map(str, plan.seeds))}")
    )
    for name, why in plan.left_out.items():
        console.print(visible(f"left out: {name}: {why}"), soft_wrap=True)
    for kind, found in kinds.items():
        done = f", {found['steps'] - found['left']} of them done" if found["left"] < found["steps"] else ""
        hours = "" if found["seconds"] is None else f", about {found['hours']:.2f} h at {found['seconds']:.0f} s each"
        unknown = "" if hours or not found["left"] else ", time unknown until one is done"
        console.print(f"{found['steps']} x {KINDS[kind]}{done}{hours}{unknown}")
