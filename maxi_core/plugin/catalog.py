"""Finding plugins: every entry point of the group `maxi` by itself, so that a broken one hurts nobody.

pluggy alone would accept a misspelt hook, drop the second of two equal names, and lose all plugins to one that fails;
so each entry point gets a plugin manager of its own, and its error is kept beside it until somebody asks for it.
"""

import logging
import re
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import Distribution, EntryPoint, entry_points
from itertools import chain
from typing import Any, Literal, Protocol

import pluggy
from pydantic import BaseModel

from maxi_core.errors import LEAVING, PluginError, kind_and_words, nearest, one_line, with_article
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, benchmark_flaws
from maxi_core.plugin import hookspecs
from maxi_core.plugin.attributes import check_attributes
from maxi_core.plugin.engine import Engine
from maxi_core.plugin.importing import PATIENCE, imported_apart
from maxi_core.plugin.roles import PATHS, ROLES, Temporal, World, core_options, with_core_options
from maxi_core.plugin.validation import check_core_options, check_methods, check_role, returned_by
from maxi_core.settings.options import Configured, Options, WorldPath, flaws
from maxi_core.settings.sections import RESERVED
from maxi_core.texts import LONGEST
from maxi_core.training.objective import Objective
from maxi_core.video.decoders import Decoder

# What a plugin offers: the classes its hooks return, checked at the border with a reason for each refusal.

APART = (Benchmark.role, World.role)  # roles whose names are no sections of a recipe: each has names of its own
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_ROLES: dict[str, tuple[type[Any], ...]] = {
    "maxi_register_decoders": (Decoder,),
    "maxi_register_sources": tuple(ROLES.values()),
    "maxi_register_temporal": (Temporal,),
    "maxi_register_objectives": (Objective,),
    "maxi_register_benchmarks": (Benchmark,),
    "maxi_register_worlds": (World,),
    "maxi_register_engines": (Engine,),
}


@dataclass(frozen=True)
class Offer:
    """What a plugin offers, by name: a class and the distribution that brings it."""

    name: str
    cls: type[Any]
    dist: str
    version: str

    @property
    def ref(self) -> str:
        """`dist:name`, which stays right when another distribution takes the same name."""
        return f"{self.dist}:{self.name}"

    @property
    def role(self) -> str:
        """The role in one word: that of a source, or temporal, objective, decoder, benchmark, world, engine."""
        role: str = self.cls.role
        return role

    @property
    def said(self) -> str:
        """The role with its article: `an expander`, `a temporal module`."""
        return with_article("temporal module" if issubclass(self.cls, Temporal) else self.role)

    @cached_property
    def options(self) -> type[BaseModel]:
        """What a recipe may set: its own options and those of the core; a decoder has none."""
        if core_options(self.cls):
            return with_core_options(self.cls)
        model: type[BaseModel] = self.cls.Options if issubclass(self.cls, Configured) else Options
        return model

    def own(self, settled: BaseModel) -> BaseModel:
        """Return its own of settled options, which were checked."""
        model: type[BaseModel] = self.cls.Options
        kept = {key: getattr(settled, key) for key in model.model_fields}
        return model.model_construct(settled.model_fields_set & kept.keys(), **kept)

    @property
    def space(self) -> str:
        """Which names it must differ from: "" for those that are sections of a recipe, else its role."""
        return self.role if self.role in APART else ""


def offers_of(hooks: Iterable[tuple[str, Callable[[], object]]], dist: str, version: str) -> tuple[Offer, ...]:
    """Call the hooks of a plugin and return what it offers; raises PluginError for anything that is not a role."""
    offers: list[Offer] = []
    for hook, function in hooks:
        for returned in returned_by(hook, function):
            cls = _checked(returned, hook)
            offer = Offer(cls.name, cls, dist, version)
            if (offer.name, offer.space) in [(other.name, other.space) for other in offers]:
                raise PluginError(f"{hook} offers '{cls.name}' twice")
            offers.append(offer)
    return tuple(offers)


def _checked(cls: Any, hook: str) -> type[Any]:
    if not isinstance(cls, type):
        raise PluginError(f"{hook} returned {cls!r}, which is not a class (return the class, not an instance)")
    if not issubclass(cls, _ROLES[hook]):
        names = ", ".join(role.__name__ for role in _ROLES[hook])
        raise PluginError(f"{hook} returned {cls.__name__}, which is not a subclass of {names}")
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise PluginError(f"{cls.__name__} lacks the method {', '.join(missing)}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"{cls.__name__}.name is {name!r}; it takes lower-case letters, digits, - and _")
    if name in RESERVED:
        raise PluginError(f"{cls.__name__}.name is '{name}', a word that maxi keeps for itself")
    role = next(role for role in _ROLES[hook] if issubclass(cls, role))
    check_role(cls, list(chain.from_iterable(_ROLES.values())))
    check_methods(cls, role)
    check_attributes(cls)
    if issubclass(cls, Configured):
        _check_options(cls)
        check_core_options(cls)
    elif hasattr(cls, "Options"):
        raise PluginError(f"{cls.__name__} has Options, and a decoder takes none")
    if issubclass(cls, Benchmark) and (found := benchmark_flaws(cls)):
        raise PluginError(f"benchmark '{name}' {found[0]}")
    return cls


def _check_options(cls: type[Configured]) -> None:
    model = cls.Options
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginError(f"{cls.__name__}.Options is not a pydantic model")
    if found := flaws(model):
        raise PluginError(f"{cls.__name__}.Options: {found[0]}")
    if cls.role in APART and model.model_fields:
        raise PluginError(
            f"{cls.__name__} has options, and no section of a recipe sets those of {with_article(cls.role)}"
        )
    for key, mark in WorldPath.fields(model).items():
        if mark.what not in PATHS:
            near = nearest(mark.what, PATHS)
            raise PluginError(f"{cls.__name__}.Options: '{key}' wants the {mark.what} of a world{near}, which none has")


log = logging.getLogger("maxi.plugins")

BUILTIN = "maxi"
FILE = "file"  # in the place of a distribution: `file:mine` is of a plugin file
State = Literal["ok", "broken", "off"]


@dataclass(frozen=True)
class Plugin:
    """One entry point: where it comes from, and what it offers or why it does not."""

    name: str
    dist: str
    version: str
    module: str
    state: State = "off"
    hooks: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    error: str = ""
    traceback: str = ""

    @property
    def label(self) -> str:
        """`dist:name`, which no two plugins share."""
        return f"{self.dist}:{self.name}"


@dataclass(frozen=True)
class Catalog:
    """All plugins that are installed, and the search for what they offer by name."""

    plugins: tuple[Plugin, ...]

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """Everything that the working plugins offer."""
        return tuple(offer for plugin in self.plugins for offer in plugin.offers)

    def named(self, name: str, space: str = "") -> list[Offer]:
        """Return the offers of that name, bare or as `dist:name`; more than one is a clash.

        `space` is "" for sources, temporal modules and objectives, which share their names with the sections of a
        recipe, else a role whose names stand apart (`APART`).
        """
        return [offer for offer in self.offers if offer.space == space and name in (offer.name, offer.ref)]

    def key(self, offer: Offer) -> str:
        """Return the shortest name that means this offer: its own, or `dist:name` while another plugin has it too."""
        return offer.name if len(self.named(offer.name, offer.space)) == 1 else offer.ref

    def find(self, name: str, roles: Collection[str] = ()) -> Offer:
        """Return the one offer called `name`; raises PluginError if there is none, more than one, or another role."""
        found = self.named(name, next((role for role in roles if role in APART), ""))
        if len(found) > 1:
            raise self._clash(name, found)
        if not found:
            raise self._missing(name, roles)
        if roles and found[0].role not in roles:
            raise PluginError(
                f"'{name}' is {with_article(found[0].role)}, and {with_article(' or '.join(roles))} is wanted here",
                f"known: {self._known(roles)}",
            )
        return found[0]

    def _clash(self, name: str, found: Collection[Offer]) -> PluginError:
        refs = sorted({offer.ref for offer in found})
        if len(refs) > 1:
            sides = " and by ".join(f"{offer.dist} {offer.version}" for offer in found)
            return PluginError(f"'{name}' is offered by {sides}", f"write {' or '.join(refs)}")
        sides = " and by ".join(plugin.module for plugin in self.plugins if set(plugin.offers) & set(found))
        return PluginError(f"'{refs[0]}' is offered by {sides}, of one distribution", "leave one of them out")

    def _missing(self, name: str, roles: Collection[str]) -> PluginError:
        dist, _, _ = name.rpartition(":")
        of_dist = [plugin for plugin in self.plugins if dist and plugin.dist == dist]
        silent = of_dist if all(plugin.state != "ok" for plugin in of_dist) else []
        for plugin in (*(plugin for plugin in self.plugins if name in (plugin.name, plugin.label)), *silent):
            if plugin.state == "broken":
                return PluginError(
                    f"plugin '{plugin.label}' {plugin.version} is broken: {plugin.error}", f"see maxi plugins {name}"
                )
            if plugin.state == "off":
                return PluginError(f"plugin '{plugin.label}' is switched off: {plugin.error}")
        if dist == FILE:
            return PluginError(f"'{name}' is of a plugin file, and none that was named has it", "type --plugin FILE")
        if dist and not of_dist:
            return PluginError(f"'{name}' is of the distribution '{dist}', which is not here", f"pip install {dist}")
        what = " or ".join(roles) or "source, temporal module or objective"
        wanted = [offer for offer in self.offers if not roles or offer.role in roles]
        near = nearest(name, [offer.ref if dist else offer.name for offer in wanted])
        return PluginError(f"no {what} is called '{name}'{near}", f"known: {self._known(roles)} (see maxi plugins)")

    def _known(self, roles: Collection[str]) -> str:
        names = sorted({offer.name for offer in self.offers if (offer.role in roles if roles else not offer.space)})
        return ", ".join(names) or "none"


def discover(only: Collection[str] | None = None, without: Collection[str] = (), *, strict: bool = False) -> Catalog:
    """Load every installed plugin by itself and return the catalog.

    `only` names the third-party plugins to load (empty: none; None: all), `without` those to leave out, built-in ones
    too; both by entry-point name or `dist:name`. With `strict`, the first broken plugin raises PluginError.
    """
    found = sorted(_unloaded(entry_points(group=hookspecs.PROJECT)), key=_order)
    _check_names([*(only or ()), *without], [plugin for plugin, _ in found])
    plugins = []
    for plugin, entry in found:
        reason = _why_off(plugin, only, without)
        loaded = replace(plugin, error=reason) if reason else load_plugin(plugin, entry)
        if strict and loaded.state == "broken":
            raise PluginError(f"plugin '{loaded.label}' {loaded.version} is broken: {loaded.error}\n{loaded.traceback}")
        plugins.append(loaded)
    return Catalog(tuple(plugins))


def _order(found: tuple[Plugin, EntryPoint]) -> tuple[bool, str, str]:
    plugin, _ = found
    return plugin.dist != BUILTIN, plugin.dist, plugin.name  # built-in plugins first


def _unloaded(entries: Iterable[EntryPoint]) -> Iterator[tuple[Plugin, EntryPoint]]:
    @cache
    def about(dist: Distribution | None) -> tuple[str, str]:  # each look parses the file anew
        return (dist.metadata["Name"], dist.metadata["Version"]) if dist else ("unknown", "?")

    for entry in entries:
        yield Plugin(entry.name, *about(entry.dist), entry.value), entry


def _check_names(names: Iterable[str], plugins: Collection[Plugin]) -> None:
    known = {plugin.name for plugin in plugins} | {plugin.label for plugin in plugins}
    for name in names:
        if name not in known:
            raise PluginError(f"no installed plugin is called '{name}'{nearest(name, known)}", "see maxi plugins")


def _why_off(plugin: Plugin, only: Collection[str] | None, without: Collection[str]) -> str:
    if {plugin.name, plugin.label} & set(without):
        return "left out by --no-plugin"
    if only is not None and plugin.dist != BUILTIN and not {plugin.name, plugin.label} & set(only):
        return "not named in MAXI_LOAD_PLUGINS"
    return ""


class Loadable(Protocol):
    """What leads to a plugin's module: an entry point, or a file that was named."""

    def load(self) -> object:
        """Import the module and return it."""


def load_plugin(plugin: Plugin, entry: Loadable, patience: float = PATIENCE) -> Plugin:
    """Return the plugin with what it offers, or with the reason why it offers nothing.

    One that is still at it after `patience` seconds is named, and waited for.
    """
    began = time.perf_counter()
    try:
        with imported_apart(plugin.label, patience):
            hooks = _hooks(entry.load(), plugin.label)
            offers = offers_of(hooks, plugin.dist, plugin.version)
        loaded = replace(plugin, state="ok", hooks=tuple(name for name, _ in hooks), offers=offers)
    except LEAVING:
        raise
    except BaseException as error:
        loaded = replace(plugin, state="broken", error=_reason(error), traceback=_traceback())
        log.debug("plugin %s: %s", plugin.label, loaded.error, exc_info=True)
    milliseconds = 1000 * (time.perf_counter() - began)
    offered = ", ".join(offer.name for offer in loaded.offers) or "nothing"
    log.info("%s (%s): %s, offers %s, %.0f ms", loaded.label, loaded.module, loaded.state, offered, milliseconds)
    return loaded


def _hooks(module: object, label: str) -> list[tuple[str, Callable[[], object]]]:
    """Return the hooks that `module` implements, by name; raises for one that does not exist."""
    wanted = getattr(module, "MAXI_API", hookspecs.API_VERSION)
    if wanted != hookspecs.API_VERSION:
        raise PluginError(
            f"it was written for plugin API {wanted}, and this maxi has {hookspecs.API_VERSION}",
            "install a version of the two that fit",
        )
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=label)
    manager.check_pending()
    callers = manager.get_hookcallers(module) or []
    if not callers:
        raise PluginError("it has no hook", "mark a maxi_register_sources function with @maxi_core.hookimpl")
    # called by name and not through pluggy, which drops an answer of None
    return sorted((caller.name, impl.function) for caller in callers for impl in caller.get_hookimpls())


def _reason(error: BaseException) -> str:
    """Return why a plugin is broken in one line of at most `LONGEST` characters."""
    known = isinstance(error, (PluginError, pluggy.PluginValidationError))
    return one_line(error if known else kind_and_words(error))


def _traceback() -> str:
    return "\n".join(line[:LONGEST] for line in traceback.format_exc().splitlines())
