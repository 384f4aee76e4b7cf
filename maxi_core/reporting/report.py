"""What `maxi report` makes: which folders hold what, the parts of the page, and the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maxi_core.bags.manifest import BAGS, bags_of, read_manifest
from maxi_core.bags.pipeline import NewProgress, Unwatched
from maxi_core.errors import UsageError
from maxi_core.reporting.bags import BagsPart, bags_part
from maxi_core.reporting.page import render
from maxi_core.reporting.pictures import Picture, read_pictures
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import utc_stamp

LISTED = 1000  # videos of a run; a page of so many opens at once
SHOWN = 3


@dataclass(frozen=True)
class Wanted:
    """What the report shows: how many videos are listed, figures of which, true labels by video, pictures read how.

    No pictures if `reading` is None.
    """

    listed: int = LISTED
    figures: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    reading: VideoOptions | None = None


@dataclass(frozen=True)
class Report:
    """The page, how many videos it lists, and how many of these have no picture."""

    html: str
    videos: int
    without: int


def _has_bags(place: Path) -> bool:
    return (place / BAGS).is_file() or "made_of" in (read_manifest(place) if place.is_dir() else {})


KINDS: Mapping[str, Callable[[Path], bool]] = {"bags": _has_bags}


def kinds_of(place: Path) -> list[str]:
    """Return what a folder holds, names of KINDS; raises UsageError if it holds nothing that can be shown."""
    found = [kind for kind, has in KINDS.items() if has(place)]
    if found:
        return found
    if not place.exists():
        raise UsageError(f"there is no {place}", "name a run folder of maxi bags, maxi train or maxi eval")
    below = sorted(path for path in place.rglob("*") if path.is_dir() and any(has(path) for has in KINDS.values()))
    some = ", ".join(map(str, below[:SHOWN])) + (", ..." if len(below) > SHOWN else "")
    raise UsageError(
        f"{place} holds no bags, no training and no scores",
        f"name what is below it: {some}" if below else "name a run folder of maxi bags, maxi train or maxi eval",
    )


def make_report(places: Sequence[Path], wanted: Wanted, progress: NewProgress = Unwatched) -> Report:
    """Return the page of run folders; raises UsageError for what is no run, or cannot be read."""
    found = [(place, kind) for place in dict.fromkeys(places) for kind in kinds_of(place)]
    parts = [
        bags_part(bags_of(place).parent, listed=wanted.listed, figures=wanted.figures, labels=wanted.labels)
        for place, kind in found
        if kind == "bags"
    ]
    pictures, without = _pictures(parts, wanted, progress)
    values = {
        "title": ", ".join(str(place) for place in dict.fromkeys(places)),
        "made": utc_stamp(),
        "parts": [part.values for part in parts],
    }
    return Report(render(values, pictures), sum(len(part.videos) for part in parts), without)


def _pictures(
    parts: Sequence[BagsPart], wanted: Wanted, progress: NewProgress
) -> tuple[dict[int, dict[int, Picture]], int]:
    """Return for each part and each place in the run the frames, or why there are none; and how many have none."""
    found: dict[int, dict[int, Picture]] = {}
    without = 0
    for number, part in enumerate(parts):
        found[number] = {}
        if wanted.reading is None:
            continue
        watch = progress("reading videos", len(part.videos))
        places = [item["place"] for item in part.values["listed"]]
        read = read_pictures(part.videos, part.frames, wanted.reading)
        for place, (_, picture) in zip(places, watch.follow(read), strict=True):
            found[number][place] = picture
            if picture.missing:
                without += 1
                watch.skip()
    return found, without
