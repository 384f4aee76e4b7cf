"""The parts of a `maxi bags` run, which roles may play them, and the `--sources` language that casts them."""

from collections.abc import Iterable
from dataclasses import dataclass

from maxi_core.errors import UsageError
from maxi_core.plugins import Catalog
from maxi_core.sections import SourcesSection


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
)


def cast_parts(catalog: Catalog, names: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Give each named source the part of its role: {key of `[sources]`: who}, only for parts that were named.

    So `gpt3,blip` sets the whole list of texts and leaves the matcher as it is. Raises UsageError when two want one
    part, and PluginError for a name that is unknown, ambiguous or broken.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        offer = catalog.find(name)
        part = next((part for part in PARTS if offer.role in part.roles), None)
        if part is None:
            raise UsageError(f"'{name}' is a {offer.role} module and no source of bags", "it belongs to maxi train")
        if catalog.key(offer) in found.get(part.key, ()):
            raise UsageError(f"'{name}' is named twice in --sources")
        found[part.key] = (*found.get(part.key, ()), catalog.key(offer))
        if len(found[part.key]) > 1 and not part.several:
            both = " and ".join(found[part.key])
            raise UsageError(f"{both} are both a {part.key}", "name one of them in --sources")
    return {part.key: found[part.key] if part.several else found[part.key][0] for part in PARTS if part.key in found}


def drop_parts(catalog: Catalog, sources: SourcesSection, names: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Take sources out of their parts, as `--without` does: {key of `[sources]`: who is left}.

    A source may be named as `dist:name` on either side.

    Raises UsageError for a name that plays no part, and for the matcher, without which there is no run.
    """
    left: dict[str, str | tuple[str, ...]] = {}
    for name in names:
        key = _key(catalog, name)
        part = next((part for part in PARTS if key in [_key(catalog, one) for one in part.names(sources)]), None)
        if part is None or name == "none":
            raise UsageError(f"--without {name}: '{name}' plays no part in this recipe")
        if part.key == "matcher":
            raise UsageError(f"--without {name}: a run needs a matcher", "name another one with --sources")
        texts = left.get(part.key, part.names(sources))
        left[part.key] = tuple(text for text in texts if _key(catalog, text) != key) if part.several else "none"
    return left


def _key(catalog: Catalog, name: str) -> str:
    offers = catalog.named(name)
    return catalog.key(offers[0]) if len(offers) == 1 else name
