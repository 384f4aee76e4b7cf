"""Recipes in Python: what is said after --config and -o on the command line, as plain values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.plugin.catalog import Catalog
from maxi_core.recipe.plugin_files import without_files
from maxi_core.recipe.recipe import Recipe, Setting, from_file, from_flag, settle, with_decoder
from maxi_core.recipe.shipped import shipped

if TYPE_CHECKING:
    from maxi_core.studies.plan import Settle

Values = Mapping[str, object]  # by path of the option: {"bags.keep": 0.9}


def recipe_of(catalog: Catalog, values: Values, config: Path | str | None = None, *, sources: bool = False) -> Recipe:
    """Settle the recipe of `config`, a file or the name of one (`sandbox`, `maxi-k400`), with `values` over it.

    A text among the values is read as it is typed after `-o`; `sources` is for bags and studies. The environment and
    the current folder's maxi.toml say nothing here. Raises UsageError or PluginError as `settle` does.
    """
    return _settled(catalog, [*_of_config(catalog, config), *_of_values(values)], sources=sources)


def settling(catalog: Catalog, values: Values, config: Path | str | None = None) -> "Settle":
    """Return what settles the recipe of each variant of a study, between what all variants set and what one sets."""
    named, typed = _of_config(catalog, config), _of_values(values)

    def settle_variant(under: Sequence[Setting], above: Sequence[Setting]) -> Recipe:
        return _settled(catalog, [*named, *under, *typed, *above], sources=True)

    return settle_variant


def _settled(catalog: Catalog, settings: Sequence[Setting], *, sources: bool) -> Recipe:
    return with_decoder(catalog, settle(catalog, settings, sources=sources))


def _of_config(catalog: Catalog, config: Path | str | None) -> list[Setting]:
    file = None if config is None else shipped(Path(config), catalog)
    return [] if file is None else without_files(from_file(file), file, typed=True)


def _of_values(values: Values) -> list[Setting]:
    settings = []
    for path, value in values.items():
        said = from_flag(f"{path}={value}")
        typed = isinstance(value, str)
        settings.append(said if typed else Setting(said.section, said.key, value, said.origin, typed=False))
    return settings
