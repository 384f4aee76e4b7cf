"""What a plugin offers: the classes its hooks return, checked at the border with a reason for each refusal."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from maxi_core.errors import PluginError, nearest, with_article
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, benchmark_flaws
from maxi_core.options import Configured, Options, WorldPath, flaws
from maxi_core.sections import RESERVED
from maxi_core.sources import ASKED, ROLES, with_effort
from maxi_core.temporal import Temporal
from maxi_core.validation import check_calls, check_methods
from maxi_core.video.decoders import Decoder
from maxi_core.worlds import PATHS, World

APART = (Benchmark.role, World.role)  # roles whose names are no sections of a recipe: each has names of its own
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ROLES: dict[str, tuple[type[Any], ...]] = {
    "maxi_register_decoders": (Decoder,),
    "maxi_register_sources": tuple(ROLES.values()),
    "maxi_register_temporal": (Temporal,),
    "maxi_register_benchmarks": (Benchmark,),
    "maxi_register_worlds": (World,),
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
        """The role in one word: that of a source, temporal, decoder, benchmark or world."""
        role: str = self.cls.role
        return role

    @property
    def is_asked(self) -> bool:
        """Whether it is a source that answers batches, and so has the options `batch` and `concurrency` of the core."""
        return issubclass(self.cls, ASKED)

    @cached_property
    def options(self) -> type[BaseModel]:
        """What a recipe may set: its own options and those of the core; a decoder has none."""
        if self.is_asked:
            return with_effort(self.cls)
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
        for returned in _returned(function(), hook):
            cls = _checked(returned, hook)
            offer = Offer(cls.name, cls, dist, version)
            if (offer.name, offer.space) in [(other.name, other.space) for other in offers]:
                raise PluginError(f"{hook} offers '{cls.name}' twice")
            offers.append(offer)
    return tuple(offers)


def _returned(value: object, hook: str) -> list[object]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise PluginError(f"{hook} returned {type(value).__name__}, not a list of classes")
    return list(value)


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
        raise PluginError(f"{cls.__name__}.name is {name!r}; it takes lower-case letters, digits and hyphens")
    if name in RESERVED:
        raise PluginError(f"{cls.__name__}.name is '{name}', a word that maxi keeps for itself")
    check_methods(cls, next(role for role in _ROLES[hook] if issubclass(cls, role)))
    if issubclass(cls, Configured):
        _check_options(cls)
        check_calls(cls)
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
