"""The Typer app: every command in the order in which a user meets it."""

from typing import Annotated

import typer

from maxi_cli.flags import offering
from maxi_cli.group import HELP, Table, group_of, show_help
from maxi_cli.terminal import LEVELS, set_up_logs
from maxi_core.errors import UsageError
from maxi_core.version import __version__

COMMANDS: Table = {
    "demo": "demo:demo",
    "bags": "bags:bags",
    "show": "show:show",
    "stats": "stats:stats",
    "report": "report:report",
    "merge": "bags:merge",
    "train": "train:train",
    "ensemble": "ensemble:ensemble",
    "eval": "evaluate:evaluate",
    "compare": "compare:compare",
    "predict": "predict:predict",
    "heatmap": "heatmap:heatmap",
    "study": "study:study",
    "check": "check:check",
    "plugins": "plugins:plugins",
    "new-plugin": "new_plugin:new_plugin",
    "check-plugin": "check_plugin:check_plugin",
    "env": "env:env",
    "data": (
        "Which benchmarks there are, what their files hold, and lists made of them.",
        {"list": "data:list_known", "stats": "data:stats", "convert": "data:convert", "shots": "data:shots"},
    ),
    "import": (
        "Take in checkpoints and bags that other projects have released.",
        {"checkpoint": "import_:checkpoint", "bags": "import_:import_bags"},
    ),
    "export": (
        "Write what maxi has made in the files of other tools.",
        {"bags": "export:export_bags", "model": "export:export_model"},
    ),
}

app = typer.Typer(
    name="maxi",
    cls=group_of(COMMANDS),
    help="Zero-shot action recognition from unlabelled videos: match, expand, improve.",
    context_settings=HELP,
    rich_markup_mode=None,  # plain text: the same at any width and in any log
    pretty_exceptions_enable=False,
)


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
