"""Which decoder a name means: one that a plugin offers, or any function by `module:function`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from maxi_core.errors import UsageError
from maxi_core.video.decoders import Decode, load

if TYPE_CHECKING:
    from maxi_core.offers import Offer
    from maxi_core.plugins import Catalog
    from maxi_core.recipe import Setting

ROLE = "decoder"


@dataclass(frozen=True, slots=True)
class Located:
    """A decoder as it is known on disk, `dist:name` and its distribution's version, and where its code is.

    `module:function` is its own name and has no version.
    """

    ref: str
    version: str
    target: str

    def load(self) -> Decode:
        """Import it and return its function; raises UsageError if it cannot be loaded."""
        return load(self.target, self.ref)


def look_up(name: str, catalog: Catalog | None = None) -> Located:
    """Return the decoder called `name`, out of all that is installed if there is no `catalog`; imports no decoder.

    Raises PluginError or UsageError in one line if there is none of that name, or more than one.
    """
    catalog = catalog or _installed()
    if is_code(name, catalog):
        if not all(name.rpartition(":")):
            raise UsageError(
                f"decoder '{name}' is not of the form module:function", "such as my_package.reading:decode"
            )
        return Located(name, "", name)
    offer = catalog.find(name, (ROLE,))
    return Located(offer.ref, offer.version, _target(offer))


def is_code(name: str, catalog: Catalog) -> bool:
    """Whether `name` is no plugin's decoder but `module:function`, any code at all."""
    dist, colon, _ = name.rpartition(":")
    return bool(colon) and not catalog.named(name) and dist not in {plugin.dist for plugin in catalog.plugins}


def refuse_untyped(settings: Sequence[Setting], untyped: Collection[Setting], catalog: Catalog) -> None:
    """Raise UsageError if the setting that decides the decoder names code and is one that nobody typed.

    Those are a maxi.toml that lies in the folder, the settled recipe of a run, and variables: none of them may make
    anybody run strange code.
    """
    said = [one for one in settings if (one.section, one.key) == ("video", "decoder")]
    if said and any(said[-1] is one for one in untyped) and is_code(name := str(said[-1].value), catalog):
        raise UsageError(
            f"{said[-1].origin} names code as the decoder, '{name}', and nobody typed that", f"type --decoder {name}"
        )


def _target(offer: Offer) -> str:
    """Return where the class of an offer is: its module, or its file where the plugin is one."""
    from maxi_core.plugin_files import PREFIX

    cls: type = offer.cls
    module = sys.modules[cls.__module__]
    place = str(module.__file__) if cls.__module__.startswith(PREFIX) else cls.__module__
    return f"{place}:{cls.__qualname__}"


@cache
def _installed() -> Catalog:
    from maxi_core.plugins import discover

    return discover()
