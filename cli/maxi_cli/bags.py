"""`maxi bags`: from videos and action names to text bags."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, QuietFlag, complete_sources, read_recipe
from maxi_cli.progress import progress
from maxi_cli.terminal import (
    announce,
    brought,
    complain,
    goes_on,
    log_to,
    show_json,
    stdout,
    uploaded,
    visible,
)
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.urls import refuse_remote
from maxi_core.texts import by_comma, counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from maxi_core.bags.run import Job, Made
    from maxi_core.bags.shard import Shard
    from maxi_core.bags.sharing import Share
    from maxi_core.recipe.recipe import Recipe

# What `maxi bags` and `maxi merge` show of what they made.


def report(job: "Job", made: "Made", *, json: bool) -> None:
    """Print the counts of a run; leaves with an exit code if a source was of no use at all."""
    from maxi_core.bags.run import useless

    show_json({"schema": SCHEMA, **as_json(job, made)}) if json else show_made(job, made)
    lines = useless(job.sources, made)
    for line in lines:
        complain(line)
    if lines:
        raise typer.Exit(ExitCode.SKIPPED)


def report_share(job: "Job", share: "Share", *, json: bool) -> None:
    """Print what became of a share, and of the run if this was the last one."""
    from maxi_core.bags.shard import some

    missing = [str(shard) for shard in share.missing]
    if json:
        whole = as_json(job, share.made) if share.made else None
        counts = {name: getattr(share.tally, name) for name in ("videos", "matched", "asked")}
        counts["skipped"] = len(share.skipped)
        show_json({"schema": SCHEMA, "shard": str(share.shard), **counts, "missing": missing, "run": whole})
        return
    console, tally = stdout(), share.tally
    console.print(f"share {share.shard}: {tally.matched} of {counted(tally.videos, 'video')} matched")
    show_skipped(job.out / "shards" / f"{share.shard.name}.skipped.jsonl", share.skipped)
    if share.made:
        show_made(job, share.made)
    elif missing:
        console.print(f"to be done: {some(missing)}; the last one makes the bags", soft_wrap=True)
    else:
        shown = os.path.relpath(job.out)
        console.print(visible(f"another process makes the bags; if it dies: maxi merge {shown}"), soft_wrap=True)


def as_json(job: "Job", made: "Made") -> dict[str, object]:
    """Return the counts of a run for programs."""
    from maxi_core.bags.run import useless

    tally = made.tally
    return {
        "out": str(job.upload.at if job.upload else job.out),
        "videos": tally.videos,
        "matched": tally.matched,
        "kept": tally.kept,
        "threshold": tally.threshold,
        "texts": sum(made.sizes),
        "empty": sum(not size for size in made.sizes),
        "asked": tally.asked,
        "dropped": {source.label: tally.of(source.label).dropped for source in job.sources.filters},
        "passes": tally.passes,
        "useless": useless(job.sources, made),
        "skipped": len(made.skipped),
    }


def show_made(job: "Job", made: "Made") -> None:
    """Print the counts of a run."""
    tally, console = made.tally, stdout()
    console.print(
        f"{counted(tally.kept, 'bag')} of {counted(tally.videos, 'video')}: {tally.matched} matched, "
        f"{tally.kept} kept (score {tally.threshold:.4f} or better)"
    )
    if made.sizes:
        mean = sum(made.sizes) / len(made.sizes)
        empty = sum(not size for size in made.sizes)
        console.print(
            f"{mean:.1f} texts in a bag ({min(made.sizes)} to {max(made.sizes)}), {counted(empty, 'bag')} empty"
        )
    for source in job.sources.filters:
        heard = tally.of(source.label)
        console.print(visible(f"{source.label} dropped {heard.dropped} of {counted(heard.texts, 'text')}"))
    asked = ", ".join(f"{name} {count}" for name, count in tally.asked.items())
    console.print(f"asked now: {asked}; all else was known", soft_wrap=True)
    show_skipped(job.out / "skipped.jsonl", made.skipped)
    shown = str(job.upload.at) if job.upload else os.path.relpath(job.out)
    console.print(visible(f"next: maxi show {shown}, maxi stats {shown}"), soft_wrap=True)


def show_skipped(path: "Path", records: "Sequence[Mapping[str, object]]") -> None:
    """Print what was left out, by stage and reason, and where all of it is."""
    from maxi_core.video.skips import grouped

    console = stdout()
    for line in grouped(records):
        console.print(visible(line), style="yellow", soft_wrap=True)
    if records:
        console.print(visible(f"{len(records)} skipped in all: {os.path.relpath(path)}"), style="yellow")


SCHEMA = 1


@takes("bags", "video", "sources.filters")
def bags(
    settings: Settings,
    sources: Annotated[
        str | None, typer.Option(help="Sources by name, with commas.", autocompletion=complete_sources)
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(help="Sources of the recipe to leave out, with commas.", autocompletion=complete_sources),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Answer one of N shares; the last one makes the bags.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it costs and what would fail.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Use a run folder that was made of something else.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first fault of a source.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Match videos to action names and fill a bag of texts for each.

    Example: maxi bags clips/ --dictionary actions.txt --sources gpt3,blip --out runs/mine
    """
    from maxi_core.bags.run import run_job
    from maxi_core.bags.shard import FOLDER, parse_shard, shard_of_environment
    from maxi_core.bags.sharing import run_shard

    part = shard_of_environment(os.environ) if shard is None else parse_shard(shard)
    recipe = _recipe(settings, sources, without)
    job = _job(settings, recipe, part, strict=strict, overwrite=overwrite, dry=dry_run)
    if not quiet:
        announce(f"{_counts(job)}{brought(recipe, 'bags')}")
    if job.upload and not quiet and not dry_run:
        announce(f"{job.upload.at} is made in {job.upload.folder}, and uploaded when it is complete")
    if dry_run:
        _show_plan(job, part, json=json)
        return
    log, watch = "run.log" if part is None else f"{FOLDER}/{part.name}.log", progress(quiet=quiet)
    with goes_on():
        with log_to(job.out / log):
            done = run_job(job, watch) if part is None else run_shard(job, part, watch)
        if job.upload:
            uploaded(job.upload, job.upload.run())
    _report(job, done, json=json)


def _job(
    settings: Settings, recipe: "Recipe", part: "Shard | None", *, strict: bool, overwrite: bool, dry: bool
) -> "Job":
    from maxi_core.bags.plan import make_job

    typed, shared = tuple(sys.argv), part is not None
    job = make_job(settings.catalog, recipe, typed, strict=strict, overwrite=overwrite, dry=dry, shared=shared)
    if shared and job.answer is not None:
        raise UsageError("--shard and --engine both share out the videos", "give one of them")
    return job


def _counts(job: "Job") -> str:
    who = ", ".join(source.label for source in job.sources.every())
    return f"{counted(len(job.videos), 'video')}, {counted(len(job.dictionary.entries), 'name')}, sources {who}"


def _show_plan(job: "Job", part: "Shard | None", *, json: bool) -> None:
    """Print what it costs; leaves with an exit code if something would fail."""
    from maxi_core.bags.cost import in_lines, plan

    job = job if part is None else replace(job, videos=part.share(job.videos))
    planned = plan(job)
    if json:
        show_json({"schema": SCHEMA, **planned})
    for line in () if json else in_lines(planned):
        stdout().print(visible(line), soft_wrap=True)
    if planned["fails"]:
        raise typer.Exit(ExitCode.FAILED)


def _report(job: "Job", done: "Made | Share", *, json: bool) -> None:
    from maxi_core.bags.run import Made

    report(job, done, json=json) if isinstance(done, Made) else report_share(job, done, json=json)


def _recipe(settings: Settings, sources: str | None, without: str | None) -> "Recipe":
    from maxi_core.recipe.parts import cast_parts, drop_parts
    from maxi_core.recipe.recipe import Setting
    from maxi_core.settings.sections import SourcesSection

    parts: list[Setting] = []
    if sources is not None:
        named = cast_parts(settings.catalog, by_comma(sources))
        if "filters" in named and settings.aliases["sources.filters"] is not None:
            raise UsageError(f"--sources names the filter {named['filters'][0]}, and --filters others", "use --filters")
        parts += [Setting("sources", key, who, "--sources", typed=False) for key, who in named.items()]
    if without is not None:
        now = settings.recipe(parts).core("sources", SourcesSection)
        left = drop_parts(settings.catalog, now, by_comma(without))
        parts += [Setting("sources", key, who, "--without", typed=False) for key, who in left.items()]
    return settings.recipe(parts, sources=True)


# `maxi merge`: the bags of a run whose shares were answered by many workers.


@takes("video.decoder", shared=("plugin", "no_plugin"))
def merge(
    settings: Settings,
    run: Annotated[Path, typer.Argument(help="Run folder of maxi bags --shard.", show_default=False)],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace bags that were made of something else.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first fault of a source.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make the bags of a run when all its shares are done, if the worker that was last could not.

    Example: maxi merge runs/mine
    """
    from maxi_core.bags.plan import make_job
    from maxi_core.bags.shard import FOLDER
    from maxi_core.bags.sharing import RECIPE
    from maxi_core.bags.sharing import merge as run_merge

    refuse_remote(run)
    settled = run / FOLDER / RECIPE
    if not settled.is_file():
        raise UsageError(f"no share of {run} was begun", "begin them: maxi bags ... --shard 1/4 to --shard 4/4")
    aliases = {"bags.out": run, **settings.aliases}
    recipe = read_recipe(settings.catalog, settled, None, aliases, sources=True, typed=False)
    job = make_job(settings.catalog, recipe, tuple(sys.argv), strict=strict, overwrite=overwrite, shared=True)
    with goes_on(), log_to(job.out / "run.log"):
        made = run_merge(job, progress(quiet=quiet))
    report(job, made, json=json)
