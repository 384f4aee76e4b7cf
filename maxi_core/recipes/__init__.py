"""Recipes that come with maxi, for `--config NAME`: the paper's, each line with its source, and the sandbox's."""

from pathlib import Path

PAPERS = ("maxi-k400", "maxi-fewshot")
SHIPPED = (*PAPERS, "sandbox")


def shipped(config: Path) -> Path:
    """Return the file of a recipe that comes with maxi if `config` is its name and no file here, else `config`."""
    if str(config) in SHIPPED and not config.exists():
        return Path(__file__).parent / f"{config}.toml"
    return config
