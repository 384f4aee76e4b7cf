"""The whole hook surface of maxi: two hooks, both returning classes.

A plugin is anything behind an entry point of the group `maxi` that has functions marked with `maxi_core.hookimpl`.
An instance of a class is made, with its options, only if a recipe names it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from maxi_core.sources import Source
    from maxi_core.temporal import Temporal

PROJECT = "maxi"
API_VERSION = 1  # a plugin may state the one it was written for: `MAXI_API = 1` beside its hooks

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def maxi_register_sources() -> "Iterable[type[Source]]":  # type: ignore[empty-body]
    """Return the language source classes that this plugin offers, each a subclass of one of the five roles."""


@hookspec
def maxi_register_temporal() -> "Iterable[type[Temporal]]":  # type: ignore[empty-body]
    """Return the temporal module classes that this plugin offers."""
