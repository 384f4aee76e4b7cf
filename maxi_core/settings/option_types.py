"""Which types an option may have: those that TOML can hold, and a person can type."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

PLAIN = (bool, int, float, str, Path, datetime, date, time)
ALLOWED = "bool, int, float, str, Path, Literal, dates and times, lists and tuples of these, dict[str, ...], SecretStr"


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return what an annotation may be: the members of a union, or itself."""
    annotation = _bare(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for arg in get_args(annotation) for kind in alternatives(arg))
    return (annotation,)


def why_no_option(annotation: Any) -> str:
    """Return why an option cannot have this type, "" if it can: `has the type set[str], which TOML cannot hold ...`."""
    for kind in alternatives(annotation):
        if kind is SecretStr or kind is NoneType or _is_plain(kind):
            continue
        origin, args = get_origin(kind), get_args(kind)
        if origin in (list, tuple) and args and all(arg is Ellipsis or _is_plain(_bare(arg)) for arg in args):
            continue
        if origin is dict and _is_table(args):
            continue
        return f"has the type {_said(kind)}, which no recipe can hold; take {ALLOWED}"
    return ""


def inline(value: object) -> str:
    """Return a value as TOML has it in one line: `{a = 1, b = ["x"]}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))} = {inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return value.isoformat() if isinstance(value, (date, time)) else json.dumps(str(value))


def _key(text: str) -> str:
    return text if text.replace("-", "").replace("_", "").isalnum() and text.isascii() else json.dumps(text)


def _bare(annotation: Any) -> Any:
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _is_plain(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return all(type(choice) in (str, int) for choice in get_args(kind))
    return kind in PLAIN


def _is_table(args: tuple[Any, ...]) -> bool:
    """Whether these are the arguments of a dict from text to plain values, lists of them, or such dicts."""
    if not args or _bare(args[0]) is not str:
        return False
    for kind in alternatives(args[1]):
        inner = get_args(kind)
        if get_origin(kind) in (list, tuple) and inner:
            if not all(arg is Ellipsis or _is_plain(_bare(arg)) for arg in inner):
                return False
        elif get_origin(kind) is dict:
            if not _is_table(inner):
                return False
        elif not _is_plain(kind):
            return False
    return True


def _said(kind: Any) -> str:
    return str(kind) if get_origin(kind) is not None else getattr(kind, "__name__", str(kind))
