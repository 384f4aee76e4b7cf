"""What every plugin keeps, whatever its role: it is light to import, and its options are options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from maxi_core.plugin.catalog import Catalog, Offer, Plugin
from maxi_core.plugin.roles import core_options
from maxi_core.recipe.recipe import Setting, from_file, settle
from maxi_core.settings.options import flaws, secret_options
from maxi_core.testing.process import imported_by
from maxi_core.testing.subject import Subject

# whatever takes long to import; a plugin imports these where it uses them
HEAVY = ("torch", "torchvision", "transformers", "spacy", "openai", "decord", "open_clip", "av", "sklearn", "pandas")


def light_to_import(subject: Subject) -> None:
    """Its module must import nothing heavy, since every `maxi` command imports it."""
    heavy, _ = imported_by(subject, HEAVY)
    assert not heavy, f"importing its module imports {', '.join(heavy)}: import them inside the method that uses them"


def light_to_make(subject: Subject) -> None:
    """Making it must load no model: it is made to ask for its options, too."""
    _, heavy = imported_by(subject, HEAVY)
    assert not heavy, f"making it imports {', '.join(heavy)}: load what it needs in open()"


def options_are_documented(subject: Subject) -> None:
    """Each option has a default and a description, unknown keys are refused, and EFFORT names options."""
    made = subject.make()
    model = type(made).Options
    found = flaws(model)
    assert not found, "; ".join(found)
    for key in model.EFFORT:
        assert key in model.model_fields, f"EFFORT names '{key}', which is no option: {', '.join(model.model_fields)}"
    for key, (kind, least, _, _) in core_options(type(made)).items():
        assert key not in model.model_fields, f"option '{key}' is one that the core has: set the class's `{key}`"
        number: Any = getattr(made, key)
        assert type(number) in (int, kind), f"`{key}` is {number!r}: make it a number, at least {least}"
        assert number >= least, f"`{key}` is {number!r}: make it a number, at least {least}"


def options_survive_a_recipe(subject: Subject) -> None:
    """The options it was made with must come back the same from the recipe file of a run, relative paths absolute.

    Secrets must not: no recipe holds them.
    """
    made = subject.make()
    secret = secret_options(made.Options)
    offer = Offer(made.name, type(made), "contract", "0")
    catalog = Catalog((Plugin(made.name, "contract", "0", type(made).__module__, "ok", offers=(offer,)),))
    settings = [Setting(made.name, key, value, "kit", typed=False) for key, value in made.options]
    recipe = settle(catalog, settings)
    recipe.write(subject.folder / "recipe.toml")
    again = settle(catalog, from_file(subject.folder / "recipe.toml"))
    back = again.make(catalog, made.name).options
    paths = {key: value.expanduser().absolute() for key, value in made.options if isinstance(value, Path)}
    told = {key: value for key, value in made.options.model_copy(update=paths) if key not in secret}
    found = {key: value for key, value in back if key not in secret}
    assert found == told, f"it was made with {made.options!r} and came back with {back!r}"


PLUGIN: dict[str, Callable[[Subject], None]] = {
    "it is light to import": light_to_import,
    "it is light to make": light_to_make,
    "its options are documented": options_are_documented,
    "its options survive a recipe": options_survive_a_recipe,
}
