"""Recipes that have a name, for `--config NAME`: the paper's, each line with its source, a faster one, and worlds'."""

from pathlib import Path

from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.world_paths import world_path

PAPERS = ("maxi-k400", "maxi-fewshot")
SHIPPED = (*PAPERS, "maxi-fast")


def shipped(config: Path, catalog: Catalog) -> Path:
    """Return the file of the recipe that `config` names: of a world, or one that ships if no such file is here."""
    if str(config) in SHIPPED and not config.exists():
        return Path(__file__).parent / f"{config}.toml"
    return world_path(catalog, "recipe", str(config)) or config
