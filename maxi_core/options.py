"""Options of plugins and of core sections: what a recipe may set, with type, default and help at one place."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from maxi_core.errors import UsageError, nearest

_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Options(BaseModel):
    """Base of every options model: unknown keys are refused, values cannot change once they are set.

    Each field of a subclass has a default and a description, and one that accepts None has None as its default, since
    TOML cannot say none (`flaws` checks all three).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # options that change how fast an answer comes and not the answer: they stay out of the key it is kept under
    EFFORT: ClassVar[tuple[str, ...]] = ()


class Configured(ABC):
    """What sources and temporal modules share: a `name`, a `role`, and `options` made from the nested `Options`."""

    name: ClassVar[str]
    role: ClassVar[str]
    Options: ClassVar[type["Options"]] = Options

    def __init__(self, options: BaseModel | None = None) -> None:
        self.options: Any = self.Options() if options is None else options


@dataclass(frozen=True, slots=True)
class OptionHelp:
    """One option as a person sees it: key, type in words, default, help."""

    key: str
    type: str
    default: object
    help: str

    @property
    def shown_default(self) -> str:
        """The default as one would type it; what is typed as nothing at all (`-o name.key=`) stands in brackets."""
        if isinstance(self.default, (tuple, list)):
            return ",".join(str(item) for item in self.default) or "(empty)"
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return "(none)" if self.default is None else str(self.default) or "(empty)"


def describe(model: type[BaseModel]) -> list[OptionHelp]:
    """Return the options of a model in the order in which they are written."""
    return [
        OptionHelp(key, _type_in_words(field), field.get_default(call_default_factory=True), field.description or "")
        for key, field in model.model_fields.items()
    ]


def flaws(model: type[BaseModel]) -> list[str]:
    """Return what keeps a model from serving as options, one line each; an empty list if nothing does."""
    found = []
    if (
        not issubclass(model, Options)
        or model.model_config.get("extra") != "forbid"
        or not model.model_config.get("frozen")
    ):
        found.append("must be frozen and forbid unknown keys: derive it from maxi_core.Options")
    for key, field in model.model_fields.items():
        if field.is_required():
            found.append(f"option '{key}' has no default")
        elif NoneType in get_args(field.annotation) and field.default is not None:
            found.append(f"option '{key}' accepts none but has another default")
        if not field.description:
            found.append(f"option '{key}' has no description")
    return found


def from_text(model: type[BaseModel], key: str, text: str) -> object:
    """Turn what was typed for option `key` into a value for the model: `a,b` is a list, an empty text is none."""
    annotation = model.model_fields[key].annotation
    kinds = [annotation, *get_args(annotation)]
    if text == "" and NoneType in kinds:
        return None
    if any(get_origin(kind) in (list, tuple) or kind in (list, tuple) for kind in kinds):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def make(model: type[BaseModel], section: str, values: Mapping[str, object], origins: Mapping[str, str]) -> BaseModel:
    """Make the options of `section`; raises UsageError with one line that names the key and where it was set.

    Relative paths become absolute, so that a settled recipe means the same from any folder.
    """
    for key in values:
        if key not in model.model_fields:
            known = ", ".join(model.model_fields) or "none"
            raise UsageError(
                f"[{section}] has no option '{key}'{nearest(key, model.model_fields)} ({origins[key]})",
                f"its options are: {known}",
            )
    try:
        options = model.model_validate(dict(values))
    except ValidationError as error:
        raise _in_one_line(error, model, section, origins) from None
    try:
        paths = {key: value.expanduser().absolute() for key, value in options if isinstance(value, Path)}
    except RuntimeError as error:  # the home folder of nobody
        raise UsageError(f"[{section}] has a path that cannot be found: {error}", "correct it") from None
    return options.model_copy(update=paths)


def _in_one_line(
    error: ValidationError, model: type[BaseModel], section: str, origins: Mapping[str, str]
) -> UsageError:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # a validator of the whole model
        return UsageError(f"[{section}] {first['msg']}")
    key = str(first["loc"][0])
    what = f"[{section}] {key} = {first['input']!r} ({origins.get(key, 'default')}): {first['msg'].lower()}"
    return UsageError(what, f"it takes {_type_in_words(model.model_fields[key])}")


def _type_in_words(field: FieldInfo) -> str:
    words = _annotation_in_words(field.annotation)
    for rule in field.metadata:
        for name, sign in _SIGNS.items():
            if (bound := getattr(rule, name, None)) is not None:
                words += f" {sign} {bound}"
    return words


def _annotation_in_words(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(str(arg) for arg in args)
    if origin in (Union, UnionType):
        return " or ".join(_annotation_in_words(arg) for arg in args)
    if origin in (list, tuple):
        inner = [arg for arg in args if arg is not Ellipsis]
        return f"list of {_annotation_in_words(inner[0])}" if inner else "list"
    if annotation is NoneType:
        return "none"
    return {str: "text", float: "number", int: "integer", bool: "true or false", Path: "path"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )
