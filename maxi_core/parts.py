"""The parts of a `maxi bags` run, which roles may play them, and the `--sources` language that casts them."""

from collections.abc import Iterable
from dataclasses import dataclass

from maxi_core.errors import UsageError, nearest
from maxi_core.instances import MARK, find_instance, labelling
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
    part or one is named twice, and PluginError for a name that is unknown, ambiguous or broken.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        one = find_instance(catalog, name)
        part = next((part for part in PARTS if one.offer.role in part.roles), None)
        if part is None:
            raise UsageError(f"'{name}' is a {one.offer.role} module and no source of bags", "it belongs to maxi train")
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
    players = [(part, text, _key(catalog, text)) for part in PARTS for text in part.names(sources) if text != "none"]
    left: dict[str, str | tuple[str, ...]] = {}
    for name in names:
        found = [player for player in players if name in _names(*player[1:])]
        if not found:
            near = nearest(name, [own for player in players for own in _names(*player[1:])])
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
    """Return what a player of a recipe may be called: as it stands there, in full, and without its distribution."""
    return text, key, key.rpartition(":")[2]


def _key(catalog: Catalog, text: str) -> str:
    name, mark, tag = text.partition(MARK)
    offers = catalog.named(name)
    return f"{offers[0].ref}{mark}{tag}" if len(offers) == 1 else text
