"""The parts of a `maxi bags` run, which roles may play them, and the `--sources` language that casts them."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from maxi_core.errors import PluginError, UsageError, nearest
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.catalog import Catalog, Offer
from maxi_core.plugin.roles import Source
from maxi_core.settings.options import Configured
from maxi_core.settings.sections import SourcesSection
from maxi_core.system.secrets import keep_secrets_of

# Sources as a recipe names them: `gpt3`, `maxi:gpt3`, or `gpt3#llama` for one of several of the same source.

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
        raise UsageError(f"'{text}': {offer.said} is used once and takes no label", f"write {name}")
    if mark and not _TAG.fullmatch(tag):
        raise UsageError(f"'{text}': a label takes lower-case letters, digits and hyphens", f"such as {name}{MARK}b")
    return Instance(offer, tag)


def labelling(name: str) -> str:
    """Return how to name the same source twice."""
    return f"give one a label, and options of its own under it: {name},{name}{MARK}b"


@dataclass(frozen=True)
class Part:
    """One part: its key in `[sources]`, the roles that may play it, and whether several may."""

    key: str
    roles: tuple[str, ...]
    several: bool = False

    def names(self, sources: SourcesSection) -> tuple[str, ...]:
        """Return who plays this part in a recipe."""
        value = getattr(sources, self.key)
        return tuple(value) if self.several else (value,)


# in the order of the flow
PARTS = (
    Part("injector", ("injector",)),
    Part("matcher", ("matcher",)),
    Part("texts", ("expander", "captioner"), several=True),
    Part("augmenter", ("augmenter",)),
    Part("filters", ("filter",), several=True),
)


def cast_parts(catalog: Catalog, names: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Give each named source the part of its role: {key of `[sources]`: who}, only for parts that were named.

    So `gpt3,blip` sets the whole list of texts and leaves the matcher as it is. Raises UsageError when two want one
    part or one is named twice, and PluginError for a name that is unknown, ambiguous or broken.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        one = find_instance(catalog, name)
        part = next((part for part in PARTS if one.offer.role in part.roles), None)
        if part is None:
            raise UsageError(f"'{name}' is {one.offer.said} and no source of bags", "it belongs to maxi train")
        if one.key in found.get(part.key, ()):
            raise UsageError(f"'{name}' is named twice in --sources", labelling(name.partition(MARK)[0]))
        found[part.key] = (*found.get(part.key, ()), one.key)
        if len(found[part.key]) > 1 and not part.several:
            both = " and ".join(found[part.key])
            raise UsageError(f"{both} are both a {part.key}", "name one of them in --sources")
    return {part.key: found[part.key] if part.several else found[part.key][0] for part in PARTS if part.key in found}


def drop_parts(catalog: Catalog, sources: SourcesSection, names: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Take sources out of their parts, as `--without` does: {key of `[sources]`: who is left}.

    A name means whoever is called so in this recipe, whatever else is installed. Raises UsageError for a name that
    plays no part, or more than one, and for the matcher, without which there is no run.
    """
    named = [(part, text, _key(catalog, text)) for part in PARTS for text in part.names(sources) if text != "none"]
    left: dict[str, str | tuple[str, ...]] = {}
    for name in names:
        found = [one for one in named if name in _names(*one[1:])]
        if not found:
            near = nearest(name, [own for one in named for own in _names(*one[1:])])
            raise UsageError(f"--without {name}: '{name}' plays no part in this recipe{near}")
        if len(found) > 1:
            raise UsageError(f"--without {name}: it may be {' or '.join(key for _, _, key in found)}", "name that one")
        part, text, _ = found[0]
        if part.key == "matcher":
            raise UsageError(f"--without {name}: a run needs a matcher", "name another one with --sources")
        texts = left.get(part.key, part.names(sources))
        left[part.key] = tuple(other for other in texts if other != text) if part.several else "none"
    return left


def _names(text: str, key: str) -> tuple[str, ...]:
    """Return what a source of a recipe may be called: as it stands there, in full, and without its distribution."""
    return text, key, key.rpartition(":")[2]


def _key(catalog: Catalog, text: str) -> str:
    name, mark, tag = text.partition(MARK)
    offers = catalog.named(name)
    return f"{offers[0].ref}{mark}{tag}" if len(offers) == 1 else text
