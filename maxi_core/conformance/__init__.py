"""The checks behind `maxi_core.testing.contract`: those that every plugin shares are here, a role's own beside."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxi_core.offers import Offer
from maxi_core.options import Configured, flaws
from maxi_core.plugin_files import PREFIX
from maxi_core.plugins import Catalog, Plugin
from maxi_core.recipe import Setting, from_file, settle

# whatever takes long to import; a plugin imports these where it uses them (DESIGN: heavy imports)
HEAVY = ("torch", "torchvision", "transformers", "spacy", "openai", "decord", "open_clip", "av", "sklearn", "pandas")

_PROBE = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
if sys.argv[5]:
    from pathlib import Path
    from maxi_core.plugin_files import import_file
    made = import_file(Path(sys.argv[5]))
else:
    made = importlib.import_module(sys.argv[2])
for name in sys.argv[3].split(".") if sys.argv[3] else []:
    made = getattr(made, name)
if sys.argv[3]:
    made()
print(json.dumps([name for name in sys.argv[4].split() if name in sys.modules]))
"""


@dataclass(frozen=True)
class Subject:
    """What is being checked: how to make it, what to ask it, and a folder for files."""

    make: Callable[[], Configured]
    questions: Sequence[Any]
    folder: Path


def _heavy_after(subject: Subject, *, making: bool) -> list[str]:
    cls = type(subject.make())
    assert "<locals>" not in cls.__qualname__, f"{cls.__qualname__} must stand at the top of a module"
    arguments = [json.dumps(sys.path), cls.__module__, cls.__qualname__ if making else "", " ".join(HEAVY)]
    arguments.append(str(sys.modules[cls.__module__].__file__) if cls.__module__.startswith(PREFIX) else "")
    probe = subprocess.run(  # noqa: S603 (our own interpreter, our own program)
        [sys.executable, "-c", _PROBE, *arguments], capture_output=True, text=True, check=False
    )
    assert probe.returncode == 0, f"{cls.__module__} failed in a process of its own: {probe.stderr.strip()[-500:]}"
    heavy: list[str] = json.loads(probe.stdout.splitlines()[-1])
    return heavy


def light_to_import(subject: Subject) -> None:
    """Its module must import nothing heavy, since every `maxi` command imports it."""
    heavy = _heavy_after(subject, making=False)
    assert not heavy, f"importing its module imports {', '.join(heavy)}: import them inside the method"


def light_to_make(subject: Subject) -> None:
    """Making it must load no model: it is made to ask for its options, too."""
    heavy = _heavy_after(subject, making=True)
    assert not heavy, f"making it imports {', '.join(heavy)}: load on the first question"


def options_are_documented(subject: Subject) -> None:
    """Each option must have a default and a description, and unknown keys must be refused."""
    found = flaws(type(subject.make()).Options)
    assert not found, "; ".join(found)


def options_survive_a_recipe(subject: Subject) -> None:
    """The options it was made with must come back the same from the recipe file of a run, relative paths absolute."""
    made = subject.make()
    offer = Offer(made.name, type(made), "contract", "0")
    catalog = Catalog((Plugin(made.name, "contract", "0", type(made).__module__, "ok", offers=(offer,)),))
    settings = [Setting(made.name, key, value, "kit", typed=False) for key, value in made.options]
    recipe = settle(catalog, settings)
    recipe.write(subject.folder / "recipe.toml")
    again = settle(catalog, from_file(subject.folder / "recipe.toml"))
    back = again.make(catalog, made.name).options
    paths = {key: value.expanduser().absolute() for key, value in made.options if isinstance(value, Path)}
    wanted = made.options.model_copy(update=paths)
    assert back == wanted, f"it was made with {made.options!r} and came back with {back!r}"


SHARED: dict[str, Callable[[Subject], None]] = {
    "it is light to import": light_to_import,
    "it is light to make": light_to_make,
    "its options are documented": options_are_documented,
    "its options survive a recipe": options_survive_a_recipe,
}
