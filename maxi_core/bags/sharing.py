"""Many workers on one run: each answers its share of the videos into the store, and the last one makes the bags.

A share is all that is asked of a video: match, captions, their forms. What needs all videos (which matches are kept,
which entries are expanded, the bags, their filters) is left to the merge, which is the run of one process over a store
that knows the answers, so its files are those of one process to the byte.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from maxi_core.bags.answered import Answers, answers_of, to_lines
from maxi_core.bags.askers import store_about, store_name
from maxi_core.bags.pipeline import answer_share
from maxi_core.bags.progress import NewProgress, Unwatched
from maxi_core.bags.run import Job, Made, Skips, begin, compared, made_of, run_job
from maxi_core.bags.shard import FOLDER, Shard, at_work, begun, done_with, missing, note_done, some
from maxi_core.bags.tally import Stages, Tally
from maxi_core.errors import UsageError
from maxi_core.plugin.roles import Expander, Filter
from maxi_core.system.files import utc_stamp, write_lines, write_text
from maxi_core.system.locks import InUseError, holder_of, locked
from maxi_core.system.store import digest
from maxi_core.texts import counted

SCHEMA = 2  # 1: of shares that took every n-th video
RECIPE = "recipe.toml"  # in the folder of the shares: what `maxi merge` makes the bags by


@dataclass(frozen=True)
class Share:
    """What became of a share: its counts, the shares that are still to be done, and the bags if it was the last."""

    shard: Shard
    tally: Tally
    skipped: tuple[dict[str, object], ...]
    missing: tuple[Shard, ...] = ()
    made: Made | None = None


def run_shard(job: Job, shard: Shard, progress: NewProgress = Unwatched) -> Share:
    """Answer a share into the store; whoever finishes last makes the bags as `run_job` does.

    Raises as `run_job` does, and InUseError if another process has this share or makes the bags.
    """
    folder = job.out / FOLDER
    with locked(folder, shard.lock):
        if found := holder_of(job.out):
            raise InUseError(f"{job.out} is in use by {found}", "wait for it, or choose another --out")
        if not compared(job)[0]:
            begin(job)  # so that the others have something to compare
        write_text(folder / RECIPE, job.recipe)
        key, tally, skips = key_of(job), Tally(), Skips(job.max_skipped)
        stages = Stages(job.store, progress, skips.skip, skips.videos.use, job.strict)
        try:
            answered = answer_share(shard.share(job.videos), job.dictionary, job.sources, stages, tally)
            write_lines(answers_of(job.out, shard), to_lines(key, answered))
        finally:
            skips.write(folder / f"{shard.name}.skipped.jsonl")
        counts = {"videos": tally.videos, "matched": tally.matched}  # no more: each share reads the lines of all
        note_done(job.out, shard, {"schema": SCHEMA, "share": key, "finished": utc_stamp(), **counts})
    done = done_with(job.out, key)
    left = missing(done, shard.of)
    share = Share(shard, tally, tuple(skips.records), left)
    if left or at_work(job.out):  # whoever is still at work will find all shares done
        return share
    try:
        return replace(share, made=run_job(job, progress, _answers(job, key, shard.of, done)))
    except InUseError:  # another one that finished at the same time makes the bags
        return share


def merge(job: Job, progress: NewProgress = Unwatched) -> Made:
    """Make the bags of a run whose shares are all done; raises UsageError that names those that are not."""
    key = key_of(job)
    done = done_with(job.out, key)
    every = [missing(done, of) for of in sorted({shard.of for shard in begun(job.out)})]
    if not every:
        raise UsageError(f"no share of {job.out} was begun", "begin them: maxi bags ... --shard 1/4 to --shard 4/4")
    if left := min(every, key=len):
        raise UsageError(
            f"{len(left)} of {counted(left[0].of, 'share')} of {job.out} are not done: {some(left)}",
            f"run them (again): maxi bags ... --shard {left[0]}",
        )
    of = next(of for of in sorted({shard.of for shard in begun(job.out)}) if not missing(done, of))
    return run_job(job, progress, _answers(job, key, of, done))


def _answers(job: Job, key: str, of: int, done: Mapping[Shard, Mapping[str, object]]) -> Answers:
    failed = [shard for shard, record in sorted(done.items()) if record["matched"] != record["videos"]]
    return Answers(job.out, key, of, len(job.videos), [shard for shard in failed if shard.of == of])


def key_of(job: Job) -> str:
    """Return what the answers of a share depend on: another video, source or option makes a share to be done anew."""
    sources = [source for source in job.sources.every() if not isinstance(source, (Expander, Filter))]
    stores = [store_name(store_about(source, job.sources.reading)) for source in sources]
    labels = [source.label for source in sources]
    return digest(SCHEMA, made_of(job), stores, labels, os.fspath(job.store.absolute()))
