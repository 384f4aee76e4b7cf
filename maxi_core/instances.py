"""Sources as a recipe names them: `gpt3`, `maxi:gpt3`, or `gpt3#llama` for one of several of the same source."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel

from maxi_core.border import blamed
from maxi_core.errors import PluginError, UsageError
from maxi_core.offers import Offer
from maxi_core.options import Configured
from maxi_core.plugins import Catalog
from maxi_core.secrets import keep_secrets_of
from maxi_core.sources import Source

MARK = "#"
_TAG = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Instance:
    """One use of what a plugin offers: with a `tag` of its own, the same source may be used again."""

    offer: Offer
    tag: str = ""

    @property
    def key(self) -> str:
        """Its section in a settled recipe: `maxi:gpt3`, `maxi:gpt3#llama`."""
        return f"{self.offer.ref}{MARK}{self.tag}" if self.tag else self.offer.ref

    @property
    def label(self) -> str:
        """Its name in the bags: `gpt3`, `gpt3#llama`."""
        return f"{self.offer.name}{MARK}{self.tag}" if self.tag else self.offer.name

    def make(self, options: BaseModel) -> Configured:
        """Make it with options of its own model, and tell it its names.

        Raises PluginError for one that raises, or whose `__init__` leaves out that of its role.
        """
        offer = self.offer
        with blamed(offer.ref, "when it was made"):
            made: Configured = offer.cls(options)
        has = getattr(made, "options", None)
        if not isinstance(has, offer.cls.Options) or (has != options and has == offer.cls.Options()):
            raise PluginError(
                f"'{offer.ref}' has not taken the options it was made with",
                "call super().__init__(options) in its __init__",
            )
        keep_secrets_of(has)
        made.label, made.ref, made.version = self.label, offer.ref, offer.version
        return made


def find_instance(catalog: Catalog, text: str, roles: Collection[str] = ()) -> Instance:
    """Return what `text` names, such as `gpt3#llama`.

    Raises PluginError as `Catalog.find` does, and UsageError for a label that is none, or that is not of a source.
    """
    name, mark, tag = text.partition(MARK)
    offer = catalog.find(name, roles)
    if mark and not issubclass(offer.cls, Source):
        raise UsageError(f"'{text}': a {offer.role} module is used once and takes no label", f"write {name}")
    if mark and not _TAG.fullmatch(tag):
        raise UsageError(f"'{text}': a label takes lower-case letters, digits and hyphens", f"such as {name}{MARK}b")
    return Instance(offer, tag)


def labelling(name: str) -> str:
    """Return how to name the same source twice."""
    return f"give one a label, and options of its own under it: {name},{name}{MARK}b"
