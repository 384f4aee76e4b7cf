"""Recipes that have a name, for `--config NAME`: the paper's, each line with its source, and those of worlds."""

from pathlib import Path

from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.world_paths import world_path

PAPERS = ("maxi-k400", "maxi-fewshot")


def shipped(config: Path, catalog: Catalog) -> Path:
    """Return the file of the recipe that `config` names: of a world, or one of the paper's if no such file is here."""
    if str(config) in PAPERS and not config.exists():
        return Path(__file__).parent / f"{config}.toml"
    return world_path(catalog, "recipe", str(config)) or config
