"""One `maxi bags` run, from a settled recipe to the files in its folder."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maxi_core.bags.askers import Players, shelf_about, shelf_name
from maxi_core.bags.pipeline import Flow, Follow, Tally, make_bags
from maxi_core.bags.records import BAGS, to_line
from maxi_core.bags.run import MANIFEST, RECIPE, SKIPPED, differences, locked, read_manifest, write_manifest
from maxi_core.bags.shelf import digest
from maxi_core.environment import versions
from maxi_core.errors import UsageError
from maxi_core.files import utc_stamp, write_lines, write_text
from maxi_core.types import Dictionary, Failed
from maxi_core.video.inputs import VideoList
from maxi_core.video.skips import SkipLog, skip_record
from maxi_core.video.skips import to_line as skip_line

SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """Everything that a run is made of; `recipe` is the settled one as TOML, `argv` what was typed."""

    videos: VideoList
    dictionary: Dictionary
    players: Players
    out: Path
    store: Path
    keep: float = 1.0
    recipe: str = ""
    argv: tuple[str, ...] = ()
    max_skipped: int | None = None
    strict: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Made:
    """What a run made: the counts, the sizes of the bags that were kept, and what was left out by stage."""

    tally: Tally
    sizes: tuple[int, ...]
    skipped: tuple[dict[str, object], ...] = field(default_factory=tuple)


def run_job(job: Job, follow: Follow) -> Made:
    """Make the bags and write bags.jsonl, skipped.jsonl, recipe.toml and manifest.json into the run folder.

    The same command goes on where a stopped one was. Raises MaxiError if another process has the folder, UsageError if
    the folder was made of other videos, another dictionary or another matcher (unless `overwrite`), and
    TooManySkippedError when more videos cannot be matched than `max_skipped`.
    """
    with locked(job.out):
        made_of = _made_of(job)
        manifest = read_manifest(job.out)
        found = differences(job.out, manifest, made_of, job.videos)
        if found and not job.overwrite:
            raise UsageError(
                f"{job.out} was made of something else ({'; '.join(found)})", "choose another --out or add --overwrite"
            )
        made, checksum = _make(job, follow)
        write_text(job.out / RECIPE, job.recipe)
        write_manifest(job.out, _manifest(job, made, made_of, found, checksum))
        return made


def _make(job: Job, follow: Follow) -> tuple[Made, str]:
    tally, records, sizes = Tally(), [], []
    log = SkipLog(None, job.max_skipped, "bags")

    def skip(item: str, failed: Failed, stage: str, source: str) -> None:
        records.append(skip_record(item, failed, stage, source))
        if stage == "match":
            log.skip(item, failed, source)

    def watch(title: str, total: int, items: Iterable[Any]) -> Iterator[Any]:
        for item in follow(title, total, items):
            if title == "matching" and not isinstance(item[1], Failed):
                log.use()
            yield item

    flow = Flow(job.store, watch, skip, job.strict)

    def lines() -> Iterator[str]:
        for bag in make_bags(job.videos, job.dictionary, job.players, job.keep, flow, tally):
            if bag.kept:
                sizes.append(len(bag.texts))
            yield to_line(bag)
        log.finish()

    try:
        checksum = write_lines(job.out / BAGS, lines())
    except BaseException:
        if not (job.out / MANIFEST).exists():  # the records of a finished run stay with its bags
            write_lines(job.out / SKIPPED, map(skip_line, records))
        raise
    write_lines(job.out / SKIPPED, map(skip_line, records))
    return Made(tally, tuple(sizes), tuple(records)), checksum


def _made_of(job: Job) -> dict[str, str]:
    """Return what must be the same for a run to go on in its folder, as texts that a person can compare."""
    seen = hashlib.sha256()
    for video in job.videos:
        seen.update(f"{video.id}\0{video.start}\0{video.end}\n".encode(errors="surrogatepass"))
    entries = digest(job.dictionary.entries)
    return {
        "videos": f"{len(job.videos)}, {seen.hexdigest()[:12]}",
        "dictionary": f"{job.dictionary.name} ({len(job.dictionary.entries)} entries, {entries[:12]})",
        "matcher": shelf_name(shelf_about(job.players.matcher, entries)),
    }


def _manifest(
    job: Job, made: Made, made_of: dict[str, str], overwritten: Sequence[str], checksum: str
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "finished": utc_stamp(),
        "argv": list(job.argv),
        "made_of": made_of,
        "overwritten": list(overwritten),
        "keep": job.keep,
        "counts": {
            "videos": made.tally.videos,
            "matched": made.tally.matched,
            "kept": made.tally.kept,
            "texts": sum(made.sizes),
            "empty": sum(not size for size in made.sizes),
            "skipped": len(made.skipped),
        },
        "threshold": made.tally.threshold,
        "asked": made.tally.asked,
        "notes": _notes(job.players),
        "sha256": {BAGS: checksum},
        "versions": versions(),
    }


def _notes(players: Players) -> dict[str, list[str]]:
    """Return what each source notes of this run, without those that note nothing."""
    found: dict[str, list[str]] = {}
    for source in (players.matcher, *players.texts, *([players.augmenter] if players.augmenter else ())):
        try:
            notes = [str(note) for note in source.notes()]
        except Exception as error:  # of a plugin: the bags are made
            notes = [f"its notes cannot be had: {type(error).__name__}: {error}"]
        if notes:
            found[source.name] = notes
    return found
