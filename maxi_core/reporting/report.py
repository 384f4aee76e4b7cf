"""What `maxi report` makes: which folders hold what, the parts of the page, and the page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maxi_core.bags.manifest import BAGS, bags_of, read_manifest
from maxi_core.bags.progress import NewProgress, Unwatched
from maxi_core.errors import UsageError, nearest
from maxi_core.evaluation.saving import SCORES
from maxi_core.reporting.bags import bags_part
from maxi_core.reporting.looks import LoadModel, add_looks
from maxi_core.reporting.page import render
from maxi_core.reporting.part import Part
from maxi_core.reporting.pictures import Picture, read_pictures
from maxi_core.reporting.scores import scores_part
from maxi_core.reporting.studies import study_part
from maxi_core.reporting.training import METRICS, training_part
from maxi_core.settings.sections import VideoOptions
from maxi_core.studies.results import RECORD
from maxi_core.system.files import utc_stamp
from maxi_core.texts import first_few

LISTED = 1000  # videos of a run; a page of so many opens at once


@dataclass(frozen=True)
class Wanted:
    """What the report shows: how many videos are listed, figures of which, true labels by video, pictures read how.

    No pictures if `reading` is None; where models looked, if `load` loads the models that scored.
    """

    listed: int = LISTED
    figures: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    reading: VideoOptions | None = None
    load: LoadModel | None = None


@dataclass(frozen=True)
class Report:
    """The page, how many videos were to be pictured, how many of these have no picture, and the files not shown.

    `damaged` has a line for each file that is gone or damaged, as the page has it, behind the run that it is of.
    """

    html: str
    videos: int
    without: int
    damaged: tuple[str, ...] = ()


# what a folder may hold -> how that is seen; the kinds are the names of the templates, in the order of the page
KINDS: Mapping[str, Callable[[Path], bool]] = {
    "bags": lambda at: (at / BAGS).is_file() or "made_of" in (read_manifest(at) if at.is_dir() else {}),
    "training": lambda at: (at / METRICS).is_file() or "checkpoint" in (read_manifest(at) if at.is_dir() else {}),
    "scores": lambda at: at.name != RECORD if at.is_file() else (at / SCORES).is_file(),
    "study": lambda at: at.name == RECORD if at.is_file() else (at / RECORD).is_file(),
}
RUNS = "name a run folder of maxi bags, maxi train, maxi eval or maxi study"


def kinds_of(place: Path) -> list[str]:
    """Return what a folder holds, names of KINDS; raises UsageError if it holds nothing that can be shown."""
    found = [kind for kind, has in KINDS.items() if has(place)]
    if found:
        return found
    if not place.exists():
        raise UsageError(f"there is no {place}", RUNS)
    below = sorted(path for path in place.rglob("*") if path.is_dir() and any(has(path) for has in KINDS.values()))
    raise UsageError(
        f"{place} holds no bags, no training, no scores and no study",
        f"name what is below it: {first_few(below)}" if below else RUNS,
    )


def make_report(places: Sequence[Path], wanted: Wanted, progress: NewProgress = Unwatched) -> Report:
    """Return the page of run folders; raises UsageError for what is no run, or cannot be read."""
    places = list(dict.fromkeys(places))
    holding: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for place in places:
        for kind in kinds_of(place):
            holding[kind].append(place)
    parts = [
        *(
            bags_part(
                bags_of(run).parent,
                listed=wanted.listed,
                figures=wanted.figures,
                labels=wanted.labels,
                progress=progress,
            )
            for run in holding["bags"]
        ),
        *map(training_part, holding["training"]),
        *([scores_part(holding["scores"])] if holding["scores"] else ()),
        *map(study_part, holding["study"]),
    ]
    _check(wanted, parts[: len(holding["bags"])])
    pictures = _pictures(parts, wanted, progress)
    values = {
        "title": ", ".join(map(str, places)),
        "made": utc_stamp(),
        "parts": [part.values for part in parts],
    }
    every = [picture for found in pictures.values() for picture in found.values()]
    lost = sum(bool(picture.missing) for picture in every)
    return Report(render(values, pictures), len(every), lost, tuple(_damaged(parts)))


def _damaged(parts: Sequence[Part]) -> Iterator[str]:
    """Yield what the page names as gone or damaged."""
    for part in parts:
        for text in part.values.get("missing", ()):
            yield f"{part.values['name']}: {text}"
        for split in part.values.get("splits", ()):
            yield from (f"{split['model']} on {split['label']}: {text}" for text in split["missing"])


def _check(wanted: Wanted, bags: Sequence[Part]) -> None:
    """Raise UsageError for what is wanted of bags that no run has."""
    if wanted.labels is not None and not bags:
        raise UsageError("--labels are of the videos of bags, and no run has bags", "name a run folder of maxi bags")
    shown = {item["video"] for part in bags for item in part.values["figures"]}
    for name in wanted.figures:
        if name not in shown:
            listed = (item["video"] for part in bags for item in part.values["listed"])
            raise UsageError(f"no video of these bags is called '{name}'{nearest(name, listed)}", "see maxi show RUN")


def _pictures(parts: Sequence[Part], wanted: Wanted, progress: NewProgress) -> dict[int, dict[int, Picture]]:
    """Return the pictures that each part wishes, by their numbers; none without `reading`."""
    found: dict[int, dict[int, Picture]] = {}
    wishes = [(number, place, wish) for number, part in enumerate(parts) for place, wish in part.wishes.items()]
    if wanted.reading is None or not wishes:
        return found
    watch = progress("reading videos", len(wishes))
    pictures = []
    for picture in watch.follow(read_pictures((wish for _, _, wish in wishes), wanted.reading)):
        pictures.append(picture)
        if picture.missing:
            watch.skip()
    looking = sum(wish.look is not None for _, _, wish in wishes)
    if wanted.load is not None and looking:
        looks = add_looks([wish for _, _, wish in wishes], list(pictures), wanted.load, wanted.reading)
        for place, picture in progress("where models looked", looking).follow(looks):
            pictures[place] = picture
    for (number, place, _), picture in zip(wishes, pictures, strict=True):
        found.setdefault(number, {})[place] = picture
    return found
