"""`maxi check-plugin`: whether a source or temporal module keeps its contract."""

from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.completion import complete_offer
from maxi_cli.flags import ConfigFlag, JsonFlag, NoPluginFlag, OptionFlag, PluginFlag, read_catalog, read_recipe
from maxi_cli.terminal import show_json, stdout, visible
from maxi_core.errors import ExitCode

if TYPE_CHECKING:
    from maxi_core.conformance.running import Finding

SCHEMA = 1
STYLES = {"kept": "green", "broken": "red", "not checked": "yellow"}


def check_plugin(
    name: Annotated[str, typer.Argument(help="A source or temporal module.", autocompletion=complete_offer)],
    full: Annotated[
        bool, typer.Option("--full", help="Ask it questions too; that may load models or cost money.")
    ] = False,
    config: ConfigFlag = None,
    option: OptionFlag = None,
    plugin: PluginFlag = None,
    no_plugin: NoPluginFlag = None,
    json: JsonFlag = False,
) -> None:
    """Hold a source or temporal module to its contract, as far as nobody needs to be asked.

    Example: maxi check-plugin mean --full
    """
    from maxi_core.conformance.running import check_offer

    catalog = read_catalog(no_plugin, plugin, config)
    recipe = read_recipe(catalog, config, option)
    findings = check_offer(catalog, recipe, name, full=full)
    if json:
        rows = [{"check": found.sentence, "state": found.state, "why": found.why or None} for found in findings]
        show_json({"schema": SCHEMA, "name": name, "checks": rows})
    else:
        _show(findings, "" if full else f"; maxi check-plugin {name} --full asks it questions, too")
    if any(found.state == "broken" for found in findings):
        raise typer.Exit(ExitCode.FAILED)


def _show(findings: "list[Finding]", more: str) -> None:
    console = stdout()
    for found in findings:
        console.print(f"{found.state:11}  {found.sentence}", style=STYLES[found.state])
        if found.why:
            console.print(visible(f"             {found.why}"), soft_wrap=True)
    kept = sum(found.state == "kept" for found in findings)
    console.print(f"{kept} of {len(findings)} checks kept{more}", style="bold")
