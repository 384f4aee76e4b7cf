"""The Typer app: every command in the order in which a user meets it."""

from typing import Annotated

import typer

from maxi_cli.bags import bags, merge
from maxi_cli.check import check
from maxi_cli.check_plugin import check_plugin
from maxi_cli.compare import compare
from maxi_cli.data import data
from maxi_cli.demo import demo
from maxi_cli.ensemble import ensemble
from maxi_cli.env import env
from maxi_cli.evaluate import evaluate
from maxi_cli.new_plugin import new_plugin
from maxi_cli.plugins import plugins
from maxi_cli.predict import predict
from maxi_cli.show import show
from maxi_cli.stats import stats
from maxi_cli.terminal import LEVELS, set_up_logs
from maxi_cli.train import train
from maxi_core.errors import UsageError
from maxi_core.version import __version__

app = typer.Typer(
    name="maxi",
    help="Zero-shot action recognition from unlabelled videos: match, expand, improve.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain text: the same at any width and in any log
    pretty_exceptions_enable=False,
)

app.command()(demo)
app.command()(bags)
app.command()(show)
app.command()(stats)
app.command()(merge)
app.command()(train)
app.command()(ensemble)
app.command("eval")(evaluate)
app.command()(compare)
app.command()(predict)
app.add_typer(data)
app.command()(check)
app.command()(plugins)
app.command("new-plugin")(new_plugin)
app.command("check-plugin")(check_plugin)
app.command()(env)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maxi {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help=f"What to log on stderr: {', '.join(LEVELS)}.")
    ] = "warning",
    version: Annotated[  # noqa: ARG001 (its callback does the work)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Zero-shot action recognition from unlabelled videos: match, expand, improve."""
    if log_level.lower() not in LEVELS:
        raise UsageError(f"--log-level {log_level} is not a level", f"one of {', '.join(LEVELS)}")
    set_up_logs(log_level.lower())
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
