"""The whole hook surface of maxi: hooks that return classes.

A plugin is anything behind an entry point of the group `maxi` that has functions marked with `maxi_core.hookimpl`.
An instance of a class is made, with its options, only if a recipe names it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from maxi_core.evaluation.benchmarks.benchmark import Benchmark
    from maxi_core.plugin.engine import Engine
    from maxi_core.plugin.roles import Source, Temporal, World
    from maxi_core.training.objective import Objective
    from maxi_core.video.decoders import Decoder

PROJECT = "maxi"
API_VERSION = 1  # a plugin may state the one it was written for: `MAXI_API = 1` beside its hooks

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def maxi_register_sources() -> "Iterable[type[Source]]":  # type: ignore[empty-body]
    """Return the language source classes that this plugin offers, each a subclass of one of the six roles."""


@hookspec
def maxi_register_temporal() -> "Iterable[type[Temporal]]":  # type: ignore[empty-body]
    """Return the temporal module classes that this plugin offers."""


@hookspec
def maxi_register_objectives() -> "Iterable[type[Objective]]":  # type: ignore[empty-body]
    """Return the objective classes that this plugin offers: what training makes smaller."""


@hookspec
def maxi_register_decoders() -> "Iterable[type[Decoder]]":  # type: ignore[empty-body]
    """Return the video decoder classes that this plugin offers."""


@hookspec
def maxi_register_benchmarks() -> "Iterable[type[Benchmark]]":  # type: ignore[empty-body]
    """Return the benchmarks that this plugin offers."""


@hookspec
def maxi_register_worlds() -> "Iterable[type[World]]":  # type: ignore[empty-body]
    """Return the worlds that this plugin offers: named bundles of videos, action names and models."""


@hookspec
def maxi_register_engines() -> "Iterable[type[Engine]]":  # type: ignore[empty-body]
    """Return the engines that this plugin offers: who does the work of a run, here or on many machines."""
