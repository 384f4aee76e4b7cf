"""A plugin from one file without packaging, for a quick experiment: only where somebody names the file.

`--plugin ./mine.py` names it, or `[plugins] files` in a recipe that is named with `--config`. A maxi.toml that lies in
the folder, the settled recipe of a run, a variable and `-o` cannot: none of them may make anybody run strange code.
"""

import hashlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import FILE, Catalog, Plugin, load_plugin
from maxi_core.recipe.recipe import Setting
from maxi_core.system.text_files import read_toml
from maxi_core.system.urls import refuse_reading

PREFIX = "maxi_file_"  # of the modules that come from files
SECTION, KEY = "plugins", "files"


class _Fresh(SourceFileLoader):
    """Loads the source as it is now, and writes no cache beside it."""

    def path_stats(self, path: object) -> NoReturn:
        raise OSError(f"{path} is not cached")


@dataclass(frozen=True)
class _FileEntry:
    path: Path

    def load(self) -> ModuleType:
        return import_file(self.path)


def import_file(path: Path) -> ModuleType:
    """Import a Python file, under a name that changes with its content: answers of other code are not taken for its."""
    stem = re.sub(r"\W", "_", path.stem)
    name = f"{PREFIX}{stem}_{_digest(path)}"
    known = sys.modules.get(name)
    if known is not None and Path(str(known.__file__)).is_file():  # else it was moved, and other processes look for it
        return known
    spec = spec_from_loader(name, _Fresh(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_file(path: Path) -> Plugin:
    """Load a plugin file by itself; raises UsageError if there is none. What is wrong with its code is kept in it."""
    refuse_reading(path, "plugins are read")
    path = path.expanduser().absolute()
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(f"there is no plugin file {path}", "name a Python file, such as --plugin ./mine.py")
    return load_plugin(Plugin(path.stem, FILE, _digest(path), str(path)), _FileEntry(path))


def with_files(catalog: Catalog, paths: Iterable[Path], *, strict: bool = True) -> Catalog:
    """Return the catalog with the plugins of files; with `strict`, a broken one raises PluginError."""
    found = [load_file(path) for path in dict.fromkeys(path.expanduser().absolute() for path in paths)]
    for plugin in found:
        if strict and plugin.state == "broken":
            raise PluginError(
                f"the plugin file {plugin.module} is broken: {plugin.error}",
                f"see maxi plugins {plugin.name} --plugin {plugin.module}",
            )
    return Catalog((*catalog.plugins, *found))


def files_of(config: Path) -> list[Path]:
    """Return the plugin files that a recipe names, relative paths from the current folder; the recipe was typed."""
    try:
        document = read_toml(config)
    except UsageError:
        return []  # whoever reads its settings says what is wrong with it
    table = document.get(SECTION)
    if table is None:
        return []
    if "maxi" in document:
        raise UsageError(f"{config} is the settled recipe of a run and names plugin files", "type --plugin FILE")
    files = table.get(KEY) if isinstance(table, dict) else None
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files) or len(table) > 1:
        raise UsageError(f"{config}: [{SECTION}] is not of the form", f'write {KEY} = ["./mine.py"] and nothing else')
    return [Path(file) for file in files]


def without_files(settings: Iterable[Setting], config: Path, *, typed: bool) -> list[Setting]:
    """Return the settings of a recipe without its plugin files; raises UsageError if it was not typed and has some."""
    kept = []
    for setting in settings:
        if setting.section != SECTION:
            kept.append(setting)
        elif not typed:
            raise UsageError(
                f"{config} names plugin files, and nobody named it: it is read because it lies there",
                "type --plugin FILE, or name a recipe with --config",
            )
    return kept


def is_settled(config: Path) -> bool:
    """Whether a recipe is the settled one of a run, which nobody wrote by hand; false for one that cannot be read."""
    try:
        return "maxi" in read_toml(config)
    except UsageError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
