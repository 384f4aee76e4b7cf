"""`maxi check-plugin`: whether a source, temporal module or objective keeps its contract."""

from collections import Counter
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, complete_offer
from maxi_cli.terminal import show_json, stdout, visible
from maxi_core.errors import ExitCode
from maxi_core.texts import counted

if TYPE_CHECKING:
    from maxi_core.testing.contract import Finding

SCHEMA = 2
STYLES = {"kept": "green", "broken": "red", "not checked": "yellow"}
INDENT = 13


@takes()
def check_plugin(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="A source, temporal module or objective.", autocompletion=complete_offer)],
    full: Annotated[
        bool, typer.Option("--full", help="Ask it questions too; that may load models or cost money.")
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="What to ask it with --full: a file of texts, one a line, or videos."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Hold a plugin to its contract, as far as nobody needs to be asked; with --full, to all of it.

    Returns 1 if anything is broken or was not checked.

    Example: maxi check-plugin mean --full
    """
    from maxi_core.testing.contract import check_offer

    found = check_offer(settings.catalog, settings.recipe(), name, full=full, questions=questions)
    if json:
        rows = [{"check": one.sentence, "state": one.state, "why": one.why or None} for one in found.findings]
        show_json({"schema": SCHEMA, "name": name, "checks": rows, "left_out": list(found.left_out)})
    else:
        _show(found.findings)
        if found.left_out:
            _line(f"{len(found.left_out)} that ask it are not checked: maxi check-plugin {name} --full", 0)
    if found.left_out or any(one.state != "kept" for one in found.findings):
        raise typer.Exit(ExitCode.FAILED)


def _show(findings: "tuple[Finding, ...]") -> None:
    console = stdout()
    for one in findings:
        console.print(f"{one.state:{INDENT}}{one.sentence}", style=STYLES[one.state])
        if one.why:
            _line(one.why, INDENT)
    counts = Counter(one.state for one in findings)
    rest = "".join(f", {counts[state]} {state}" for state in ("broken", "not checked") if counts[state])
    console.print(f"{counts['kept']} of {counted(len(findings), 'check')} kept{rest}", style="bold")


def _line(text: str, indent: int) -> None:
    console, margin = stdout(), " " * indent
    console.print(
        fill(visible(text), console.width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False),
        soft_wrap=True,
    )
