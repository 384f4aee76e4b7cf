"""What `maxi new-plugin` writes: a whole distribution with one plugin, which works as it is."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from maxi_core.errors import UsageError, nearest
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.roles import ROLES
from maxi_core.recipe.defaults import DEFAULTS
from maxi_core.settings.sections import RESERVED
from maxi_core.system.files import write_text
from maxi_core.system.urls import refuse_remote
from maxi_core.version import __version__

KINDS = (*ROLES, "temporal", "objective")
DIST_PREFIX = "maxi-"

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_BAGS = "maxi bags VIDEOS --dictionary actions.txt --out runs/mine --sources {}"
_USES = {
    **dict.fromkeys(ROLES, _BAGS),
    "filter": _BAGS.replace("{}", "gpt3,{}"),
    "temporal": "maxi train runs/mine --temporal {}",
}
_USES["objective"] = f"maxi train runs/mine --loss {','.join(DEFAULTS['train']['loss'])},{{}}"


@dataclass(frozen=True)
class Written:
    """A new distribution: its folder, its files from there, and the command that uses it."""

    folder: Path
    files: tuple[str, ...]
    use: str


def write_plugin(name: str, role: str, parent: Path, catalog: Catalog) -> Written:
    """Write the distribution `maxi-NAME` into a folder of that name in `parent`, with a plugin that works as it is.

    Raises UsageError for a name or role that cannot be, one that an installed plugin has, and a folder that exists.
    """
    refuse_remote(parent)
    name = name.removeprefix(DIST_PREFIX)
    if role not in KINDS:
        raise UsageError(
            f"there is no role '{role}'{nearest(role, KINDS)}", f"type --role with one of {', '.join(KINDS)}"
        )
    _check_name(name, catalog)
    dist = f"{DIST_PREFIX}{name}"
    folder, module = parent / dist, dist.replace("-", "_")
    if folder.exists():
        raise UsageError(f"{folder} exists", "choose another name or --out, or delete it")
    words = {
        "name": name,
        "dist": dist,
        "module": module,
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "role": role,
        "use": _USES[role].format(name),
        "maxi": __version__,
    }
    texts = {
        "pyproject.toml": _filled("pyproject.toml", words),
        "README.md": _filled("README.md", words),
        f"{module}.py": _filled(f"{role}.py", words),
        f"tests/test_{module}.py": _filled(f"test_{role}.py", words),
        ".github/workflows/test.yml": _filled("workflow.yml", words),
    }
    try:
        for file, text in texts.items():
            write_text(folder / file, text)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a half is none
        raise
    return Written(folder, tuple(texts), words["use"])


def _check_name(name: str, catalog: Catalog) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"a plugin cannot be called '{name}'", "use lower-case letters, digits and hyphens: my-source")
    if name in RESERVED:
        raise UsageError(f"'{name}' is a word that maxi keeps for itself", "choose another name")
    module = f"{DIST_PREFIX}{name}".replace("-", "_")
    if module in {"maxi_core", "maxi_cli", *(plugin.module.partition(".")[0] for plugin in catalog.plugins)}:
        what = f"the plugin '{name}' would be the module {module}, and there is one already"
        raise UsageError(what, "choose another name")
    taken = [f"{offer.dist} {offer.version}" for offer in catalog.named(name)]
    if taken:
        raise UsageError(f"'{name}' is offered by {taken[0]} already", "choose another name")


def _filled(template: str, words: Mapping[str, str]) -> str:
    text = (files("maxi_core.testing") / "templates" / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(words)
