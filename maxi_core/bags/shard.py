"""Which share of the videos a worker answers: `--shard i/n`, or RANK and WORLD_SIZE."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.system.locks import holder_of
from maxi_core.video.inputs import VideoList

FOLDER = "shards"  # in the run folder


@dataclass(frozen=True, order=True)
class Shard:
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
        """Return every `of`-th video, from the `number`-th on."""
        count = len(range(self.number - 1, len(videos), self.of))
        return VideoList(count, lambda: islice(iter(videos), self.number - 1, None, self.of))

    def others(self) -> list["Shard"]:
        """Return all shards of as many, this one too."""
        return [Shard(self.of, number) for number in range(1, self.of + 1)]


def parse_shard(text: str) -> Shard:
    """Return the shard that `2/4` names; raises UsageError for anything else."""
    number, _, of = text.partition("/")
    if not (number.isascii() and number.isdigit() and of.isascii() and of.isdigit()):
        raise UsageError(f"--shard {text} is not of the form i/n", "type --shard 1/4 to --shard 4/4")
    if not 1 <= int(number) <= int(of):
        raise UsageError(f"--shard {text}: shards are counted from 1 to n", f"type --shard 1/{of} to --shard {of}/{of}")
    return Shard(int(of), int(number))


def shard_of_environment(env: Mapping[str, str]) -> Shard | None:
    """Return the shard that RANK and WORLD_SIZE name, None for a world of one; raises UsageError for nonsense."""
    rank, size = env.get("RANK", "0"), env.get("WORLD_SIZE", "1")
    if not (rank.isascii() and rank.isdigit() and size.isascii() and size.isdigit() and int(rank) < int(size)):
        raise UsageError(f"RANK={rank} and WORLD_SIZE={size} name no share", "RANK is 0 to WORLD_SIZE - 1")
    return Shard(int(size), int(rank) + 1) if int(size) > 1 else None


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
