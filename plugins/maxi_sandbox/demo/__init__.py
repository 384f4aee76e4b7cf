"""The story of the sandbox in public commands, and the table that it ends with."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.plugin.roles import Outcome

if TYPE_CHECKING:
    from maxi_sandbox.demo.commands import Command


class Story:
    """The demonstration, as `maxi demo` takes it from a world."""

    beside = "no command: maxi demo counts the caption vote itself, from OUT/captions, and makes the table from all"

    def commands(self, out: Path, seeds: int) -> Iterator["Command"]:
        """Yield the commands in order."""
        from maxi_sandbox.demo.commands import commands

        return commands(out, seeds)

    def outcome(self, out: Path, seeds: int) -> Outcome:
        """Return the table, the checks on it and what to type next."""
        from maxi_sandbox.demo.gates import gates, read_matching
        from maxi_sandbox.demo.screen import afterwards, plain, screen
        from maxi_sandbox.demo.table import read_table

        table = read_table(out, seeds)
        checked = gates(table, read_matching(out))
        return Outcome(tuple(screen(table, checked, seeds)), plain(table, checked), afterwards(out))
