"""What the shell offers after TAB: names of plugins, sources and options, without loading anything heavy."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

    from maxi_core.plugins import Catalog


def complete_plugin(incomplete: str) -> list[str]:
    """Complete the name of an installed plugin."""
    return sorted({plugin.name for plugin in _catalog().plugins if plugin.name.startswith(incomplete)})


def complete_offer(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of whatever plugins offer, or of a broken plugin, with its role."""
    catalog = _catalog()
    named = [(offer.name, offer.role) for offer in catalog.offers]
    named += [(plugin.name, plugin.state) for plugin in catalog.plugins if plugin.state != "ok"]
    return sorted(pair for pair in set(named) if pair[0].startswith(incomplete))


def complete_sources(incomplete: str) -> list[str]:
    """Complete the last name of a comma-separated list of sources, such as `gpt3,bl`."""
    from maxi_core.sources import ROLES

    head, comma, last = incomplete.rpartition(",")
    taken = set(head.split(","))
    catalog = _catalog()
    names = sorted(catalog.key(offer) for offer in catalog.offers if offer.role in ROLES)
    return [f"{head}{comma}{name}" for name in names if name.startswith(last) and name not in taken]


def complete_option(incomplete: str) -> list[str]:
    """Complete the `name.key=` of an option."""
    from maxi_core.sections import CORE, core_section

    catalog = _catalog()
    models: dict[str, type[BaseModel]] = {
        catalog.key(offer): offer.options for offer in catalog.offers if not offer.space
    }
    models |= {name: core_section(name) for name in CORE}
    paths = [f"{name}.{key}=" for name, model in models.items() for key in model.model_fields]
    return sorted(path for path in paths if path.startswith(incomplete))


def _catalog() -> "Catalog":
    from maxi_cli.flags import read_catalog
    from maxi_core.errors import MaxiError
    from maxi_core.plugins import discover

    try:
        return read_catalog()
    except MaxiError:  # the command itself will say what is wrong
        return discover(only=[])
