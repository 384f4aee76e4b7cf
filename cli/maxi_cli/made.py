"""What `maxi bags` and `maxi merge` show of what they made."""

import os
from typing import TYPE_CHECKING

import typer

from maxi_cli.terminal import complain, show_json, stdout, visible
from maxi_core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from maxi_core.bags.job import Job, Made
    from maxi_core.bags.sharing import Share

SCHEMA = 1


def report(job: "Job", made: "Made", *, json: bool) -> None:
    """Print the counts of a run; leaves with an exit code if there were no videos, or a source was of no use at all."""
    from maxi_core.bags.job import useless

    show_json({"schema": SCHEMA, **as_json(job, made)}) if json else show_made(job, made)
    if not made.tally.videos:
        raise typer.Exit(ExitCode.NOTHING)
    lines = useless(job.sources, made)
    for line in lines:
        complain(line)
    if lines:
        raise typer.Exit(ExitCode.SKIPPED)


def report_share(job: "Job", share: "Share", *, json: bool) -> None:
    """Print what became of a share, and of the run if this was the last one."""
    missing = [str(shard) for shard in share.missing]
    if json:
        whole = as_json(job, share.made) if share.made else None
        counts = {name: getattr(share.tally, name) for name in ("videos", "matched", "asked")}
        counts["skipped"] = len(share.skipped)
        show_json({"schema": SCHEMA, "shard": str(share.shard), **counts, "missing": missing, "run": whole})
        return
    console, tally = stdout(), share.tally
    console.print(f"share {share.shard}: {tally.matched} of {tally.videos} videos matched")
    show_skipped(job.out / "shards" / f"{share.shard.name}.skipped.jsonl", share.skipped)
    if share.made:
        show_made(job, share.made)
    elif missing:
        console.print(f"to be done: {', '.join(missing)}; the last one makes the bags", soft_wrap=True)
    else:
        shown = os.path.relpath(job.out)
        console.print(visible(f"another process makes the bags; if it dies: maxi merge {shown}"), soft_wrap=True)


def as_json(job: "Job", made: "Made") -> dict[str, object]:
    """Return the counts of a run for programs."""
    from maxi_core.bags.job import useless

    tally = made.tally
    return {
        "out": str(job.out),
        "videos": tally.videos,
        "matched": tally.matched,
        "kept": tally.kept,
        "threshold": tally.threshold,
        "texts": sum(made.sizes),
        "empty": sum(not size for size in made.sizes),
        "asked": tally.asked,
        "passes": tally.passes,
        "useless": useless(job.sources, made),
        "skipped": len(made.skipped),
    }


def show_made(job: "Job", made: "Made") -> None:
    """Print the counts of a run."""
    tally, console = made.tally, stdout()
    if not tally.videos:
        console.print("there are no videos")
        return
    console.print(
        f"{tally.kept} bags of {tally.videos} videos: {tally.matched} matched, "
        f"{tally.kept} kept (score {tally.threshold:.4f} or better)"
    )
    if made.sizes:
        mean = sum(made.sizes) / len(made.sizes)
        empty = sum(not size for size in made.sizes)
        console.print(f"{mean:.1f} texts in a bag ({min(made.sizes)} to {max(made.sizes)}), {empty} bags empty")
    asked = ", ".join(f"{name} {count}" for name, count in tally.asked.items())
    console.print(f"asked now: {asked}; all else was known", soft_wrap=True)
    show_skipped(job.out / "skipped.jsonl", made.skipped)
    shown = os.path.relpath(job.out)
    console.print(visible(f"next: maxi show {shown}, maxi stats {shown}"), soft_wrap=True)


def show_skipped(path: "Path", records: "Sequence[Mapping[str, object]]") -> None:
    """Print the first things that were left out, and where all are."""
    console = stdout()
    for record in records[:3]:
        console.print(visible(f"skipped at {record['stage']}: {record['video']}: {record['message']}"), style="yellow")
    if len(records) > 3:
        console.print(visible(f"... {len(records)} skipped in all: {path}"), style="yellow")
