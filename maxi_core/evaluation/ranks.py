"""The share of a process in an evaluation that torchrun splits: every n-th video, brought together on rank 0."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from maxi_core.errors import MaxiError, UsageError

Item = TypeVar("Item")

_VARIABLES = (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))  # torchrun's


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Return what this process does of the items."""
        return list(items[self.rank :: self.size])

    def gather(self, found: Item) -> list[Item]:
        """Return what all processes found, in the order of ranks; on other ranks than 0 an empty list.

        Raises MaxiError if a process is gone.
        """
        if self.size == 1:
            return [found]
        from torch import distributed

        everything: list[Item | None] | None = [None] * self.size if self.rank == 0 else None
        try:
            distributed.gather_object(found, everything)
        except RuntimeError as error:
            why = str(error).partition("\n")[0][:200]
            fix = "run the same command again: what was encoded is kept"
            raise MaxiError(f"another process of this evaluation is gone ({why})", fix) from error
        return [] if everything is None else [one for one in everything if one is not None]


@contextmanager
def joined(env: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Join the processes that torchrun started; without torchrun this one is alone.

    What travels is small and on the CPU, so gloo carries it everywhere. Where there are GPUs, each process of a machine
    takes the one of its number as `cuda`.
    """
    try:
        size, rank, local = (int(env.get(name, given)) for name, given in _VARIABLES)
        assert 0 <= rank < size
    except (ValueError, AssertionError):
        raise UsageError(
            f"WORLD_SIZE={env.get('WORLD_SIZE')} and RANK={env.get('RANK')} are no place among processes",
            "start them with torchrun, or unset both",
        ) from None
    if size == 1:
        yield Ranks()
        return
    import torch
    from torch import distributed

    if torch.cuda.is_available():
        torch.cuda.set_device(local % torch.cuda.device_count())
    distributed.init_process_group("gloo")
    try:
        yield Ranks(rank, size)
    finally:
        distributed.destroy_process_group()
