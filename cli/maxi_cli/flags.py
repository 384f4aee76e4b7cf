"""Flags that many commands share, and how they and the environment become a catalog and a recipe."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from maxi_core.errors import UsageError
from maxi_core.texts import by_comma

if TYPE_CHECKING:
    from pydantic import BaseModel

    from maxi_core.plugin.catalog import Catalog
    from maxi_core.recipe.recipe import Recipe, Setting

Completion: TypeAlias = Callable[[str], list[str]]

# What the shell offers after TAB: names of plugins, sources and options, without loading anything heavy.


def complete_plugin(incomplete: str) -> list[str]:
    """Complete the name of an installed plugin."""
    return sorted({plugin.name for plugin in _catalog().plugins if plugin.name.startswith(incomplete)})


def complete_offer(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of whatever plugins offer, or of a broken plugin, with its role."""
    catalog = _catalog()
    named = [(offer.name, offer.role) for offer in catalog.offers]
    named += [(plugin.name, plugin.state) for plugin in catalog.plugins if plugin.state != "ok"]
    return sorted(pair for pair in set(named) if pair[0].startswith(incomplete))


def complete_sources(incomplete: str) -> list[str]:
    """Complete the last name of a comma-separated list of sources, such as `gpt3,bl`."""
    from maxi_core.plugin.roles import ROLES

    head, comma, last = incomplete.rpartition(",")
    taken = set(head.split(","))
    catalog = _catalog()
    names = sorted(catalog.key(offer) for offer in catalog.offers if offer.role in ROLES)
    return [f"{head}{comma}{name}" for name in names if name.startswith(last) and name not in taken]


def complete_option(incomplete: str) -> list[str]:
    """Complete the `name.key=` of an option, and behind it the value."""
    from maxi_core.settings.sections import CORE, core_section

    catalog = _catalog()
    models: dict[str, type[BaseModel]] = {
        catalog.key(offer): offer.options for offer in catalog.offers if not offer.space
    }
    models |= {name: core_section(name) for name in CORE}
    path, equals, typed = incomplete.partition("=")
    section, _, key = path.rpartition(".")
    if equals and section in models and key in models[section].model_fields:
        return [f"{path}={value}" for value in completing(models[section], key)(typed)]
    paths = [f"{name}.{key}=" for name, model in models.items() for key in model.model_fields]
    return sorted(path for path in paths if path.startswith(incomplete))


def completing(model: "type[BaseModel]", key: str) -> Completion:
    """Return what completes the value of an option: one of a closed list, or a name; with commas in a list."""
    from maxi_core.settings.option_types import alternatives
    from maxi_core.settings.options import Flag, choices, is_list

    kinds = alternatives(model.model_fields[key].annotation)
    closed = ("true", "false") if bool in kinds else tuple(map(str, choices(model, key)))
    return offering(Flag.of(model, key).names, closed=closed, many=is_list(model, key))


def offering(*what: str, closed: Iterable[str] = (), many: bool = False) -> Completion:
    """Return what completes one of `closed` or a name of `what`; with `many`, the last one behind commas.

    `what` are as `Flag.names`, or say where a closed list stands: `module:NAME`.
    """

    def complete(incomplete: str) -> list[str]:
        head, comma, last = incomplete.rpartition(",") if many else ("", "", incomplete)
        names = [*closed, *(name for one in what if one for name in _names(one))]
        return [f"{head}{comma}{name}" for name in names if name.startswith(last) and name not in head.split(",")]

    return complete


def _names(what: str) -> list[str]:
    from maxi_core.dictionaries import known_dictionaries
    from maxi_core.errors import MaxiError
    from maxi_core.plugin.world_paths import world_benchmarks, worlds_with

    module, _, constant = what.partition(":")
    if constant:
        return list(getattr(import_module(module), constant))
    logging.getLogger("maxi").addHandler(logging.NullHandler())  # a shell that completes shows no warnings
    catalog = _catalog()
    role, _, having = what.partition(".")
    with suppress(MaxiError):
        if having == "dictionary":  # which benchmarks have, too
            return known_dictionaries(catalog)
        if having:
            return worlds_with(catalog, having)
        of_worlds = world_benchmarks(catalog).values() if role == "benchmark" else ()
        offered = [catalog.key(offer) for offer in catalog.offers if offer.role == role]
        return sorted([*offered, *(name for names in of_worlds for name in names)])
    return []


def _catalog() -> "Catalog":
    from maxi_core.errors import MaxiError
    from maxi_core.plugin.catalog import discover

    try:
        return read_catalog()
    except MaxiError:  # the command itself will say what is wrong
        return discover(only=[])


CONFIG_FILE = Path("maxi.toml")

# flags that `takes` gives by name: what chooses recipe and plugins, and what says which benchmarks and where they are
RECIPE: dict[str, Any] = {
    "config": Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recipe to read instead of ./maxi.toml; also maxi-k400, maxi-fewshot, maxi-fast, sandbox.",
            autocompletion=offering("maxi_core.recipe.shipped:SHIPPED", "world.recipe"),
        ),
    ],
    "option": Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--option",
            metavar="NAME.KEY=VALUE",
            help="Set an option of a plugin or of the core; may be given many times.",
            autocompletion=complete_option,
        ),
    ],
    "plugin": Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Use the plugin in a Python file, without installing it."),
    ],
    "no_plugin": Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave a plugin out.", autocompletion=complete_plugin)
    ],
}
BENCHMARK: dict[str, Any] = {
    "benchmark": Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark",
            "-b",
            help="Benchmarks, with commas: a known name, NAME:SPLIT, or a path.  [required]",
            autocompletion=offering("benchmark", many=True),
        ),
    ],
    "annotations": Annotated[Path | None, typer.Option(help="Folder of the annotation files of the one benchmark.")],
    "videos": Annotated[Path | None, typer.Option(help="Folder of its videos.")],
    "labels": Annotated[Path | None, typer.Option(help="CSV id,name of a list of your own.")],
    "classes": Annotated[Path | None, typer.Option(help="CSV id,name of the classes to keep: base or novel halves.")],
    "trust": Annotated[
        Literal["lists", "official"] | None,
        typer.Option(help="Which side is right where lists and official files differ."),
    ],
    "multi_label": Annotated[
        bool, typer.Option("--multi-label", help="Videos of your own list may have several labels.")
    ],
}

JsonFlag: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ModelArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        help="Run, checkpoint or export folder, ARCH/TAG, or sandbox.  [required]",
        autocompletion=offering("world.clip"),
    ),
]
VideosArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEO...", help="Videos, folders or lists.  [required]", autocompletion=offering("world.videos")
    ),
]
QuietFlag: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors.")]


def read_catalog(
    no_plugin: Iterable[str] | None = None,
    plugin: Iterable[Path] | None = None,
    config: Path | None = None,
    *,
    broken_files: bool = False,
) -> "Catalog":
    """Discover the plugins as the environment and --no-plugin say, and those in the files of --plugin and --config.

    A file that is broken ends the command, unless `broken_files`.
    """
    from maxi_core.plugin.catalog import discover
    from maxi_core.recipe.plugin_files import files_of, with_files
    from maxi_core.recipe.shipped import shipped

    if _is_set("MAXI_TRACE_PLUGINS"):
        logging.getLogger("maxi.plugins").setLevel(logging.DEBUG)
    names = os.environ.get("MAXI_LOAD_PLUGINS")
    only = None if names is None else by_comma(names)
    catalog = discover(only, list(no_plugin or ()), strict=_is_set("MAXI_STRICT_PLUGINS"))
    catalog = with_files(catalog, plugin or (), strict=not broken_files)  # one may bring the world of --config
    return with_files(catalog, files_of(shipped(config, catalog)) if config else (), strict=not broken_files)


def read_recipe(
    catalog: "Catalog",
    config: Path | None,
    options: Iterable[str] | None,
    aliases: Mapping[str, object] | None = None,
    *,
    more: "Iterable[Setting]" = (),
    under: "Iterable[Setting]" = (),
    sources: bool = False,
    typed: bool = True,
) -> "Recipe":
    """Settle the recipe: defaults < maxi.toml or --config < MAXI_* < -o and the flags that are aliases of its keys.

    `aliases` maps a path such as `video.decoder` to what its flag was given, None where it was not typed; `more` are
    the settings of flags that are no aliases, such as --sources, and `under` those that any flag goes before. `typed`
    is false for a `config` that nobody named, as the settled recipe of a run: it may name no plugin files, nor code as
    the decoder.
    """
    from maxi_core.recipe.plugin_files import is_settled, without_files
    from maxi_core.recipe.recipe import from_env, from_file, refuse_lying, settle, with_decoder
    from maxi_core.recipe.shipped import shipped
    from maxi_core.video.decoders import refuse_untyped

    config = shipped(config, catalog) if config else None
    file = config or (CONFIG_FILE if os.path.lexists(CONFIG_FILE) else None)
    typed = typed and config is not None
    named = without_files(from_file(file), file, typed=typed) if file else []
    if file and config is None:
        refuse_lying(catalog, named, file)
    variables = from_env(os.environ, catalog)
    settings = [*named, *variables, *under, *_from_flags(options or (), aliases or {}), *more]
    recipe = settle(catalog, settings, sources=sources)
    refuse_untyped(settings, variables if file and typed and not is_settled(file) else [*named, *variables], catalog)
    return with_decoder(catalog, recipe)


def _from_flags(options: Iterable[str], aliases: Mapping[str, object]) -> "list[Setting]":
    from maxi_core.recipe.recipe import Setting, from_flag
    from maxi_core.settings.options import Flag
    from maxi_core.settings.sections import core_section

    settings = [from_flag(text) for text in options]
    for path, value in aliases.items():
        if value is None:
            continue
        section, _, key = path.partition(".")
        flag = Flag.of(core_section(section), key).name
        flag = f"--no-{flag[2:]}" if value is False else flag
        for other in settings:
            if (other.section, other.key.replace("-", "_")) == (section, key) and not _same(other, value):
                raise UsageError(f"{flag} {value} and {other.origin} say different things", "give one of them")
        settings.append(Setting(section, key, value, flag, typed=isinstance(value, str)))
    return settings


def _same(setting: "Setting", value: object) -> bool:
    """Whether -o and a flag of the core say the same: `-o video.timeout=60` and `--video-timeout 60.0` do."""
    from pydantic import ValidationError

    from maxi_core.settings.options import from_text
    from maxi_core.settings.sections import core_section

    model, key = core_section(setting.section), setting.key.replace("-", "_")
    try:
        typed = [from_text(model, key, str(said)) for said in (setting.value, value)]
        one, other = (getattr(model.model_validate({key: said}), key) for said in typed)
    except (ValidationError, KeyError):
        return setting.value == str(value)
    return bool(one == other)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def by_comma_or_paths(texts: Iterable[str] | None) -> list[str]:
    """Return the names in several texts; a comma in an existing path is part of it."""
    return [name for text in texts or () for name in ([text] if Path(text).exists() else by_comma(text))]


def named(benchmarks: list[str] | None) -> list[str]:
    """Return the benchmarks that --benchmark names; raises UsageError if it names none."""
    if not (names := by_comma_or_paths(benchmarks)):
        raise UsageError("which benchmark?", "name one with --benchmark (see maxi data list)")
    return list(dict.fromkeys(names))
