"""`maxi export`: what maxi has made, in the files of other people's tools."""

import typer

from maxi_cli.command import Command
from maxi_cli.export_bags import export_bags
from maxi_cli.export_model import export_model
from maxi_cli.group import CommandGroup, show_help

export = typer.Typer(
    name="export",
    help="Write what maxi has made in the files of other tools.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    cls=CommandGroup,
    invoke_without_command=True,
    callback=show_help,
)
export.command("bags", cls=Command)(export_bags)
export.command("model", cls=Command)(export_model)
