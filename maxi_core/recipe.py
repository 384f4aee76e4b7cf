"""The recipe: every setting of a run, from defaults < maxi.toml < MAXI_* < flags, checked and settled.

One path language serves all: `gpt3.temperature` is `[gpt3] temperature` in maxi.toml, `-o gpt3.temperature=0.4` on the
command line and `MAXI_GPT3_TEMPERATURE` in the environment, and `video.decoder` of the core works alike.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import tomli_w
from pydantic import BaseModel

from maxi_core.border import blamed
from maxi_core.errors import UsageError, nearest
from maxi_core.files import write_text
from maxi_core.options import Configured, Options, from_text, make
from maxi_core.parts import PARTS, Part
from maxi_core.plugins import Catalog
from maxi_core.secrets import is_secret, keep_secrets_of
from maxi_core.sections import CORE, SourcesSection, core_section
from maxi_core.sources import Captioner, Matcher
from maxi_core.version import __version__
from maxi_core.video.options import VideoOptions

SCHEMA = 1
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
    """The settled settings: options by section, core and plugins alike, and where each value that was set came from."""

    sections: Mapping[str, BaseModel]
    origins: Mapping[tuple[str, str], str]

    def core(self, name: str, model: type[Section]) -> Section:
        """Return the options of a core section, typed by its model."""
        options = self.sections[name]
        assert isinstance(options, model), f"[{name}] is a {type(options).__name__}"
        return options

    def make(self, catalog: Catalog, name: str) -> Configured:
        """Make the source or temporal module `name` with the options that the recipe sets, or its defaults."""
        offer = catalog.find(name)
        with blamed(offer.ref, "when it was made"):
            made = offer.cls(self.sections.get(catalog.key(offer)))
        keep_secrets_of(made.options)
        if isinstance(made, (Matcher, Captioner)):
            made.video = self.core("video", VideoOptions)
        return made

    def to_toml(self) -> str:
        """Return the recipe as TOML that settles to this recipe again; what is secret by its name is left out.

        Raises UsageError for a path that is not UTF-8, which TOML cannot hold.
        """
        tables = {
            name: {key: _plain(value) for key, value in options if value is not None and not is_secret(key)}
            for name, options in self.sections.items()
        }
        text = tomli_w.dumps({"schema": SCHEMA, "maxi": __version__, **tables})
        if not text.isascii():
            _check_utf8(tables)
        return text

    def write(self, path: Path) -> None:
        """Write the recipe into a run's folder, whole or not at all."""
        write_text(path, self.to_toml())


def settle(catalog: Catalog, settings: Iterable[Setting], *, players: bool = False) -> Recipe:
    """Check the settings, later ones winning, and return the recipe; raises UsageError or PluginError in one line.

    With `players`, the sources that play a part must exist in their role, and their options are settled too.
    """
    models: dict[str, type[BaseModel]] = {name: core_section(name) for name in CORE}
    values: dict[str, dict[str, object]] = {name: {} for name in CORE}
    origins: dict[tuple[str, str], str] = {}
    for setting in settings:
        name, model = _section(catalog, setting)
        models[name] = model
        key = setting.key.replace("-", "_")
        known = setting.typed and key in model.model_fields
        value = from_text(model, key, str(setting.value)) if known else setting.value
        values.setdefault(name, {})[key] = value
        keep_secrets_of([(key, value)])
        origins[name, key] = setting.origin
    sections = {
        name: make(models[name], name, section, {key: origins[name, key] for key in section})
        for name, section in values.items()
    }
    if players:
        names: set[str] = set()
        for part, player in playing(cast(SourcesSection, sections["sources"])):
            offer = catalog.find(player, part.roles)
            if offer.name in names:  # two of one name, even of two distributions, could not be told apart in a bag
                raise UsageError(f"[sources] {part.key} names '{offer.name}' twice", "name it once")
            names.add(offer.name)
            if catalog.key(offer) not in sections:
                sections[catalog.key(offer)] = make(offer.cls.Options, player, {}, {})
    return Recipe(sections, origins)


def playing(sources: SourcesSection) -> list[tuple[Part, str]]:
    """Return the (part, source) pairs of a recipe in the order of the flow; `none` plays no part."""
    return [(part, name) for part in PARTS for name in part.names(sources) if name != "none"]


def _section(catalog: Catalog, setting: Setting) -> tuple[str, type[BaseModel]]:
    """Return the settled name of a setting's section and its model."""
    if setting.section in CORE:
        return setting.section, core_section(setting.section)
    if not catalog.named(setting.section) and not _installed(catalog, setting.section):
        known = [*CORE, *sorted({offer.name for offer in catalog.offers})]
        raise UsageError(
            f"no section [{setting.section}]{nearest(setting.section, known)} ({setting.origin})",
            f"known: {', '.join(known)}",
        )
    offer = catalog.find(setting.section)
    return catalog.key(offer), offer.cls.Options


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
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def from_file(path: Path) -> list[Setting]:
    """Read the settings of a recipe file; raises UsageError that names the file and the line of a mistake."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no recipe at {path}", "name an existing TOML file with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    schema = document.pop("schema", SCHEMA)
    document.pop("maxi", None)  # the version that wrote it, for people
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema}, and this maxi reads {SCHEMA}", "pip install -U maxi")
    return [setting for name, table in document.items() for setting in _table(path, name, table)]


def _table(path: Path, name: str, table: object) -> list[Setting]:
    if not isinstance(table, dict):
        raise UsageError(f"{path}: '{name}' stands outside a section", f"write it under one, for example [{name}]")
    return [Setting(name, key, value, path.name, typed=False) for key, value in table.items()]


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
    return UsageError(f"the environment sets {name}, which is no option{near}", f"unset {name}")


def _variables(catalog: Catalog) -> dict[str, list[tuple[str, str]]]:
    """Return what each variable may mean: `[a] b_c` and `[a-b] c` share one."""
    models: dict[str, type[BaseModel]] = {offer.name: offer.cls.Options for offer in catalog.offers}
    models |= {name: core_section(name) for name in CORE}
    found: dict[str, list[tuple[str, str]]] = {}
    for section, model in models.items():
        for key in model.model_fields:
            found.setdefault(_variable(section, key), []).append((section, key))
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
