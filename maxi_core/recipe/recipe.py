"""The recipe: every setting of a run, from defaults < maxi.toml < MAXI_* < flags, checked and settled.

One path language serves all: `gpt3.temperature` is `[gpt3] temperature` in maxi.toml, `-o gpt3.temperature=0.4` on the
command line and `MAXI_GPT3_TEMPERATURE` in the environment, and `video.decoder` of the core works alike. What is typed
may be short (`gpt3`); what is settled says `maxi:gpt3`, or `maxi:gpt3#llama` for one of several, and of which version.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, SecretStr

from maxi_core.errors import UsageError, nearest
from maxi_core.plugin.catalog import FILE, Catalog, Offer
from maxi_core.plugin.engine import Engine
from maxi_core.plugin.roles import Source, core_options
from maxi_core.plugin.world_paths import is_world, resolve_worlds
from maxi_core.recipe.parts import MARK, PARTS, Instance, Part, find_instance, labelling
from maxi_core.settings.options import Configured, Flag, Options, WorldPath, from_text, make, secret_options
from maxi_core.settings.sections import CORE, BagsSection, SourcesSection, VideoOptions, core_section
from maxi_core.system.files import write_text
from maxi_core.system.secrets import keep_secrets_of
from maxi_core.system.text_files import read_toml
from maxi_core.system.urls import clean, refuse_reading
from maxi_core.version import __version__

log = logging.getLogger("maxi")

SCHEMA = 1
SETTLED = b'\nmaxi = "'  # stands in each recipe that a run has written
VERSIONS = "versions"  # a table of a settled recipe, and no section
ENV_PREFIX = "MAXI_"
ENV_OWN = ("MAXI_HOME", "MAXI_LOAD_PLUGINS", "MAXI_STRICT_PLUGINS", "MAXI_TRACE_PLUGINS")

Section = TypeVar("Section", bound=Options)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that somebody set: `[section] key = value`, and where (a file, a variable, a flag).

    `value` is a string when it was typed, and anything TOML can say when it comes from a file.
    """

    section: str
    key: str
    value: object
    origin: str
    typed: bool = True


@dataclass(frozen=True)
class Recipe:
    """The settled settings: options by section, core and plugins alike, and where each value that was set came from.

    The sections of plugins are called `dist:name`, those of labelled sources `dist:name#label`. `versions` has the
    version of each distribution that a section is of, and the digest of each plugin file.
    """

    sections: Mapping[str, BaseModel]
    origins: Mapping[tuple[str, str], str]
    versions: Mapping[str, str] = field(default_factory=dict)

    def core(self, name: str, model: type[Section]) -> Section:
        """Return the options of a core section, typed by its model."""
        options = self.sections[name]
        assert isinstance(options, model), f"[{name}] is a {type(options).__name__}"
        return options

    def require(self, paths: Iterable[str]) -> None:
        """Raise UsageError if one of these options, such as `bags.out`, has to be set and is not."""
        for path in paths:
            section, _, key = path.partition(".")
            flag = Flag.of(core_section(section), key)
            if flag.required and getattr(self.sections[section], key) is None:
                what = f"which {key}? neither {flag.name} nor [{section}] {key} says"
                raise UsageError(what, f"type {flag.name} or set {path}")

    def make(self, catalog: Catalog, name: str) -> Configured:
        """Make the source, temporal module or objective `name` with the options that the recipe sets, or its defaults.

        Raises PluginError as `Instance.make` does.
        """
        one = find_instance(catalog, name)
        settled = self.sections.get(one.key) or one.offer.options()
        own = one.offer.own(settled)
        made = one.make(resolve_worlds(catalog, own))
        made.settled = own
        for key in core_options(type(made)):
            setattr(made, key, getattr(settled, key))
        return made

    def using(self, catalog: Catalog, one: Instance) -> "Recipe":
        """Return the recipe with a section and a version for what it uses, too."""
        sections = dict(self.sections)
        if one.key not in sections:
            sections[one.key] = make(one.offer.options, one.key, {}, {})
        return replace(self, sections=sections, versions=_versions(catalog, sections))

    def to_toml(self) -> str:
        """Return the recipe as TOML that settles to this recipe again; what is secret is left out.

        Raises UsageError for a path that is not UTF-8, which TOML cannot hold.
        """
        tables = {
            name: {
                key: _plain(value)
                for key, value in options
                if value is not None and key not in secret_options(type(options))
            }
            for name, options in self.sections.items()
        }
        text = tomli_w.dumps({"schema": SCHEMA, "maxi": __version__, VERSIONS: dict(self.versions), **tables})
        if not text.isascii():
            _check_utf8(tables)
        return text

    def write(self, path: Path) -> None:
        """Write the recipe into a run's folder, whole or not at all."""
        write_text(path, self.to_toml())


def settle(catalog: Catalog, settings: Iterable[Setting], *, sources: bool = False) -> Recipe:
    """Check the settings, later ones winning, and return the recipe; raises UsageError or PluginError in one line.

    With `sources`, the sources that play a part and the engine must exist in their role, and their options are settled
    too.
    """
    models: dict[str, type[BaseModel]] = {name: core_section(name) for name in CORE}
    values: dict[str, dict[str, object]] = {name: {} for name in CORE}
    origins: dict[tuple[str, str], str] = {}
    typed: dict[str, str] = {}  # what a section was called by whoever set it
    for setting in settings:
        if setting.section == VERSIONS and not setting.typed:
            _compare_version(catalog, setting)
            continue
        name, model = _section(catalog, setting)
        models[name] = model
        if not setting.key:
            continue
        typed.setdefault(name, setting.section)
        key = setting.key.replace("-", "_")
        known = setting.typed and key in model.model_fields
        value = from_text(model, key, str(setting.value)) if known else setting.value
        values.setdefault(name, {})[key] = value
        keep_secrets_of([(key, SecretStr(str(value)) if key in secret_options(model) else value)])
        origins[name, key] = setting.origin
    is_name = partial(_is_name, catalog)
    sections = {
        name: make(models[name], typed.get(name, name), section, {key: origins[name, key] for key in section}, is_name)
        for name, section in values.items()
    }
    recipe = Recipe(sections, origins, _versions(catalog, sections))
    return _with_sources(catalog, recipe) if sources else recipe


def _with_sources(catalog: Catalog, recipe: Recipe) -> Recipe:
    """Return the recipe with the full name and a section of each source that plays a part."""
    sources = recipe.core("sources", SourcesSection)
    found: dict[str, Instance] = {}
    full: dict[str, list[str]] = {}
    for part, ref in sources_of(sources):
        one = find_instance(catalog, ref, part.roles)
        if one.label in found:  # two of one name, even of two distributions, could not be told apart in a bag
            raise UsageError(f"[sources] {part.key} names '{one.label}' twice", labelling(one.offer.name))
        found[one.label] = one
        full.setdefault(part.key, []).append(one.key)
        recipe = recipe.using(catalog, one)
    _refuse_unused(recipe, found.values())
    engine = find_instance(catalog, recipe.core("bags", BagsSection).engine, (Engine.role,))
    recipe = recipe.using(catalog, engine)
    bags = recipe.core("bags", BagsSection).model_copy(update={"engine": engine.key})
    named = {key: tuple(names) if isinstance(getattr(sources, key), tuple) else names[0] for key, names in full.items()}
    settled = {"bags": bags, "sources": sources.model_copy(update=named)}
    return replace(recipe, sections={**recipe.sections, **settled})


def _refuse_unused(recipe: Recipe, used: Iterable[Instance]) -> None:
    """Refuse an option that was typed for a labelled source that plays no part: its label is misspelt."""
    keys = {one.key: one.label for one in used}
    for (section, _), origin in recipe.origins.items():
        if MARK in section and section not in keys and origin.startswith("-o"):
            label = section.rpartition(":")[2]
            near = nearest(label, keys.values())
            raise UsageError(f"no source of this recipe is called '{label}'{near} ({origin})", f"--sources ...,{label}")


def _versions(catalog: Catalog, sections: Iterable[str]) -> dict[str, str]:
    offers = [catalog.find(name.partition(MARK)[0]) for name in sections if name not in CORE]
    return dict(sorted((_versioned(offer), offer.version) for offer in offers))


def _versioned(offer: Offer) -> str:
    """Return whose version an offer has: its distribution's, or its file's."""
    return offer.ref if offer.dist == FILE else offer.dist


def _compare_version(catalog: Catalog, setting: Setting) -> None:
    """Say where a settled recipe is of another version than what is here."""
    here = next((offer.version for offer in catalog.offers if _versioned(offer) == setting.key), None)
    if here is not None and here != setting.value:
        log.warning("%s was settled with %s %s, and here is %s", setting.origin, setting.key, setting.value, here)


def _is_name(catalog: Catalog, mark: WorldPath, text: str) -> bool:
    """Return whether the text of an option is a name, which a settled recipe keeps, and no path."""
    if mark.what != "dictionary":
        return is_world(catalog, mark, text)
    from maxi_core.dictionaries import is_dictionary

    return is_dictionary(catalog, text)


def with_decoder(catalog: Catalog, recipe: Recipe) -> Recipe:
    """Return the recipe with its decoder by its full name; raises UsageError or PluginError if there is none."""
    video = recipe.core("video", VideoOptions).with_decoder_of(catalog)
    return replace(recipe, sections={**recipe.sections, "video": video})


def sources_of(sources: SourcesSection) -> list[tuple[Part, str]]:
    """Return the (part, source) pairs of a recipe in the order of the flow; `none` plays no part."""
    return [(part, name) for part in PARTS for name in part.names(sources) if name != "none"]


def _section(catalog: Catalog, setting: Setting) -> tuple[str, type[BaseModel]]:
    """Return the settled name of a setting's section and its model."""
    if setting.section in CORE:
        return setting.section, core_section(setting.section)
    name = setting.section.partition(MARK)[0]
    if ":" not in name and not catalog.named(name) and not _installed(catalog, name):
        known = [*CORE, *sorted({offer.name for offer in catalog.offers if not offer.space})]
        raise UsageError(
            f"no section [{setting.section}]{nearest(setting.section, known)} ({setting.origin})",
            f"known: {', '.join(known)}",
        )
    try:
        one = find_instance(catalog, setting.section)
    except UsageError as error:
        raise type(error)(f"[{setting.section}] ({setting.origin}): {error.problem}", error.fix) from None
    return one.key, one.offer.options


def _installed(catalog: Catalog, name: str) -> bool:
    """Whether a plugin of that name exists though it offers nothing now: `find` says why."""
    return any(name in (plugin.name, plugin.label) for plugin in catalog.plugins if plugin.state != "ok")


def _check_utf8(tables: Mapping[str, Mapping[str, object]]) -> None:
    for name, table in tables.items():
        for key, value in table.items():
            try:
                str(value).encode()
            except UnicodeEncodeError:
                raise UsageError(
                    f"[{name}] {key} = {str(value)!a} is not UTF-8, and a recipe cannot hold it", "give it another name"
                ) from None


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return clean(value)
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def from_file(path: Path) -> list[Setting]:
    """Read the settings of a recipe file; raises UsageError that names the file and the line of a mistake."""
    refuse_reading(path, "recipes are read")
    if not os.path.lexists(path):
        raise UsageError(f"no recipe at {path}", "name an existing TOML file with --config")
    return from_document(read_toml(path), path)


def from_document(document: dict[str, Any], path: Path) -> list[Setting]:
    """Return the settings of a recipe that was read, from a file or a text; raises UsageError as `from_file` does."""
    schema = document.pop("schema", SCHEMA)
    document.pop("maxi", None)  # the version that wrote it, for people
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema}, and this maxi reads {SCHEMA}", "pip install -U maxi")
    return [setting for name, table in document.items() for setting in _table(path, name, table)]


def _table(path: Path, name: str, table: object) -> list[Setting]:
    if not isinstance(table, dict):
        raise UsageError(f"{path}: '{name}' stands outside a section", f"write it under one, for example [{name}]")
    if not table:  # its name is to be right all the same
        return [Setting(name, "", None, path.name, typed=False)]
    return [Setting(name, key, value, path.name, typed=False) for key, value in table.items()]


def refuse_lying(catalog: Catalog, settings: Iterable[Setting], file: Path) -> None:
    """Raise UsageError if a recipe that nobody named sets what only a person may (`Options.TYPED`)."""
    for setting in settings:
        key = setting.key.replace("-", "_")
        if setting.section != VERSIONS and key in getattr(_section(catalog, setting)[1], "TYPED", ()):
            raise UsageError(
                f"{file} sets {setting.section}.{key}, and nobody named it: it is read because it lies there",
                f"type -o {setting.section}.{key}=..., or name the recipe with --config {file}",
            )


def from_env(env: Mapping[str, str], catalog: Catalog) -> list[Setting]:
    """Read the `MAXI_SECTION_KEY` variables; raises UsageError for one that names no option."""
    settings = []
    known = _variables(catalog)
    for name in sorted(env):
        if not name.startswith(ENV_PREFIX) or name in ENV_OWN:
            continue
        if name not in known:
            raise _no_option(name, known, catalog)
        if len(known[name]) > 1:
            both = " and ".join(f"[{section}] {key}" for section, key in known[name])
            raise UsageError(f"the environment sets {name}, which is the name of both {both}", "set them with -o")
        section, key = known[name][0]
        settings.append(Setting(section, key, env[name], name))
    return settings


def _no_option(name: str, known: Iterable[str], catalog: Catalog) -> UsageError:
    """Return the error for a variable that names nothing; of a plugin that does not work, why it does not."""
    for plugin in catalog.plugins:
        if plugin.state != "ok" and name.startswith(_variable(plugin.name, "")):
            return UsageError(
                f"the environment sets {name}, and plugin '{plugin.label}' {plugin.version} is {plugin.state}: "
                f"{plugin.error}",
                f"see maxi plugins {plugin.name}, or unset {name}",
            )
    near = nearest(name, [*known, *ENV_OWN])
    fix = f"unset {name}"
    for offer in catalog.offers:
        for key in offer.options.model_fields if issubclass(offer.cls, Source) else ():
            before, after = _variable(offer.name, ""), f"_{key}".upper()
            if name.startswith(before) and name.endswith(after) and (label := name[len(before) : -len(after)]):
                fix += f"; no variable sets a labelled source: -o {offer.name}{MARK}{label.lower()}.{key}=VALUE does"
                return UsageError(f"the environment sets {name}, which is no option{near}", fix)
    return UsageError(f"the environment sets {name}, which is no option{near}", fix)


def _variables(catalog: Catalog) -> dict[str, list[tuple[str, str]]]:
    """Return what each variable may mean: `[a] b_c` and `[a-b] c` share one."""
    models: list[tuple[str, type[BaseModel]]] = [
        (offer.name, offer.options) for offer in catalog.offers if not offer.space
    ]
    models += [(name, core_section(name)) for name in CORE]
    found: dict[str, list[tuple[str, str]]] = {}
    for section, model in models:
        for key in model.model_fields:
            both = found.setdefault(_variable(section, key), [])
            if (section, key) not in both:  # of two distributions: who sets it is told that both have it
                both.append((section, key))
    return found


def _variable(section: str, key: str) -> str:
    return f"{ENV_PREFIX}{section}_{key}".upper().replace("-", "_")


def from_flag(text: str, origin: str = "-o") -> Setting:
    """Read one `section.key=value`, as typed after -o; raises UsageError for any other form."""
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().rpartition(".")
    if not (equals and dot and section and key):
        raise UsageError(f"{origin} {text!r} is not of the form section.key=value", "for example -o video.workers=4")
    return Setting(section, key, value.strip(), f"{origin} {text}")
