"""What a job of `maxi bags` would cost and why it would fail, by what is known before it begins."""

import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from maxi_core.bags.askers import unknown
from maxi_core.bags.codecs import text_key, video_key
from maxi_core.bags.run import Job
from maxi_core.errors import CannotTellError, MaxiError
from maxi_core.plugin.calls import blamed, tokens_each
from maxi_core.plugin.roles import Expander, Filter, Source
from maxi_core.system.locks import holder_of
from maxi_core.system.remote import RemotePath
from maxi_core.system.store import digest
from maxi_core.texts import counted
from maxi_core.types import Video
from maxi_core.video.skips import VideoError, check_file

BYTES_OF_AN_ANSWER = 300
BYTES_OF_A_BAG = 2500


@dataclass(frozen=True)
class Stage:
    """What one source has to do at most: `asked` of `of` items, with so many frames each, in how many seconds.

    `frames` is None where the source does not say before it is opened, or looks at none; `seconds` is None where its
    speed was never measured with these options, `tokens` where the source uses none.
    """

    stage: str
    source: str
    unit: str
    of: int
    asked: int
    frames: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def in_words(self) -> str:
        """Return it as a line for people."""
        known = f", {self.of - self.asked} of {self.of} are known" if self.asked < self.of else ""
        frames = "" if self.frames is None else f" x {counted(self.frames, 'frame')}"
        tokens = "" if self.tokens is None else f", about {counted(self.tokens, 'token')}"
        slow = self.seconds is not None and self.asked > 0
        time = f", about {_duration(self.seconds or 0.0)} at the speed of the last run" if slow else ""
        asked = counted(self.asked, self.unit.removesuffix("s"))
        return f"{self.stage} by {self.source}: {asked}{frames} at most{tokens}{known}{time}"


def plan(job: Job) -> dict[str, object]:
    """Return what the job would do and cost at most, by what is known now; nothing is written and nothing paid for.

    `stages` are those whose work is known before, `unreadable` the videos that are not there, `fails` why the job would
    end without bags: videos, folders, and sources of texts that can be tried at no cost (`probe`) are looked at.
    """
    entries = job.dictionary.entries
    keys, broken = _look(job.videos)
    kept = max(1, math.floor(job.keep * len(job.videos) + 0.5)) if len(job.videos) else 0
    stages = [_stage(job, "match", job.sources.matcher, keys, len(job.videos), digest(entries))]
    for captioner in job.sources.captioners:
        stages.append(_stage(job, "caption", captioner, keys, kept))
    for expander in job.sources.expanders:
        stages.append(_stage(job, "expand", expander, map(text_key, entries), len(entries)))
    stages += [_stage(job, "filter", one, (), kept) for one in job.sources.filters]
    calls = {one.source: one.asked for one in stages if one.stage == "expand" or one.tokens is not None}
    answers = sum(one.asked for one in stages)
    disk, free = answers * BYTES_OF_AN_ANSWER + len(job.videos) * BYTES_OF_A_BAG, _free(job.out)
    fails = [*_places(job), *(_tried(source) for source in job.sources.texts if calls.get(source.label, 1))]
    if disk > free:
        fails.append(f"{job.out} has room for {free / 1e6:.1f} MB: make room there")
    if broken and len(broken) == len(job.videos):
        fails.append(f"not one of {counted(len(broken), 'video')} can be read, the first: {broken[0]}")
    return {
        "videos": len(job.videos),
        "dictionary": f"{job.dictionary.name} ({counted(len(entries), 'entry')})",
        "keep": job.keep,
        "calls": calls,
        "tokens": sum(one.tokens or 0 for one in stages),
        "stages": [asdict(one) for one in stages],
        "disk": f"about {disk / 1e6:.1f} MB, {free / 1e9:.0f} GB are free",
        "run": str(job.upload.at if job.upload else job.out),
        "store": str(job.store),
        "unreadable": broken,
        "fails": [why for why in fails if why],
    }


def in_lines(plan: dict[str, object]) -> list[str]:
    """Return a plan as text for people."""
    stages, broken, fails = (list(plan[key]) for key in ("stages", "unreadable", "fails"))  # type: ignore[call-overload]
    videos = counted(int(str(plan["videos"])), "video")
    lines = [f"{videos}, {plan['dictionary']}, keep {plan['keep']:g}"]
    costs = [Stage(**stage) for stage in stages]
    lines += [cost.in_words() for cost in costs]
    if unmeasured := [cost.source for cost in costs if cost.asked and cost.seconds is None]:
        lines.append(f"no time is known of {', '.join(unmeasured)}: run a few videos with the same options first")
    lines += [f"disk: {plan['disk']}", f"run: {plan['run']}", f"store: {plan['store']}"]
    if broken:
        lines.append(f"{len(broken)} of {videos} would be skipped, the first: {broken[0]}")
    return lines + [f"would fail: {why}" for why in fails]


def _stage(job: Job, stage: str, source: Source, keys: Iterable[str], most: int, *more: object) -> Stage:
    """Return what a source has to do: of videos `most` are its business, of entries no more than there are videos."""
    texts = isinstance(source, Expander)
    new, seconds = unknown(job.store, source, keys, *more)
    asked = min(new, len(job.videos) if texts else most)
    if isinstance(source, Filter):
        asked = most  # which of the bags are known nobody knows before they are there
    frames = getattr(source.options, "frames", None)
    tokens = tokens_each(source)
    return Stage(
        stage,
        source.label,
        "calls" if texts else "videos",
        most,
        asked,
        frames if isinstance(frames, int) else None,
        None if tokens is None else asked * tokens,
        None if seconds is None else asked * seconds,
    )


def _look(videos: Iterable[Video]) -> tuple[list[str], list[str]]:
    """Return the keys of the videos, and of each that cannot be read its id and the reason."""
    keys, broken = [], []
    for video in videos:
        keys.append(video_key(video))
        try:
            check_file(video.path)
        except VideoError as error:
            broken.append(f"{video.id}: {error.problem}")
    return keys, broken


def _tried(source: Source) -> str:
    """Return what a source that can be tried at no cost says is wrong, "" if nothing."""
    if type(source).probe is Source.probe:
        return ""
    try:
        with blamed(source.label, "when it was probed"):
            source.fingerprint()
            source.probe()
    except CannotTellError:
        return ""
    except MaxiError as error:
        return f"{source.label}: {error}"
    return ""


def _places(job: Job) -> list[str]:
    """Return why nothing could be written into the folders of the job."""
    found = [f"{job.out} is in use by {holder}" for holder in [holder_of(job.out)] if holder]
    for folder in (job.out, job.store):
        if isinstance(folder, RemotePath):
            continue  # it was written to when the job was made
        there = _parent(folder)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            found.append(f"nothing can be written into {there}")
    return found


def _parent(folder: Path) -> Path:
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


def _free(folder: Path) -> int:
    return shutil.disk_usage(_parent(folder)).free


def _duration(seconds: float) -> str:
    """Return seconds in the unit that people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
