"""From the name of a world to what it has: the one place where such names are understood.

The functions that take names (`find_model`, `read_dictionary`, `open_benchmark`) take the catalog of a command, or
none: then the installed plugins are looked at, and only for a name that may be a world's.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from maxi_core.errors import MaxiError, NothingError, PluginError, UsageError, one_line
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.catalog import Catalog, Offer, discover
from maxi_core.plugin.demonstrations import Guarded
from maxi_core.plugin.roles import World, has
from maxi_core.settings.options import WorldPath
from maxi_core.texts import written_out

if TYPE_CHECKING:
    from maxi_core.video.inputs import VideoList

log = logging.getLogger("maxi.plugins")

ROLE = World.role
_NAME = re.compile(r"([\w.-]+:)?[a-z][a-z0-9_-]*")  # of a world, maybe with its distribution before it

Made = TypeVar("Made", bound=BaseModel)


def resolve_worlds(catalog: Catalog, options: Made) -> Made:
    """Return options in which each `WorldPath` that holds the name of a world has the world's path instead.

    Whatever is no world's name stays as it is. Raises UsageError for a world that has nothing of the kind, and for a
    name that is a file here, too.
    """
    found: dict[str, object] = {}
    for key, marker in WorldPath.fields(type(options)).items():
        value = getattr(options, key)
        if value is None or str(value) in marker.words:
            continue
        path = world_path(catalog, marker.what, str(value))
        if path is not None:
            found[key] = path if isinstance(value, Path) else str(path)
    return options.model_copy(update=found) if found else options


def world_path(catalog: Catalog | None, what: str, text: str) -> Path | None:
    """Return the path that the world called `text` has for `what` (`videos`, `clip`, ...), or None if there is no such.

    Of replies, of benchmarks and of videos, which a benchmark has too, `text` may go on behind the world's name and a
    hyphen. Raises UsageError for a world that has nothing of the kind, for a name that is a file here, too, and
    PluginError for what a plugin does wrong.
    """
    found = _named(catalog, what, text)
    if found is None:
        return None
    offer, world, rest = found
    _refuse_file(text)
    with blamed(offer.ref, f"when it was asked for its {what}"):
        path: object = _asked(world, what, text, rest)
    if not isinstance(path, Path):
        raise PluginError(f"the world '{offer.ref}' gave {type(path).__name__} for its {what}, not a path")
    if not path.exists():
        raise PluginError(f"the world '{offer.ref}' has no {what} at {path}, where it says it has")
    return path


def videos_of(
    catalog: Catalog,
    places: str | Sequence[str],
    root: Path | None = None,
    clip_seconds: float | None = None,
    *,
    allow_outside_root: bool = False,
) -> "VideoList":
    """Return the videos of whatever was typed for them: names of worlds, or what `find_videos` takes.

    Raises UsageError as `find_videos` does, and NothingError if there are none.
    """
    from maxi_core.video.inputs import find_videos

    places = [places] if isinstance(places, str) else list(places)
    paths = [world_path(catalog, "videos", place) or place for place in places]
    videos = find_videos(paths, root, clip_seconds, allow_outside_root=allow_outside_root)
    if not len(videos):
        raise NothingError(f"there are no videos in {', '.join(places)}", "name a folder, a list, or the videos")
    return videos


def world_benchmarks(catalog: Catalog) -> dict[str, list[str]]:
    """Return the names of the benchmarks of every world that has some, by world.

    A world that cannot be asked is warned of, and hurts no other.
    """
    found: dict[str, list[str]] = {}
    for offer in catalog.offers:
        if not (issubclass(offer.cls, World) and has(offer.cls, "benchmarks")):
            continue
        try:
            names = _benchmarks(offer, _made(offer))
        except MaxiError as error:
            log.warning("world '%s': its benchmarks are left out: %s", offer.ref, written_out(one_line(error.problem)))
            continue
        if names:
            found[catalog.key(offer)] = names
    return found


def world_demonstration(catalog: Catalog, name: str | None = None) -> Guarded:
    """Return the demonstration of the world called `name`, or of the only one that has any."""
    if name is None:
        having = worlds_with(catalog, "demonstration")
        if len(having) != 1:
            raise UsageError(f"which demonstration? {', '.join(having) or 'no world'} has one", "type --world NAME")
        name = having[0]
    offer = catalog.find(name, (ROLE,))
    world = _made(offer)
    with blamed(offer.ref, "when it was asked for its demonstration"):
        said: object = world.demonstration()
    return Guarded(offer.ref, said)


def world_studies(catalog: Catalog) -> Path:
    """Return the recipe for studies of the only world that has one."""
    having = worlds_with(catalog, "studies")
    path = world_path(catalog, "studies", having[0]) if len(having) == 1 else None
    if path is None:
        raise UsageError(f"which recipe? {', '.join(having) or 'no world'} has one for studies", "type --config")
    return path


def is_world(catalog: Catalog, marker: WorldPath, text: str) -> bool:
    """Return whether an option that holds `text` names a world, and no path: such a name stands in a settled recipe."""
    return text not in marker.words and _named(catalog, marker.what, text) is not None


def worlds_with(catalog: Catalog | None, what: str) -> list[str]:
    """Return the names of the worlds that have `what`, for a message."""
    offers = (discover() if catalog is None else catalog).offers
    return sorted({offer.name for offer in offers if issubclass(offer.cls, World) and has(offer.cls, what)})


Found = tuple[Offer, World, str]  # what is offered, an instance, and what stands behind the name and a hyphen


def _named(catalog: Catalog | None, what: str, text: str) -> Found | None:
    """Return the world that `text` names where `what` of it is wanted; PluginError for a name that two have."""
    candidates = _candidates(catalog, text)
    if what == "replies":
        return next(candidates, None)
    exact = (one for one in candidates if not one[2])
    if what not in ("videos", "benchmark"):
        return next(exact, None)
    if what == "videos" and (found := next(exact, None)) is not None:
        return found
    return next((one for one in _candidates(catalog, text) if text in _benchmarks(*one[:2])), None)


def _candidates(catalog: Catalog | None, text: str) -> Iterator[Found]:
    """Yield the worlds whose name `text` is, or begins with before a hyphen, the longest name first."""
    if not _NAME.fullmatch(text):
        return
    catalog = discover() if catalog is None else catalog
    head = text
    while head:
        if catalog.named(head, ROLE):
            offer = catalog.find(head, (ROLE,))
            yield offer, _made(offer), text[len(head) + 1 :]
        head = head.rpartition("-")[0]


def _made(offer: Offer) -> World:
    with blamed(offer.ref, "when it was made"):
        world = offer.cls()
    assert isinstance(world, World)
    return world


def _asked(world: World, what: str, text: str, rest: str) -> Path:
    if what == "replies":
        return world.replies(rest)
    if what == "benchmark" or rest:
        folder = world.benchmark(text)
        return folder / "videos" if what == "videos" and (folder / "videos").is_dir() else folder
    path: Path = getattr(world, what)()
    return path


def _benchmarks(offer: Offer, world: World) -> list[str]:
    with blamed(offer.ref, "when it was asked for its benchmarks"):
        said: object = world.benchmarks()
        if not isinstance(said, Iterable) or isinstance(said, (str, bytes)):
            raise PluginError(f"the world '{offer.ref}' gave {said!r:.80} for its benchmarks, not a list of names")
        names = list(said)
    for name in names:
        if not isinstance(name, str) or not name.startswith(f"{offer.name}-"):
            raise PluginError(
                f"the world '{offer.ref}' has a benchmark {name!r:.80}", f"its name must begin with {offer.name}-"
            )
    return names


def _refuse_file(text: str) -> None:
    if Path(text).exists():
        raise UsageError(f"'{text}' is a world and also a file in this folder", f"type ./{text} for the file")
