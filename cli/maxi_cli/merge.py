"""`maxi merge`: the bags of a run whose shares were answered by many workers."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from maxi_cli.flags import DecoderFlag, JsonFlag, NoPluginFlag, PluginFlag, QuietFlag, read_catalog, read_recipe
from maxi_cli.logs import log_to
from maxi_cli.made import report
from maxi_cli.progress import watching
from maxi_cli.terminal import plugins_at_work
from maxi_core.errors import UsageError


def merge(
    run: Annotated[Path, typer.Argument(help="Run folder of maxi bags --shard.", show_default=False)],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace bags that were made of something else.")
    ] = False,
    decoder: DecoderFlag = None,
    plugin: PluginFlag = None,
    no_plugin: NoPluginFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make the bags of a run when all its shares are done, if the worker that was last could not.

    Example: maxi merge runs/mine
    """
    from maxi_core.bags.planning import make_job
    from maxi_core.bags.shard import FOLDER
    from maxi_core.bags.sharing import RECIPE
    from maxi_core.bags.sharing import merge as run_merge

    settled = run / FOLDER / RECIPE
    if not settled.is_file():
        raise UsageError(f"no share of {run} was begun", "begin them: maxi bags ... --shard 1/4 to --shard 4/4")
    catalog = read_catalog(no_plugin, plugin)
    recipe = read_recipe(catalog, settled, None, {"bags.out": run, "video.decoder": decoder}, players=True, typed=False)
    with plugins_at_work():
        job = make_job(catalog, recipe, tuple(sys.argv), strict=False, overwrite=overwrite)
    with plugins_at_work(), log_to(job.out / "run.log"):
        made = run_merge(job, watching(quiet=quiet))
    report(job, made, json=json)
