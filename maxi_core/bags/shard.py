"""Which share of the videos a worker answers: `--shard i/n`, or RANK and WORLD_SIZE; and which are done.

Done shares stand in a log to which each adds one line. On one machine no line is lost; on a disk that machines share
that needs file locks over the network. A line that is lost or torn costs no answer: that share is run again.
"""

import errno
import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.locks import exclusive_if_possible, holder_of
from maxi_core.texts import counted
from maxi_core.video.inputs import VideoList

FOLDER = "shards"  # in the run folder
DONE = "done.jsonl"  # in the folder of the shares: one line for each that is done
MOST = 1_000_000  # shards of a run


class Shard(NamedTuple):
    """Share `number` of `of` equal ones, counted from 1."""

    of: int
    number: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """How its files are called."""
        return f"{self.number}-of-{self.of}"

    @property
    def lock(self) -> str:
        """How its lock is called."""
        return f"{self.name}.lock"

    def share(self, videos: VideoList) -> VideoList:
        """Return the `number`-th of `of` parts that follow one another; the first ones may be longer by one."""
        each, longer = divmod(len(videos), self.of)
        start = (self.number - 1) * each + min(self.number - 1, longer)
        return videos.part(start, start + each + (self.number <= longer))


def parse_shard(text: str) -> Shard:
    """Return the shard that `2/4` names; raises UsageError for anything else."""
    number, _, of = text.partition("/")
    if not (number.isascii() and number.isdigit() and of.isascii() and of.isdigit()):
        raise UsageError(f"--shard {text} is not of the form i/n", "type --shard 1/4 to --shard 4/4")
    if len(of) > len(str(MOST)) or int(of) > MOST:
        raise UsageError(f"--shard {text:.40}: there are too many shards", f"type at most --shard 1/{MOST}")
    if len(number) > len(of) or not 1 <= int(number) <= int(of):
        raise UsageError(f"--shard {text}: shards are counted from 1 to n", f"type --shard 1/{of} to --shard {of}/{of}")
    return Shard(int(of), int(number))


def shard_of_environment(env: Mapping[str, str]) -> Shard | None:
    """Return the shard that RANK and WORLD_SIZE name, None for a world of one; raises UsageError for nonsense."""
    rank, size = env.get("RANK", "0"), env.get("WORLD_SIZE", "1")
    if not (rank.isascii() and rank.isdigit() and size.isascii() and size.isdigit() and int(rank) < int(size)):
        raise UsageError(f"RANK={rank} and WORLD_SIZE={size} name no share", "RANK is 0 to WORLD_SIZE - 1")
    return Shard(int(size), int(rank) + 1) if int(size) > 1 else None


def note_done(folder: Path, shard: Shard, record: Mapping[str, object]) -> None:
    """Add a share to the log of those that are done, as one line that is written in one piece; raises MaxiError."""
    path = folder / FOLDER / DONE
    line = json.dumps({"shard": str(shard), **record}).encode() + b"\n"
    try:
        with path.open("ab+", buffering=0) as log, exclusive_if_possible(log):
            if (size := log.seek(0, os.SEEK_END)) and os.pread(log.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # behind a line that was torn
            if log.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(log.fileno())
    except OSError as error:
        raise MaxiError(
            f"cannot write {path} ({counted(len(line), 'byte')}): {error.strerror or error}",
            "make room there; the same command goes on from here",
        ) from error


def done_with(folder: Path, key: str) -> dict[Shard, dict[str, Any]]:
    """Return the records of the shares that were last done with what `key` stands for."""
    from pydantic_core import from_json

    last: dict[str, dict[str, Any]] = {}
    with suppress(OSError), (folder / FOLDER / DONE).open("rb") as log:
        for line in log:
            try:
                record = from_json(line)
                last[record["shard"]] = {name: record[name] for name in ("share", "videos", "matched")}
            except (ValueError, KeyError, TypeError):  # torn, or of another maxi
                continue
    return {parse_shard(name): record for name, record in last.items() if record["share"] == key}


def missing(done: Collection[Shard], of: int) -> tuple[Shard, ...]:
    """Return the shares of as many that are not done."""
    return tuple(shard for number in range(1, of + 1) if (shard := Shard(of, number)) not in done)


def some(shards: Sequence[object], most: int = 20) -> str:
    """Return the names of shares for a message, of many the first."""
    named = ", ".join(map(str, shards[:most]))
    return named if len(shards) <= most else f"{named} and {len(shards) - most} more"


def begun(folder: Path) -> set[Shard]:
    """Return the shares of a run folder that were begun, done or not."""
    found = set()
    for path in (folder / FOLDER).glob("*-of-*.lock"):
        number, _, of = path.stem.partition("-of-")
        if number.isdigit() and of.isdigit():
            found.add(Shard(int(of), int(number)))
    return found


def at_work(folder: Path) -> str:
    """Return which share of a run folder is being answered and by whom, "" if none is."""
    for shard in sorted(begun(folder)):
        if found := holder_of(folder / FOLDER, shard.lock):
            return f"share {shard}, {found}"
    return ""
