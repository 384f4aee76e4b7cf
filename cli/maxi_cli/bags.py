"""`maxi bags`: from videos and action names to text bags."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maxi_cli.benchmark_flags import NamesFlag
from maxi_cli.completion import complete_sources
from maxi_cli.flags import (
    ClipSecondsFlag,
    ConfigFlag,
    DecoderFlag,
    FrameCacheFlag,
    JsonFlag,
    NoPluginFlag,
    OptionFlag,
    OutsideFlag,
    PluginFlag,
    QuietFlag,
    RetriesFlag,
    RootFlag,
    VideoTimeoutFlag,
    WorkersFlag,
    read_catalog,
    read_recipe,
)
from maxi_cli.logs import log_to
from maxi_cli.made import report, report_share
from maxi_cli.progress import watching
from maxi_cli.terminal import plugins_at_work, show_json, stdout, visible
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from maxi_core.bags.job import Job
    from maxi_core.plugins import Catalog
    from maxi_core.recipe import Recipe

SCHEMA = 1


def bags(
    videos: Annotated[
        str | None, typer.Argument(help="Folder, list, CSV or JSON lines of videos, or sandbox.", show_default=False)
    ] = None,
    dictionary: Annotated[
        str | None, typer.Option(help="File of action names, or a known name: kinetics400, minikinetics, sandbox.")
    ] = None,
    names: NamesFlag = None,
    sources: Annotated[
        str | None, typer.Option(help="Sources by name, with commas.", autocompletion=complete_sources)
    ] = None,
    without: Annotated[str | None, typer.Option(help="Sources of the recipe to leave out, with commas.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    keep: Annotated[float | None, typer.Option(help="Share of videos with the best matches that get texts.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder that keeps all answers.")] = None,
    root: RootFlag = None,
    decoder: DecoderFlag = None,
    workers: WorkersFlag = None,
    video_timeout: VideoTimeoutFlag = None,
    retries: RetriesFlag = None,
    frame_cache: FrameCacheFlag = None,
    clip_seconds: ClipSecondsFlag = None,
    allow_outside_root: OutsideFlag = None,
    max_skipped: Annotated[int | None, typer.Option(help="Stop when more videos cannot be used.")] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Answer one of N shares; the last one makes the bags.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write and ask nothing.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Use a run folder that was made of something else.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first fault of a source.")] = False,
    config: ConfigFlag = None,
    option: OptionFlag = None,
    plugin: PluginFlag = None,
    no_plugin: NoPluginFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Match videos to action names and fill a bag of texts for each.

    Example: maxi bags clips/ --dictionary actions.txt --sources gpt3,blip --out runs/mine
    """
    from maxi_core.bags.job import run_job
    from maxi_core.bags.planning import plan
    from maxi_core.bags.shard import FOLDER, parse_shard, shard_of_environment
    from maxi_core.bags.sharing import run_shard

    part = shard_of_environment(os.environ) if shard is None else parse_shard(shard)
    catalog = read_catalog(no_plugin, plugin, config)
    aliases: dict[str, Any] = {"bags.videos": videos, "bags.dictionary": dictionary, "bags.keep": keep}
    aliases |= {"bags.names": names}
    aliases |= {"bags.out": out, "bags.store": store, "bags.root": root}
    aliases |= {"video.decoder": decoder, "video.workers": workers, "video.timeout": video_timeout}
    aliases |= {"video.retries": retries, "video.frame_cache": frame_cache, "video.clip_seconds": clip_seconds}
    aliases |= {"video.allow_outside_root": allow_outside_root, "video.max_skipped": max_skipped}
    recipe = _recipe(catalog, config, option, aliases, sources, without)
    with plugins_at_work():
        job = _job(catalog, recipe, strict=strict, overwrite=overwrite, dry=dry_run)
    if dry_run:
        job = job if part is None else replace(job, videos=part.share(job.videos))
        show_json({"schema": SCHEMA, **plan(job)}) if json else _show_plan(plan(job))
        return
    if part is None:
        with plugins_at_work(), log_to(job.out / "run.log"):
            made = run_job(job, watching(quiet=quiet))
        report(job, made, json=json)
        return
    with plugins_at_work(), log_to(job.out / FOLDER / f"{part.name}.log"):
        share = run_shard(job, part, watching(quiet=quiet))
    report_share(job, share, json=json)


def _recipe(
    catalog: "Catalog",
    config: Path | None,
    option: list[str] | None,
    aliases: dict[str, Any],
    sources: str | None,
    without: str | None,
) -> "Recipe":
    from maxi_core.parts import cast_parts, drop_parts
    from maxi_core.recipe import Setting
    from maxi_core.sections import SourcesSection

    parts: list[Setting] = []
    if sources is not None:
        named = cast_parts(catalog, _names(sources))
        parts += [Setting("sources", key, who, "--sources", typed=False) for key, who in named.items()]
    if without is not None:
        now = read_recipe(catalog, config, option, aliases, more=parts).core("sources", SourcesSection)
        left = drop_parts(catalog, now, _names(without))
        parts += [Setting("sources", key, who, "--without", typed=False) for key, who in left.items()]
    return read_recipe(catalog, config, option, aliases, more=parts, players=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _job(catalog: "Catalog", recipe: "Recipe", *, strict: bool, overwrite: bool, dry: bool) -> "Job":
    from maxi_core.bags.planning import make_job
    from maxi_core.sections import BagsSection

    section = recipe.core("bags", BagsSection)
    wanted = {"videos": section.videos, "dictionary": section.dictionary, "out": section.out}
    for key, flag in (("videos", "VIDEOS"), ("dictionary", "--dictionary"), ("out", "--out")):
        if wanted[key] is None:
            raise UsageError(f"which {key}? neither {flag} nor [bags] {key} says", f"type {flag} or set bags.{key}")
    return make_job(catalog, recipe, tuple(sys.argv), strict=strict, overwrite=overwrite, dry=dry)


def _show_plan(plan: dict[str, object]) -> None:
    console = stdout()
    for key, value in plan.items():
        console.print(visible(f"{key:12} {value}"), soft_wrap=True)
