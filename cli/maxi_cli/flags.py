"""Flags that many commands share, and how they and the environment become a catalog and a recipe."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from maxi_cli.completion import complete_option, complete_plugin
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from maxi_core.plugins import Catalog
    from maxi_core.recipe import Recipe, Setting

CONFIG_FILE = Path("maxi.toml")

ConfigFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Recipe to read instead of ./maxi.toml; also maxi-k400, maxi-fewshot, sandbox."
    ),
]
OptionFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--option",
        metavar="NAME.KEY=VALUE",
        help="Set an option of a plugin or of the core; may be given many times.",
        autocompletion=complete_option,
    ),
]
NoPluginFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--no-plugin", metavar="NAME", help="Leave a plugin out.", autocompletion=complete_plugin),
]
PluginFlag: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="Use the plugin in a Python file, without installing it."),
]
JsonFlag: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
QuietFlag: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors.")]

# aliases of the [video] section, for every command that reads videos
RootFlag: TypeAlias = Annotated[
    Path | None, typer.Option("--root", metavar="FOLDER", help="Folder that the paths of a list start from.")
]
DecoderFlag: TypeAlias = Annotated[
    str | None, typer.Option("--decoder", metavar="NAME", help="A decoder, such as decord, or module:function.")
]
WorkersFlag: TypeAlias = Annotated[
    int | None, typer.Option("--workers", help="Processes that decode ahead; 0: this one.")
]
VideoTimeoutFlag: TypeAlias = Annotated[
    float | None, typer.Option("--video-timeout", metavar="SECONDS", help="Time after which a video is given up.")
]
RetriesFlag: TypeAlias = Annotated[
    int | None, typer.Option("--retries", help="Tries more for a video that crashes or hangs.")
]
FrameCacheFlag: TypeAlias = Annotated[
    Path | None, typer.Option("--frame-cache", metavar="FOLDER", help="Keep frames here between runs.")
]
ClipSecondsFlag: TypeAlias = Annotated[
    float | None, typer.Option("--clip-seconds", metavar="SECONDS", help="Cut videos into windows of this length.")
]
OutsideFlag: TypeAlias = Annotated[
    bool | None, typer.Option("--allow-outside-root", help="Follow `..` and links out of the videos' folder.")
]
FLAG_OF = {"video.timeout": "--video-timeout"}  # where a flag is not called after its key


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
    from maxi_core.plugin_files import files_of, with_files
    from maxi_core.plugins import discover
    from maxi_core.recipes import shipped

    if _is_set("MAXI_TRACE_PLUGINS"):
        logging.getLogger("maxi.plugins").setLevel(logging.DEBUG)
    names = os.environ.get("MAXI_LOAD_PLUGINS")
    only = None if names is None else [name.strip() for name in names.split(",") if name.strip()]
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
    players: bool = False,
    typed: bool = True,
) -> "Recipe":
    """Settle the recipe: defaults < maxi.toml or --config < MAXI_* < -o and the flags that are aliases of its keys.

    `aliases` maps a path such as `video.decoder` to what its flag was given, None where it was not typed; `more` are
    the settings of flags that are no aliases, such as --sources. `typed` is false for a `config` that nobody named, as
    the settled recipe of a run: it may name no plugin files, nor code as the decoder.
    """
    from maxi_core.plugin_files import is_settled, without_files
    from maxi_core.recipe import from_env, from_file, settle, with_decoder
    from maxi_core.recipes import shipped
    from maxi_core.video.decoder_lookup import refuse_untyped

    config = shipped(config, catalog) if config else None
    file = config or (CONFIG_FILE if CONFIG_FILE.is_file() else None)
    typed = typed and config is not None
    named = without_files(from_file(file), file, typed=typed) if file else []
    variables = from_env(os.environ, catalog)
    settings = [*named, *variables, *_from_flags(options or (), aliases or {}), *more]
    recipe = settle(catalog, settings, players=players)
    refuse_untyped(settings, variables if file and typed and not is_settled(file) else [*named, *variables], catalog)
    return with_decoder(catalog, recipe)


def _from_flags(options: Iterable[str], aliases: Mapping[str, object]) -> "list[Setting]":
    from maxi_core.recipe import Setting, from_flag

    settings = [from_flag(text) for text in options]
    for path, value in aliases.items():
        if value is None:
            continue
        section, _, key = path.partition(".")
        flag = FLAG_OF.get(path, f"--{key.replace('_', '-')}")
        for other in settings:
            if (other.section, other.key.replace("-", "_")) == (section, key) and not _same(other, value):
                raise UsageError(f"{flag} {value} and {other.origin} say different things", "give one of them")
        settings.append(Setting(section, key, value, flag, typed=isinstance(value, str)))
    return settings


def _same(setting: "Setting", value: object) -> bool:
    """Whether -o and a flag of the core say the same: `-o video.timeout=60` and `--video-timeout 60.0` do."""
    from pydantic import ValidationError

    from maxi_core.options import from_text
    from maxi_core.sections import core_section

    model, key = core_section(setting.section), setting.key.replace("-", "_")
    try:
        typed = [from_text(model, key, str(said)) for said in (setting.value, value)]
        one, other = (getattr(model.model_validate({key: said}), key) for said in typed)
    except (ValidationError, KeyError):
        return setting.value == str(value)
    return bool(one == other)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")
