"""Commands that have commands: `maxi` itself and `maxi data`, alone and in their help."""

from typing import Any

import typer
from typer.core import TyperGroup

WHOLE = 1000  # characters of a summary: typer would cut it where the line ends


def show_help(context: typer.Context) -> None:
    """Print the help of a group that was typed without a command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class CommandGroup(TyperGroup):
    """A group whose help has the whole first sentence of each command, on as many lines as it takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and summaries of the commands."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, found.get_short_help_str(WHOLE)) for name, found in commands if found and not found.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
