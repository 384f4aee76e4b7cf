"""A run folder: one writer at a time, files that are whole or not there, and what it was made of (method.md, files)."""

import json
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.bags.answered import Answers
from maxi_core.bags.askers import Failures, Sources, store_about, store_name
from maxi_core.bags.bag import read_bags, to_line
from maxi_core.bags.manifest import BAGS, MANIFEST, finished, read_manifest
from maxi_core.bags.pipeline import make_bags, merge_bags
from maxi_core.bags.progress import NewProgress, Unwatched
from maxi_core.bags.shard import at_work
from maxi_core.bags.tally import Stages, Tally
from maxi_core.errors import UsageError, nearest
from maxi_core.plugin.calls import notes
from maxi_core.recipe.recipe import SETTLED
from maxi_core.system.environment import versions
from maxi_core.system.files import to_json, utc_stamp, whole_lines, write_lines, write_text
from maxi_core.system.locks import InUseError, locked
from maxi_core.system.replacing import refuse_foreign_files
from maxi_core.system.secrets import masked
from maxi_core.system.store import digest
from maxi_core.system.text_files import read_toml
from maxi_core.texts import counted
from maxi_core.types import Dictionary, Failed, TextBag, Video
from maxi_core.version import __version__
from maxi_core.video.inputs import VideoList
from maxi_core.video.skips import SkipLog, skip_record
from maxi_core.video.skips import to_line as skip_line

if TYPE_CHECKING:
    from maxi_core.system.remote_folders import Upload

RECIPE = "recipe.toml"
SKIPPED = "skipped.jsonl"
ENTRIES = "dictionary.txt"
FILES = (BAGS, SKIPPED, ENTRIES, RECIPE, MANIFEST)
SHOWN = 3

__all__ = ["MANIFEST", "finished", "locked", "read_manifest"]


def differences(
    folder: Path, manifest: Mapping[str, object], made_of: Mapping[str, str], videos: Iterable[Video]
) -> list[str]:
    """Return how a run differs from the one that made the folder, one line for each part of what it is made of."""
    before = manifest.get("made_of", {})
    if not isinstance(before, dict):
        raise UsageError(f"{folder / MANIFEST} does not say what the run was made of", "delete it")
    found = []
    for part, value in made_of.items():
        if part in before and before[part] != value:
            words = _videos(folder, videos) if part == "videos" else ""
            found.append(f"{part}: {words or f'was {before[part]}, is {value}'}")
    return found


def _videos(folder: Path, videos: Iterable[Video]) -> str:
    """Return in what the videos differ from those of the bags that are there, "" if that cannot be seen."""
    if not (folder / BAGS).is_file():
        return ""
    old = {bag.match.video.id: bag.match.video for bag in read_bags(folder)}
    skipped = {str(record["video"]) for record in read_skipped(folder) if record["stage"] == "match"}
    new = {video.id: video for video in videos}
    added, gone = sorted(new.keys() - old.keys() - skipped), sorted((old.keys() | skipped) - new.keys())
    if added or gone:
        return f"{_some(added)} added, {_some(gone)} gone"
    for name, video in new.items():
        if name in old and (was := _window(old[name])) != _window(video):
            return f"the window of {name} was {was}, is {_window(video)}"
    kept = [name for name in new if name in old]
    moved = next(((was, now) for was, now in zip(old, kept, strict=True) if was != now), None)
    return f"the same {len(new)} in another order ({moved[1]} where {moved[0]} was)" if moved else ""


def _window(video: Video) -> str:
    if video.start is None and video.end is None:
        return "the whole"
    return f"{video.start or 0:g} to {'the end' if video.end is None else f'{video.end:g}'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} ({shown})" if names else "none"


def read_skipped(folder: Path) -> list[dict[str, object]]:
    """Return the records of what a run left out."""
    path = folder / SKIPPED
    found: list[dict[str, object]] = []
    try:
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            record = json.loads(line)
            if not isinstance(record, dict) or not {"video", "stage", "message"} <= record.keys():
                raise ValueError("it says not what was skipped")
            found.append(record)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "look at it with ls -l") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}:{len(found) + 1} is no record of a skip: {error}", "delete the file") from None
    return found


def texts_of(folder: Path) -> tuple[str, ...]:
    """Return the sources of texts that the recipe of a run names, by their short names; () if it cannot be read."""
    try:
        named = read_toml(folder / RECIPE)["sources"]["texts"]
    except (UsageError, KeyError, TypeError):
        return ()
    return tuple(str(name).rpartition(":")[2] for name in named) if isinstance(named, list) else ()


def read_entries(folder: Path) -> tuple[str, ...] | None:
    """Return the dictionary of a run, those entries too that match nothing; None if the folder does not say."""
    path = folder / ENTRIES
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", "delete it, or run maxi bags again") from None


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, without secrets."""
    write_text(folder / MANIFEST, to_json(masked(manifest), indent=2) + "\n")


# One `maxi bags` run, from a settled recipe to the files in its folder.

SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """Everything that a run is made of; `recipe` is the settled one as TOML, `argv` what was typed."""

    videos: VideoList
    dictionary: Dictionary
    sources: Sources
    out: Path
    store: Path
    keep: float = 1.0
    recipe: str = ""
    argv: tuple[str, ...] = ()
    max_skipped: int | None = None
    strict: bool = False
    overwrite: bool = False
    answer: "Callable[[Job, NewProgress], Outcome] | None" = None  # who answers into the store before bags are made
    upload: "Upload | None" = None  # where `out` belongs, if that is a server


@dataclass(frozen=True)
class Outcome:
    """What workers have answered into the store: how many questions of each source, and those that failed."""

    asked: Mapping[str, int] = field(default_factory=dict)
    failed: Failures = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What a run made: the counts, the sizes of the bags that were kept, and what was left out by stage."""

    tally: Tally
    sizes: Sequence[int] = ()
    skipped: tuple[dict[str, object], ...] = field(default_factory=tuple)


class Skips:
    """What a run leaves out at any stage, as records; too many end the run."""

    def __init__(self, most: int | None) -> None:
        self.records: list[dict[str, object]] = []
        self.videos = SkipLog(None, most, "bags", "videos, entries and texts")

    def skip(self, item: str, failed: Failed, stage: str, source: str) -> None:
        """Record one video, entry or text; raises TooManySkippedError."""
        self.records.append(skip_record(item, failed, stage, source))
        self.videos.skip(f"{stage} of {item}" if source and stage != "match" else item, failed, source)

    def write(self, path: Path) -> None:
        """Write the records, whole or not at all."""
        write_lines(path, map(skip_line, self.records))


def run_job(job: Job, progress: NewProgress = Unwatched, answers: Answers | None = None) -> Made:
    """Make the bags and write bags.jsonl, skipped.jsonl, dictionary.txt, recipe.toml and manifest.json into the folder.

    The same command goes on where a stopped one was. `answers` are what the shares of the run have left.

    Raises InUseError if another process has the folder, UsageError if the folder was made of other videos, another
    dictionary, another matcher or by another maxi (unless `overwrite`), and TooManySkippedError when more videos cannot
    be matched than `max_skipped`.
    """
    with locked(job.out):
        if busy := at_work(job.out):
            raise InUseError(f"{job.out} is in use by {busy}", "wait for it, or choose another --out")
        manifest = begin(job)
        outcome = job.answer(job, progress) if job.answer and answers is None else Outcome()
        made, checksum = _make(job, manifest, progress, answers, outcome)
        write_text(job.out / RECIPE, job.recipe)
        write_lines(job.out / ENTRIES, job.dictionary.entries)
        noted = {source.label: found for source in job.sources.every() if (found := notes(source))}
        write_manifest(job.out, {**manifest, **_results(made, checksum), "notes": noted})
        return made


def compared(job: Job) -> tuple[dict[str, object], list[str]]:
    """Return the manifest that is there, {} if none is, and how its run differs.

    Raises UsageError if the folder was made of something else, or has files that no run has made (unless `overwrite`).
    """
    before = read_manifest(job.out)
    if not job.overwrite and "made_of" not in before:
        begun = (job.out / RECIPE).is_file() and SETTLED in (job.out / RECIPE).read_bytes()  # by an earlier maxi
        refuse_foreign_files(job.out, set(FILES) - {RECIPE} if begun else FILES, "maxi bags")
    found = differences(job.out, before, made_of(job), job.videos)
    if found and not job.overwrite:
        raise UsageError(
            f"{job.out} was made of something else ({'; '.join(found)})", "choose another --out or add --overwrite"
        )
    return before, found


def begin(job: Job) -> dict[str, object]:
    """Return the manifest of a run that begins, and leave it in a folder that has none; raises as `compared` does."""
    before, found = compared(job)
    manifest: dict[str, object] = {
        "schema": SCHEMA,
        "started": utc_stamp(),
        "finished": None,
        "argv": list(job.argv),
        "made_of": made_of(job),
        "overwritten": found,
        "keep": job.keep,
        "sources": {source.label: f"{source.ref} {source.version}".strip() for source in job.sources.every()},
        "roles": {source.label: source.role for source in job.sources.every()},
        "versions": versions(),
    }
    if before.get("sources") == manifest["sources"] and before.get("keep") == job.keep and "passes" in before:
        manifest["passes"] = before["passes"]
    if not before:
        write_manifest(job.out, manifest)  # first: it says whose the others are
        write_text(job.out / RECIPE, job.recipe)
    return manifest


def _make(
    job: Job, manifest: dict[str, object], progress: NewProgress, answers: Answers | None, outcome: Outcome
) -> tuple[Made, str]:
    tally, sizes, skips = Tally(), array("i"), Skips(job.max_skipped)
    stages = _stages(job, manifest, progress, skips, outcome)

    said = job.dictionary, job.sources, job.keep, stages, tally
    bags = make_bags(job.videos, *said) if answers is None else merge_bags(answers, *said)
    try:
        with whole_lines(job.out / BAGS) as out:
            for bag in bags:
                if bag.kept:
                    sizes.append(len(bag.texts))
                out.write(to_line(bag))
            skips.videos.finish()
            write_manifest(job.out, manifest)  # from here on the old checksum is wrong, whatever ends the process
    except BaseException:
        if not finished(read_manifest(job.out)):  # the records of a finished run stay with its bags
            skips.write(job.out / SKIPPED)
        raise
    skips.write(job.out / SKIPPED)
    for name, asked in outcome.asked.items():
        tally.of(name).asked += asked
    return Made(tally, sizes, tuple(skips.records)), out.checksum


def _stages(job: Job, manifest: dict[str, object], progress: NewProgress, skips: Skips, outcome: Outcome) -> Stages:
    """Return what the making of bags stands on; the number of passes is that of the manifest, or noted there."""
    passes = manifest.get("passes")

    def decided(passes: int) -> None:
        """Note it before the work, so that a run that goes on does the same."""
        manifest["passes"] = passes
        if not finished(read_manifest(job.out)):  # else the manifest there is that of the bags there
            write_manifest(job.out, manifest)

    before = passes if isinstance(passes, int) else None
    return Stages(job.store, progress, skips.skip, skips.videos.use, job.strict, before, decided, outcome.failed)


def made_of(job: Job) -> dict[str, str]:
    """Return what must be the same for a run to go on in its folder, as texts that a person can compare."""
    entries = digest(job.dictionary.entries)
    return {
        "videos": f"{len(job.videos)}, {job.videos.checksum[:12]}",
        "dictionary": f"{job.dictionary.name} ({len(job.dictionary.entries)} entries, {entries[:12]})",
        "matcher": store_name(store_about(job.sources.matcher, job.sources.reading)),
        "maxi": __version__,
    }


def _results(made: Made, checksum: str) -> dict[str, object]:
    return {
        "finished": utc_stamp(),
        "counts": counts(made),
        "threshold": made.tally.threshold,
        "asked": made.tally.asked,
        "heard": {name: asdict(heard) for name, heard in made.tally.heard.items()},
        "sha256": {BAGS: checksum},
    }


def counts(made: Made) -> dict[str, int]:
    """Return what a run made, in numbers."""
    return {
        "videos": made.tally.videos,
        "matched": made.tally.matched,
        "kept": made.tally.kept,
        "texts": sum(made.sizes),
        "empty": sum(not size for size in made.sizes),
        "skipped": len(made.skipped),
    }


def useless(sources: Sources, made: Made) -> list[str]:
    """Return one line for each source that was of no use at all, and one if no bag has a text though some should.

    An augmenter that finds no forms in the matched entries alone is no fault: then no source of texts is named. A
    filter that leaves nothing in any bag is one.
    """
    lines = []
    for source in (*sources.texts, *([sources.augmenter] if sources.augmenter else [])):
        heard = made.tally.of(source.label)
        if heard.useless and (sources.texts or heard.failed):
            why = heard.off or _first(made, source.label) or "every answer was empty"
            lines.append(f"source '{source.label}' said nothing of all {heard.answers} it was asked: {why}")
    emptied = [_emptied(made, one.label) for one in sources.filters if made.tally.of(one.label).useless]
    lines += emptied
    if sources.texts and made.sizes and not any(made.sizes) and not emptied:
        lines.append(
            f"all {counted(len(made.sizes), 'bag', 'are')} empty, though texts were asked of "
            f"{counted(len(sources.texts), 'source')}"
        )
    return lines


def _emptied(made: Made, label: str) -> str:
    """Return in words that a filter left nothing in any bag, or could look at none."""
    heard = made.tally.of(label)
    why = heard.off or _first(made, label)
    if not heard.empty:
        return f"filter '{label}' could look at none of {heard.answers} bags: {why}"
    failed = f", and failed on {heard.failed}: {why}" if heard.failed else ""
    return f"filter '{label}' left no text in any of {heard.empty} bags{failed}"


def _first(made: Made, source: str) -> str:
    return next((str(record["message"]) for record in made.skipped if record["source"] == source), "")


# Finding one bag of a run by what a person types for its video.


def find_bag(run: Path, name: str) -> TextBag:
    """Return the bag of the video with this id, or the only one whose id contains it; raises UsageError otherwise.

    Of a video that was skipped it says why.
    """
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
        raise UsageError(f"'{name}' fits {counted(len(part), 'video')} of {run} ({some}, ...)", "type more of its name")
    for record in read_skipped(run):
        if record["stage"] == "match" and name in (skipped := str(record["video"])):
            raise UsageError(f"{skipped} has no bag, it was skipped: {record['message']}", f"see {run / SKIPPED}")
    raise UsageError(f"no video of {run} is called '{name}'{nearest(name, ids)}", f"see maxi show {run}")
