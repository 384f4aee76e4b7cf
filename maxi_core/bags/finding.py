"""Finding one bag of a run by what a person types for its video."""

from pathlib import Path

from maxi_core.bags.records import read_bags
from maxi_core.errors import UsageError, nearest
from maxi_core.types import TextBag


def find_bag(run: Path, name: str) -> TextBag:
    """Return the bag of the video with this id, or the only one whose id contains it; raises UsageError otherwise."""
    part: list[TextBag] = []
    ids: list[str] = []
    for bag in read_bags(run):
        if bag.match.video.id == name:
            return bag
        ids.append(bag.match.video.id)
        if name in bag.match.video.id:
            part.append(bag)
    if len(part) == 1:
        return part[0]
    if part:
        some = ", ".join(bag.match.video.id for bag in part[:3])
        raise UsageError(f"'{name}' fits {len(part)} videos of {run} ({some}, ...)", "type more of its name")
    raise UsageError(f"no video of {run} is called '{name}'{nearest(name, ids)}", f"see maxi show {run}")
