"""What of a plugin's class can be seen to be wrong when it is loaded, before anybody asks it anything."""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from maxi_core.errors import PluginError
from maxi_core.plugin.roles import core_options
from maxi_core.settings.options import Configured


def returned_by(hook: str, function: Callable[[], object]) -> list[object]:
    """Return what the function of a hook returns; raises PluginError where it is no list or has to be awaited."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{hook} is asynchronous: make it a function that returns a list of classes")
    said = function()
    if inspect.iscoroutine(said):
        said.close()
    if not isinstance(said, Iterable) or isinstance(said, (str, bytes)):
        raise PluginError(f"{hook} returned {type(said).__name__}, not a list of classes")
    return list(said)


def check_role(cls: type[Any], roles: Collection[type[Any]]) -> None:
    """Raise PluginError for a class of several roles, and for one that says that it is of another than it is."""
    mine = [role for role in roles if issubclass(cls, role)]
    if len(mine) > 1:
        names = " and ".join(role.__name__ for role in mine)
        raise PluginError(f"{cls.__name__} is a subclass of {names}, and a class has one role", "make two classes")
    said = inspect.getattr_static(cls, "role")
    if type(said) is not str or said != mine[0].role:
        was = f"and that of every {mine[0].__name__} is '{mine[0].role}'"
        raise PluginError(f"{cls.__name__}.role is {said!r:.40}, {was}", "leave it out")


def check_methods(cls: type[Any], role: type[Any]) -> None:
    """Raise PluginError for a method of a role that cannot be called as the core calls it, or gives no plain answer."""
    for name, as_role in _methods(role):
        found = inspect.getattr_static(cls, name)
        if found is as_role:
            continue
        where = f"{cls.__name__}.{name}"
        if isinstance(as_role, property):
            if callable(found) or isinstance(found, (staticmethod, classmethod)):
                raise PluginError(f"{where} is a method: mark it with @property, or write {name} = ...")
            continue
        method = getattr(cls, name)
        if not callable(method):
            raise PluginError(f"{where} is {found!r:.40}, not a method")
        for kind, is_kind in _KINDS.items():
            if is_kind(inspect.unwrap(method)) and not is_kind(as_role):
                raise PluginError(f"{where} is {kind}: return {_ANSWERS.get(name, 'the answer')} instead")
        _check_arguments(where, name, found, method, as_role)


_KINDS = {
    "a generator function": inspect.isgeneratorfunction,
    "an asynchronous generator": inspect.isasyncgenfunction,
    "a coroutine function": inspect.iscoroutinefunction,
}
_ANSWERS = {**dict.fromkeys(("match", "expand", "caption", "augment"), "a list"), "attach": "the pooling"}


def _methods(role: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a role, with those of all that it stands on."""
    for name in dir(role):
        member = inspect.getattr_static(role, name)
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member


def _check_arguments(where: str, name: str, found: Any, method: Any, as_role: Any) -> None:
    if not (inspect.isfunction(found) or isinstance(found, (staticmethod, classmethod))):
        return  # a callable of another kind, which says nothing of its arguments
    wanted = [*inspect.signature(as_role).parameters.values()][1:]  # without self
    by_name = {one.name: None for one in wanted if one.kind is one.KEYWORD_ONLY}
    given = [None] * (len(wanted) - len(by_name) + inspect.isfunction(found))
    signature = inspect.signature(method)
    try:
        signature.bind(*given, **by_name)
    except TypeError:
        has, wants = (", ".join(names) for names in (signature.parameters, inspect.signature(as_role).parameters))
        raise PluginError(f"{where}({has}) cannot be called as {name}({wants})") from None


def check_core_options(cls: type[Configured]) -> None:
    """Raise PluginError for an option of the core, such as `batch`, that cannot be, or is an option of its own."""
    for key, (kind, least, most, _) in core_options(cls).items():
        if key in cls.Options.model_fields:
            raise PluginError(
                f"{cls.__name__}.Options has '{key}', which is an option of the core in every {_WHOM[kind]}",
                f"remove it, and set the default as a class attribute: {key} = {_SUCH[kind]}",
            )
        value = inspect.getattr_static(cls, key)
        if type(value) not in (int, kind) or not least <= value <= most:
            what = f"a whole number from {least} to {most}" if kind is int else f"a finite number from {least}"
            raise PluginError(f"{cls.__name__}.{key} is {value!r:.40}, not {what}")


_WHOM, _SUCH = {int: "source", float: "objective"}, {int: "8", float: "0.5"}
