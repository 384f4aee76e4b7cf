"""`maxi env`: versions, devices, decoders, folders, keys and settings, to be pasted into a report."""

from typing import Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag
from maxi_cli.terminal import show_json, stdout, visible
from maxi_core.errors import ExitCode

SCHEMA = 1


@takes()
def env(
    settings: Settings,
    llm: Annotated[bool, typer.Option("--llm", help="Try the endpoints that sources stand on, at no cost.")] = False,
    json: JsonFlag = False,
) -> None:
    """Print versions, devices, decoders, folders, keys as set or unset, and the settings that are not defaults.

    Example: maxi env --json
    """
    from maxi_core.recipe.probing import probe_sources
    from maxi_core.system import environment

    catalog, recipe = settings.catalog, settings.recipe()
    report = environment.report(catalog, recipe)
    well = True
    if llm:
        report["llm"], well = probe_sources(catalog, recipe)
    show_json({"schema": SCHEMA, **report}) if json else _show(report)
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def _show(report: dict[str, dict[str, str]]) -> None:
    console = stdout()
    for title, rows in report.items():
        console.print(title, style="bold")
        for key, value in rows.items():
            style = "red" if key.endswith(".error") else "yellow" if key.endswith(".warning") else None
            console.print(visible(f"  {key:24} {value}"), soft_wrap=True, style=style)
