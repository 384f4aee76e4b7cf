"""What each class attribute of a role takes, in one table: looked at when a plugin is loaded, and trusted after."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maxi_core.errors import PluginError
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.plugin.engine import Engine
from maxi_core.plugin.roles import Captioner, Filter, Matcher, Temporal
from maxi_core.settings.options import Configured
from maxi_core.texts import has_words, written_out
from maxi_core.training.objective import PROMPTS, Objective, Teacher
from maxi_core.video.decoders import Decoder
from maxi_core.video.sampling import Sampling


@dataclass(frozen=True)
class Takes:
    """What an attribute takes: in words, as the end of `X.key is 5, not ...`, and whether a value is such."""

    words: str
    holds: Callable[[Any], bool]


def check_attributes(cls: type[Any]) -> None:
    """Raise PluginError for a class attribute, such as `costs_money`, that is not what its role takes."""
    for role, attributes in ATTRIBUTES.items():
        if not issubclass(cls, role):
            continue
        for key, takes in attributes.items():
            value = inspect.getattr_static(cls, key, None)
            if not takes.holds(value):
                raise PluginError(f"{cls.__name__}.{key} is {value!r:.40}, not {takes.words}")


def is_text(value: object) -> bool:
    """Return whether a value is a text in one line that can be shown as it is; it may be empty."""
    return isinstance(value, str) and written_out(value) == value


def _is_title(value: object) -> bool:
    return isinstance(value, str) and is_text(value) and has_words(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _are(value: object, holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, tuple) and all(map(holds, value))


def _is_pattern(value: object) -> bool:
    """Return whether a value is a text in which only the split is left open, as `{}`."""
    if not isinstance(value, str) or not is_text(value):
        return False
    try:
        value.format("1")
    except (LookupError, ValueError, AttributeError):
        return False
    return True


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _is_title(value) and ":" not in value


def _are_counts(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    splits = all(isinstance(split, str) and is_text(split) and split and ":" not in split for split in value)
    return splits and all(count is None or _is_count(count) for count in value.values())


def _is_property(value: object) -> bool:
    """Return whether a value is asked for when it is wanted, on the instance, and is looked at then."""
    return hasattr(type(value), "__get__")


_SWITCH = Takes("True or False", lambda value: isinstance(value, bool))
_PATTERN = Takes("a text in one line, with {} for the split", _is_pattern)
_PATTERNS = Takes("a tuple of names of files, with {} for the split", lambda value: _are(value, _is_pattern))
_FRAMES = Takes(
    "a Sampling, None or a property", lambda value: isinstance(value, Sampling | None) or _is_property(value)
)
_YES_OR_NO = Takes("True, False or a property", lambda value: isinstance(value, bool) or _is_property(value))
_TEACHER = Takes(
    "a Teacher, None or a property", lambda value: isinstance(value, Teacher | None) or _is_property(value)
)
_OF_THE_CORE = Takes("a text, which the core sets", is_text)

ATTRIBUTES: dict[type[Any], dict[str, Takes]] = {
    Configured: {
        "settled": Takes("None, and the core sets it", lambda value: value is None),
        "ref": _OF_THE_CORE,
        "version": _OF_THE_CORE,
        "label": Takes("the property of the core", lambda value: value is Configured.__dict__["label"]),
    },
    Matcher: {"frames": _FRAMES},
    Captioner: {"frames": _FRAMES, "costs_money": _SWITCH},
    Filter: {"frames": _FRAMES},
    Temporal: {
        "projects": Takes(
            "a tuple of names of projects",
            lambda value: isinstance(value, (tuple, list)) and all(map(_is_title, value)),
        )
    },
    Objective: {
        "prompts": Takes(" or ".join(PROMPTS), lambda value: isinstance(value, str) and value in PROMPTS),
        "regulariser": _SWITCH,
        "teacher": _TEACHER,
        "alone": _YES_OR_NO,
    },
    Decoder: {"archives": _SWITCH},
    Engine: {"apart": _YES_OR_NO},
    Benchmark: {
        "title": Takes("a title in one line", _is_title),
        "metric": Takes("the name of a metric", _is_title),
        "multi_label": _SWITCH,
        "classes": Takes("a number of classes, or None", lambda value: value is None or _is_count(value)),
        "counts": Takes("a number of videos, or None, for each split, as in {'1': None}", _are_counts),
        "aliases": Takes("a tuple of names without a colon", lambda value: _are(value, _is_name)),
        "lists": _PATTERNS,
        "labels": _PATTERNS,
        "official_files": _PATTERN,
        "few_shot": _PATTERN,
    },
}
