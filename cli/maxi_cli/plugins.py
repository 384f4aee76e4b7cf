"""`maxi plugins`: what is installed, what it offers, and what is wrong with it."""

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.command import Settings, takes
from maxi_cli.flags import JsonFlag, complete_offer, read_catalog
from maxi_cli.terminal import plain_table, show_json, stdout, visible

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog, Offer, Plugin

SCHEMA = 1


@takes(shared=("plugin", "no_plugin"))
def plugins(
    settings: Settings,
    name: Annotated[
        str | None,
        typer.Argument(help="What a plugin offers, or a plugin, to explain.", autocompletion=complete_offer),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the plugins, or explain one with its options.

    Example: maxi plugins mean
    """
    from maxi_core.plugin.catalog import APART

    catalog = read_catalog(**settings.given, broken_files=True)
    if name is None:
        every = {"schema": SCHEMA, "plugins": list(map(_plugin_as_json, catalog.plugins))}
        show_json(every) if json else _show_all(catalog)
        return
    space = next((space for space in ("", *APART) if catalog.named(name, space)), "")
    silent = [plugin for plugin in catalog.plugins if name in (plugin.name, plugin.label) and plugin.state != "ok"]
    if silent and not catalog.named(name, space):
        show_json({"schema": SCHEMA, **_plugin_as_json(silent[0])}) if json else _show_silent(silent[0])
        return
    offer = catalog.find(name, (space,) if space else ())
    show_json({"schema": SCHEMA, **_offer_as_json(offer)}) if json else _show_offer(offer)


def _show_all(catalog: "Catalog") -> None:
    table = plain_table("offers", "role", "plugin", "from", "state")
    for plugin in catalog.plugins:
        source = visible(f"{plugin.dist} {plugin.version}")
        if plugin.state != "ok":
            table.add_row("-", "-", visible(plugin.name), source, plugin.state, style=_style(plugin))
        for offer in plugin.offers:
            clash = len(catalog.named(offer.name, offer.space)) > 1
            state = f"clash: write {offer.ref}" if clash else "ok"
            row = (offer.name, offer.role, visible(plugin.name), source, visible(state))
            table.add_row(*row, style="yellow" if clash else "")
    console = stdout()
    console.print(table)
    for plugin in catalog.plugins:
        if plugin.error:
            console.print(visible(f"{plugin.label} is {plugin.state}: {plugin.error}"), style=_style(plugin))


def _style(plugin: "Plugin") -> str:
    return {"broken": "red", "off": "dim"}.get(plugin.state, "")


def _show_silent(plugin: "Plugin") -> None:
    console = stdout()
    console.print(visible(f"{plugin.label} {plugin.version} is {plugin.state}: {plugin.error}"), style=_style(plugin))
    for line in plugin.traceback.splitlines():
        console.print(visible(line), soft_wrap=True)


def _show_offer(offer: "Offer") -> None:
    from maxi_core.settings.options import describe

    console = stdout()
    console.print(visible(f"{offer.name} ({offer.role}, {offer.dist} {offer.version})"), style="bold")
    for line in (inspect.getdoc(offer.cls) or "It has no description.").split("\n"):
        console.print(visible(line))
    head = {"title": "\noptions", "title_justify": "left", "title_style": "bold"}
    table = plain_table("option", "type", "default", "help", **head)
    for option in describe(offer.options):
        row = (f"{offer.name}.{option.key}", option.type, option.shown_default, option.help)
        table.add_row(*map(visible, row))
    if table.row_count:
        console.print(table)
    else:
        console.print("\nIt has no options.")


def _plugin_as_json(plugin: "Plugin") -> dict[str, object]:
    return {
        "name": plugin.name,
        "dist": plugin.dist,
        "version": plugin.version,
        "module": plugin.module,
        "hooks": list(plugin.hooks),
        "state": plugin.state,
        "error": plugin.error or None,
        "offers": [{"name": offer.name, "role": offer.role, "ref": offer.ref} for offer in plugin.offers],
    }


def _offer_as_json(offer: "Offer") -> dict[str, object]:
    from maxi_core.settings.options import describe

    return {
        "name": offer.name,
        "role": offer.role,
        "ref": offer.ref,
        "dist": offer.dist,
        "version": offer.version,
        "doc": inspect.getdoc(offer.cls),
        "options": [
            {"key": option.key, "type": option.type, "default": option.default, "help": option.help}
            for option in describe(offer.options)
        ],
    }
