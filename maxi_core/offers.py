"""What a plugin offers: the classes its hooks return, checked at the border with a reason for each refusal."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from maxi_core.errors import PluginError
from maxi_core.options import Configured, flaws
from maxi_core.sections import RESERVED
from maxi_core.sources import ROLES
from maxi_core.temporal import Temporal

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ROLES: dict[str, tuple[type[Configured], ...]] = {
    "maxi_register_sources": tuple(ROLES.values()),
    "maxi_register_temporal": (Temporal,),
}


@dataclass(frozen=True)
class Offer:
    """A source or temporal module by name: its class and the distribution that brings it."""

    name: str
    cls: type[Configured]
    dist: str
    version: str

    @property
    def ref(self) -> str:
        """`dist:name`, which stays right when another distribution takes the same name."""
        return f"{self.dist}:{self.name}"

    @property
    def role(self) -> str:
        """The role in one word: injector, matcher, expander, captioner, augmenter or temporal."""
        return self.cls.role


def offers_of(hooks: Iterable[tuple[str, Callable[[], object]]], dist: str, version: str) -> tuple[Offer, ...]:
    """Call the hooks of a plugin and return what it offers; raises PluginError for anything that is not a role."""
    offers: list[Offer] = []
    for hook, function in hooks:
        for returned in _returned(function(), hook):
            cls = _checked(returned, hook)
            if cls.name in [offer.name for offer in offers]:
                raise PluginError(f"{hook} offers '{cls.name}' twice")
            offers.append(Offer(cls.name, cls, dist, version))
    return tuple(offers)


def _returned(value: object, hook: str) -> list[object]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise PluginError(f"{hook} returned {type(value).__name__}, not a list of classes")
    return list(value)


def _checked(cls: object, hook: str) -> type[Configured]:
    if not isinstance(cls, type):
        raise PluginError(f"{hook} returned {cls!r}, which is not a class (return the class, not an instance)")
    if not issubclass(cls, _ROLES[hook]):
        names = ", ".join(role.__name__ for role in _ROLES[hook])
        raise PluginError(f"{hook} returned {cls.__name__}, which is not a subclass of {names}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise PluginError(f"{cls.__name__} lacks the method {missing}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"{cls.__name__}.name is {name!r}; it takes lower-case letters, digits and hyphens")
    if name in RESERVED:
        raise PluginError(f"{cls.__name__}.name is '{name}', a word that maxi keeps for itself")
    _check_options(cls)
    return cls


def _check_options(cls: type[Configured]) -> None:
    model = cls.Options
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginError(f"{cls.__name__}.Options is not a pydantic model")
    if found := flaws(model):
        raise PluginError(f"{cls.__name__}.Options: {found[0]}")
