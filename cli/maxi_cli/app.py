"""The Typer app: every command in the order in which a user meets it."""

from typing import Annotated

import typer

from maxi_cli.bags import bags, merge
from maxi_cli.check import check
from maxi_cli.check_plugin import check_plugin
from maxi_cli.command import Command
from maxi_cli.compare import compare
from maxi_cli.data import data
from maxi_cli.demo import demo
from maxi_cli.ensemble import ensemble
from maxi_cli.env import env
from maxi_cli.evaluate import evaluate
from maxi_cli.export import export
from maxi_cli.flags import offering
from maxi_cli.group import CommandGroup, show_help
from maxi_cli.heatmap import heatmap
from maxi_cli.import_ import imports
from maxi_cli.new_plugin import new_plugin
from maxi_cli.plugins import plugins
from maxi_cli.predict import predict
from maxi_cli.report import report
from maxi_cli.show import show
from maxi_cli.stats import stats
from maxi_cli.study import study
from maxi_cli.terminal import LEVELS, set_up_logs
from maxi_cli.train import train
from maxi_core.errors import UsageError
from maxi_core.version import __version__

app = typer.Typer(
    name="maxi",
    cls=CommandGroup,
    help="Zero-shot action recognition from unlabelled videos: match, expand, improve.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain text: the same at any width and in any log
    pretty_exceptions_enable=False,
)

app.command(cls=Command)(demo)
app.command(cls=Command)(bags)
app.command(cls=Command)(show)
app.command(cls=Command)(stats)
app.command(cls=Command)(report)
app.command(cls=Command)(merge)
app.command(cls=Command)(train)
app.command(cls=Command)(ensemble)
app.command("eval", cls=Command)(evaluate)
app.command(cls=Command)(compare)
app.command(cls=Command)(predict)
app.command(cls=Command)(heatmap)
app.command(cls=Command)(study)
app.add_typer(data)
app.add_typer(imports)
app.add_typer(export)
app.command(cls=Command)(check)
app.command(cls=Command)(plugins)
app.command("new-plugin", cls=Command)(new_plugin)
app.command("check-plugin", cls=Command)(check_plugin)
app.command(cls=Command)(env)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maxi {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    log_level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL", help=f"What to log on stderr: {', '.join(LEVELS)}.", autocompletion=offering(closed=LEVELS)
        ),
    ] = "warning",
    version: Annotated[  # noqa: ARG001 (its callback does the work)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Zero-shot action recognition from unlabelled videos: match, expand, improve."""
    if log_level.lower() not in LEVELS:
        raise UsageError(f"--log-level {log_level} is not a level", f"one of {', '.join(LEVELS)}")
    set_up_logs(log_level.lower())
    show_help(context)
