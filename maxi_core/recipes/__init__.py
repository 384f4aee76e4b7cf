"""Recipes that come with maxi: the paper's settings, each line with its source, for `--config NAME`."""

from pathlib import Path

SHIPPED = ("maxi-k400", "maxi-fewshot")


def shipped(config: Path) -> Path:
    """Return the file of a recipe that comes with maxi if `config` is its name and no file here, else `config`."""
    if str(config) in SHIPPED and not config.exists():
        return Path(__file__).parent / f"{config}.toml"
    return config
