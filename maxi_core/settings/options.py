"""Options of plugins and of core sections: what a recipe may set, with type, default and help at one place."""

import math
import tomllib
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from maxi_core.errors import LEAVING, MaxiError, PluginError, UsageError, deed, nearest
from maxi_core.settings.option_types import alternatives, inline, why_no_option
from maxi_core.system.secrets import is_secret
from maxi_core.system.urls import is_remote

_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Options(BaseModel):
    """Base of every options model: unknown keys are refused, values cannot change once they are set.

    Each field of a subclass has a default and a description, and one that accepts None has None as its default, since
    TOML cannot say none (`flaws` checks all three).
    """

    # defaults are checked too, so that 60 of a float is 60.0 before it is written and after it was read
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    # options that change how fast an answer comes and not the answer: they stay out of the key it is kept under
    EFFORT: ClassVar[tuple[str, ...]] = ()
    # options that somebody has to name: a maxi.toml that merely lies in the folder cannot set them
    TYPED: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class WorldPath:
    """Marks an option that takes a path or the name of a world: `Annotated[str, WorldPath("captioner")]`.

    `what` is the method of `maxi_core.World` that gives the path. The core puts it in the place of the name before a
    plugin sees its options; the settled recipe keeps the name. Texts that are no world's name stay as they are, and so
    do `words`, which mean something else there. With `file` they are files always: relative ones become absolute.
    """

    what: str
    file: bool = False
    words: tuple[str, ...] = ()

    @staticmethod
    def fields(model: type[BaseModel]) -> dict[str, "WorldPath"]:
        """Return the fields of a model that are marked so, by key."""
        return {
            key: mark for key, field in model.model_fields.items() for mark in field.metadata
            if isinstance(mark, WorldPath)
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flag:
    """Marks how the command line shows an option where its key, type and description do not say.

    `name` is the flag, `--key` if it is not given; `metavar` stands for its value. With `argument` it is typed without
    a flag, as `KEY`. `required` says that a command which takes it cannot do without. `names` is what the shell offers:
    the offers of a role, or the worlds that have something (`world.clip`); a `WorldPath` says so by itself.
    """

    name: str = ""
    metavar: str = ""
    argument: bool = False
    required: bool = False
    names: str = ""

    @staticmethod
    def of(model: type[BaseModel], key: str) -> "Flag":
        """Return the mark of option `key`, with everything that was left open."""
        field = model.model_fields[key]
        said = next((mark for mark in field.metadata if isinstance(mark, Flag)), Flag())
        path = next((mark for mark in field.metadata if isinstance(mark, WorldPath)), None)
        name = said.name or (key.upper() if said.argument else f"--{key.replace('_', '-')}")
        return replace(said, name=name, names=said.names or (f"world.{path.what}" if path else ""))


@dataclass(frozen=True, slots=True)
class Decides:
    """Marks what an option decides, if not the result by itself: `Decides("data")`, or `Decides("")` for nothing.

    The option is then compared as a part of it, or not at all, where two runs are held to be the same.
    """

    what: str

    @staticmethod
    def of(model: type[BaseModel], key: str) -> str:
        """Return what option `key` decides; it is the key itself if nothing else was said."""
        marks = model.model_fields[key].metadata
        return next((mark.what for mark in marks if isinstance(mark, Decides)), key)


class Configured(ABC):
    """What all that plugins offer shares: a `name`, a `role`, and `options` made from the nested `Options`.

    `settled` are the options as the settled recipe has them, with the names of worlds (`options` has their paths); the
    core sets it, and it is None for one that nobody made from a recipe.
    """

    name: ClassVar[str]
    role: ClassVar[str]
    Options: ClassVar[type["Options"]] = Options
    settled: BaseModel | None = None

    # what the core knows of an instance that a recipe names
    ref: str = ""  # `dist:name`
    version: str = ""  # of the distribution, or the digest of a plugin file
    _label: str = ""

    def __init__(self, options: BaseModel | None = None) -> None:
        self.options: Any = self.Options() if options is None else options

    @property
    def label(self) -> str:
        """The short name in bags: the plugin's own, or `name#label` for another instance of it."""
        return self._label or self.name

    @label.setter
    def label(self, label: str) -> None:
        self._label = label


@dataclass(frozen=True, slots=True)
class OptionHelp:
    """One option as a person sees it: key, type in words, default, help, and what a number must be."""

    key: str
    type: str
    default: object
    help: str
    bounds: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The help as a sentence with default and range behind it; what it says of none is the default."""
        text, _, default = self.help.partition("; none: ")
        default = default or ("" if self.default in (None, "", ()) else self.shown_default)
        behind = [f"default: {default}"] if default else []
        behind += [", ".join(f"x{bound}".replace(" ", "") for bound in self.bounds)] if self.bounds else []
        return f"{text[:1].upper()}{text[1:]}." + (f"  [{'; '.join(behind)}]" if behind else "")

    @property
    def shown_default(self) -> str:
        """The default as one would type it; what is typed as nothing at all (`-o name.key=`) stands in brackets."""
        if isinstance(self.default, (tuple, list)):
            return ",".join(str(item) for item in self.default) or "(empty)"
        if isinstance(self.default, dict):
            return inline(self.default)
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return "(none)" if self.default is None else str(self.default) or "(empty)"


def describe(model: type[BaseModel]) -> list[OptionHelp]:
    """Return the options of a model in the order in which they are written."""
    return [described(model, key) for key in model.model_fields]


def described(model: type[BaseModel], key: str) -> OptionHelp:
    """Return one option of a model as a person sees it."""
    field = model.model_fields[key]
    return OptionHelp(key, _type_in_words(field), _shown(field), field.description or "", tuple(bounds(field)))


def _shown(field: FieldInfo) -> object:
    default = field.get_default(call_default_factory=True)
    return None if isinstance(default, SecretStr) else default


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
        elif why := why_no_option(field.annotation) or _why_no_default(model, key, field):
            found.append(f"option '{key}' {why}")
        if not field.description:
            found.append(f"option '{key}' has no description")
    for name in ("EFFORT", "TYPED"):
        said: object = getattr(model, name, ())
        if not isinstance(said, (tuple, list)):
            found.append(f"{name} is {said!r:.40}, not a tuple of keys")
            continue
        keys = [key for key in said if key not in model.model_fields]
        found += [f"{name} names '{key}', which is no option of it" for key in keys]
    return found


def _why_no_default(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    """Return why an option does not take its own default, "" if it does."""
    default = field.get_default(call_default_factory=True)
    try:
        model.model_validate({key: default})
    except ValidationError as error:
        if any(one["loc"][:1] == (key,) for one in error.errors(include_url=False)):
            return f"has the default {default!r:.40}, which it does not take"
    return ""


def deciding(options: BaseModel) -> dict[str, object]:
    """Return the options that decide answers as JSON values: without secrets, and those of effort or marked `Decides`.

    So a checkpoint and the store remember them.
    """
    model = type(options)
    effort = model.EFFORT if issubclass(model, Options) else ()
    marked = {key for key in model.model_fields if Decides.of(model, key) != key}
    kept: dict[str, object] = options.model_dump(mode="json", exclude={*effort, *marked, *secret_options(model)})
    return kept


def secret_options(model: type[BaseModel]) -> frozenset[str]:
    """Return the options that are never written or shown: those that hold a `SecretStr`, or are named like a secret."""
    return frozenset(
        key
        for key, field in model.model_fields.items()
        if is_secret(key) or SecretStr in alternatives(field.annotation)
    )


def from_text(model: type[BaseModel], key: str, text: str) -> object:
    """Turn what was typed for option `key` into a value for the model.

    `a,b` is a list, `{a = 1}` a table as in TOML, an empty text is none; raises UsageError for what is no such table.
    """
    kinds = alternatives(model.model_fields[key].annotation)
    if text == "" and NoneType in kinds:
        return None
    if any(get_origin(kind) is dict for kind in kinds):
        return _table(key, text)
    if is_list(model, key):
        return [part.strip() for part in text.split(",") if part.strip()]
    return next((choice for choice in choices(model, key) if str(choice) == text), text)


def is_list(model: type[BaseModel], key: str) -> bool:
    """Return whether option `key` is typed as a list, with commas; one that may be a text is typed as that."""
    kinds = alternatives(model.model_fields[key].annotation)
    return str not in kinds and any(get_origin(kind) in (list, tuple) for kind in kinds)


def choices(model: type[BaseModel], key: str) -> tuple[Any, ...]:
    """Return the values of option `key`, or of its items, if they are a closed list; () if any value will do."""
    kinds = alternatives(model.model_fields[key].annotation)
    kinds += tuple(
        kind for many in kinds if get_origin(many) in (list, tuple) for kind in alternatives(get_args(many)[0])
    )
    return tuple(choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind))


def bounds(field: FieldInfo) -> list[str]:
    """Return what a number must be, as `> 0` and `<= 1`; an empty list if any will do."""
    rules = ((sign, getattr(rule, name, None)) for rule in field.metadata for name, sign in _SIGNS.items())
    return [f"{sign} {bound}" for sign, bound in rules if bound is not None]


def _table(key: str, text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, or nested too deeply
        raise UsageError(
            f"{key} = {text!r} is no table", f"write {key}={{a = 1}} as in TOML, or a table in maxi.toml"
        ) from None


IsName: TypeAlias = Callable[[WorldPath, str], bool]


def make(
    model: type[BaseModel],
    section: str,
    values: Mapping[str, object],
    origins: Mapping[str, str],
    is_name: IsName = lambda _mark, _text: False,
) -> BaseModel:
    """Make the options of `section`; raises UsageError with one line that names the key and where it was set.

    Relative paths become absolute, so that a settled recipe means the same from any folder; where an option takes the
    name of a world, `is_name` says whether it has one, which stays as it is.
    """
    for key in values:
        if key not in model.model_fields:
            known = ", ".join(model.model_fields) or "none"
            raise UsageError(
                f"[{section}] has no option '{key}'{nearest(key, model.model_fields)} ({origins[key]})",
                f"its options are: {known}",
            )
        if values[key] == "" and Path in alternatives(model.model_fields[key].annotation):
            raise UsageError(f"[{section}] {key} is empty ({origins[key]})", "name a path, or leave it out")
    try:
        options = validated(model, section, values)
    except ValidationError as error:
        raise _in_one_line(error, model, section, origins) from None
    marks = WorldPath.fields(model)
    paths: dict[str, object] = {}
    for key, value in options:
        try:
            paths[key] = _placed(value, marks.get(key), is_name)
        except (OSError, RuntimeError) as error:  # a name that is too long, the home folder of nobody
            raise UsageError(f"[{section}] {key} = {str(value)!r} cannot be found: {error}", "correct it") from None
    return options.model_copy(update=paths)


def validated(model: type[BaseModel], section: str, values: Mapping[str, object]) -> BaseModel:
    """Return the options of `section`; raises pydantic's ValidationError, and PluginError if a validator does else."""
    try:
        return model.model_validate(dict(values))
    except (ValidationError, MaxiError, *LEAVING):
        raise
    except BaseException as error:
        raise PluginError(f"'{section}' {deed(error)} when it was given its options") from error


def _placed(value: object, mark: WorldPath | None, is_name: IsName) -> object:
    if mark is None or value is None:
        return _absolute(value)
    if isinstance(value, tuple):
        return tuple(_placed(one, mark, is_name) for one in value)
    if is_name(mark, str(value)):
        return value
    return _absolute_if_there(value) if mark.file and isinstance(value, str) else _absolute(value)


def _absolute(value: object) -> object:
    if isinstance(value, Path):
        if ":" in str(value):  # a URL, or what was meant for one
            from maxi_core.system.remote import as_path

            value = as_path(value)
        return value if is_remote(value) else value.expanduser().absolute()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_absolute, value))
    return {key: _absolute(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _absolute_if_there(text: str) -> str:
    if is_remote(text):
        return text
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() else text


def _in_one_line(
    error: ValidationError, model: type[BaseModel], section: str, origins: Mapping[str, str]
) -> UsageError:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # a validator of the whole model
        return UsageError(f"[{section}]{why_refused(first)}")
    key = str(first["loc"][0])
    if key in secret_options(model):
        return UsageError(f"[{section}] {key}{why_refused(first)}", "it is a secret, and not shown")
    what = f"[{section}] {key} = {first['input']!r} ({origins.get(key, 'default')}){why_refused(first)}"
    return UsageError(what, f"it takes {_type_in_words(model.model_fields[key])}")


# Why pydantic does not take a value, in the words of whoever typed it.

_NOT = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float", "int_parsing_size"), "is not a whole number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "is not true or false"),
    **dict.fromkeys(("string_type", "string_unicode"), "is not a text"),
    **dict.fromkeys(("list_type", "tuple_type"), "is not a list"),
    **{"literal_error": "is not known", "path_type": "is not a path", "dict_type": "is not a table"},
    "finite_number": "is not a finite number",
}
_BOUNDS = {
    **{"gt": "must be more than", "ge": "must be at least", "lt": "must be less than", "le": "must be at most"},
    **{"min_length": "must not be shorter than", "max_length": "must not be longer than"},
}


def why_refused(error: Mapping[str, Any]) -> str:
    """Return one entry of `ValidationError.errors()` as the end of a sentence about the value: ` is not a number`."""
    kind, said = error["type"], error.get("ctx", {})
    if kind in ("float_parsing", "float_type"):
        return f" is not a number{_meant(str(error['input']))}"
    if kind == "value_error":
        return f": {said['error']}"
    for key, words in _BOUNDS.items():
        if key in said:
            share = said[key] == 1 and key == "le"
            return f" {words} {said[key]}{_meant(str(error['input']) + '%') if share else ''}"
    return f" {_NOT[kind]}" if kind in _NOT else f": {error['msg'][:1].lower()}{error['msg'][1:]}"


def _meant(text: str) -> str:
    """Return how to write a share in percent, or a number with a decimal comma."""
    number = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        return ""
    return f", write {value:g}" if math.isfinite(value) else ""


def _type_in_words(field: FieldInfo) -> str:
    return f"{_annotation_in_words(field.annotation)} {' and '.join(bounds(field))}".rstrip()


def _annotation_in_words(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotation_in_words(args[0])
    if origin is Literal:
        return " | ".join(str(arg) for arg in args)
    if origin in (Union, UnionType):
        return " or ".join(_annotation_in_words(arg) for arg in args)
    if origin in (list, tuple, dict):
        of = _annotation_in_words(args[1] if origin is dict else args[0])
        return f"{'table' if origin is dict else 'list'} of {of}"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


_WORDS: dict[Any, str] = {
    **{str: "text", float: "number", int: "integer", bool: "true or false", Path: "path"},
    **{SecretStr: "secret", NoneType: "none"},
}
