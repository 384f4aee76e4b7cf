"""Commands that have commands: `maxi` itself and `maxi data`, alone and in their help."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, TypeAlias

import typer
from typer.core import TyperGroup
from typer.main import get_command

from maxi_cli.command import Command

HELP = {"help_option_names": ["-h", "--help"]}

# name of a command -> where it stands, `module:function`; of a group -> its sentence and its commands
Table: TypeAlias = Mapping[str, "str | tuple[str, Mapping[str, str]]"]


def show_help(context: typer.Context) -> None:
    """Print the help of a group that was typed without a command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class CommandGroup(TyperGroup):
    """A group that imports a command when it is wanted, and whose help has the whole first sentence of each."""

    table: ClassVar[Table]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": dict.fromkeys(self.table)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (the signature is typer's)
        """Return a command by name, None if there is none."""
        if cmd_name in self.commands and not self.commands[cmd_name]:
            self.commands[cmd_name] = _command(cmd_name, self.table[cmd_name])
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and summaries of the commands."""
        rows = [(name, _summary(self.table[name])) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def group_of(table: Table) -> type[CommandGroup]:
    """Return the class of a group with these commands."""
    return type("CommandGroup", (CommandGroup,), {"table": table})


def _summary(found: "str | tuple[str, Mapping[str, str]]") -> str:
    """Return the first sentence of a command, without making its flags."""
    if not isinstance(found, str):
        return found[0]
    module, _, function = found.partition(":")
    said = getattr(import_module(f"maxi_cli.{module}"), function).__doc__ or ""
    return str(said.partition("\n\n")[0].strip())


def _command(name: str, found: "str | tuple[str, Mapping[str, str]]") -> Any:
    plain: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False}
    if isinstance(found, str):
        module, _, function = found.partition(":")
        app = typer.Typer(**plain)
        app.command(name, cls=Command)(getattr(import_module(f"maxi_cli.{module}"), function))
    else:
        sentence, table = found
        more: dict[str, Any] = {"invoke_without_command": True, "callback": show_help}
        app = typer.Typer(name=name, help=sentence, cls=group_of(table), context_settings=HELP, **plain, **more)
    return get_command(app)
