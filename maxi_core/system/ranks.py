"""The processes of one command that torchrun started: who this is, what it does, and what all of them say."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from maxi_core.errors import MaxiError, UsageError, is_out_of_memory
from maxi_core.texts import counted

TIMEOUT = timedelta(minutes=30)  # of one collective: rank 0 may save or validate while the others wait

Item = TypeVar("Item")

GO_ON = "look at the ranks' own messages, then --resume"


@dataclass(frozen=True)
class Ranks:
    """This process is `rank` of `world`, `local` on its machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Return what this rank does of the items: every n-th."""
        return list(items[self.rank :: self.world])

    def gather(self, found: Item) -> list[Item]:
        """Return what all ranks found, the first rank's first; on the other ranks an empty list.

        Raises MaxiError if a rank is gone.
        """
        if self.world == 1:
            return [found]
        everything: list[Any] | None = [None] * self.world if self.first else None
        with _rank_may_be_gone("run the same command again: what was encoded is kept"):
            dist.gather_object(found, everything)
        return everything or []

    def once(self, work: Callable[[], Any]) -> Any:
        """Do work on rank 0 and return its answer on every rank; where it fails there, it fails on all."""
        answer: Any = None
        error: Exception | None = None
        if self.first:
            try:
                answer = work()
            except Exception as caught:  # whatever it is, the other ranks wait for an answer
                error = caught
        said = self.all_say((answer, str(error) if error else None))[0] if self.world > 1 else (answer, None)
        if error:
            raise error
        if said[1]:
            raise MaxiError(f"rank 0 stopped: {said[1]}")
        return said[0]

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.rank == 0

    def total(self, values: Sequence[float], device: torch.device) -> list[float]:
        """Return the sums of values over all ranks, which all must ask for; raises MaxiError if a rank is gone."""
        if self.world == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        with _rank_may_be_gone():
            dist.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found

    def all_say(self, thing: object) -> list[Any]:
        """Return what each rank says, small plain values, the first rank's first; all must ask."""
        if self.world == 1:
            return [thing]
        said: list[Any] = [None] * self.world
        with _rank_may_be_gone():
            dist.all_gather_object(said, thing)
        return said


ALONE = Ranks()


@contextmanager
def joined(device: str, backend: str | None = None, env: Mapping[str, str] = os.environ) -> Iterator[tuple[Ranks, str]]:
    """Join the processes that torchrun has started, if it has; give this one's place and its device.

    The `backend` is NCCL between CUDA devices, one for each local rank, and gloo otherwise, unless it is named: what is
    small and on the CPU goes by gloo everywhere, also where several ranks share a GPU. Raises UsageError for variables
    that are none.
    """
    ranks = _from_environment(env)
    if ranks.world == 1:
        yield ranks, device
        return
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        device = f"cuda:{ranks.local % torch.cuda.device_count() if backend == 'gloo' else ranks.local}"
        torch.cuda.set_device(device)
    backend = backend or ("nccl" if device.startswith("cuda") else "gloo")
    try:
        dist.init_process_group(backend, rank=ranks.rank, world_size=ranks.world, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise MaxiError(f"rank {ranks.rank} cannot meet the other ranks: {why}", "start all with torchrun") from None
    try:
        yield ranks, device
    finally:
        dist.destroy_process_group()


def _from_environment(env: Mapping[str, str]) -> Ranks:
    try:
        rank, world = int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1"))
        local = int(env.get("LOCAL_RANK", rank))
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE and LOCAL_RANK must be numbers: {error}", "start with torchrun") from None
    if not 0 <= rank < world:
        raise UsageError(
            f"WORLD_SIZE={world} and RANK={rank} are no place among processes", "start with torchrun, or unset both"
        )
    if world > 1 and "MASTER_ADDR" not in env:
        raise UsageError("WORLD_SIZE is set and MASTER_ADDR is not", "start with torchrun, or unset WORLD_SIZE")
    return Ranks(rank, world, local) if world > 1 else ALONE


def is_of_device(error: BaseException) -> bool:
    """Whether an error may be what the device says of its memory, or torch of a rank that is gone: `device_errors`."""
    return _is_of_memory(error) or (isinstance(error, RuntimeError) and dist.is_initialized())


def _is_of_memory(error: BaseException) -> bool:
    return is_out_of_memory(error) or isinstance(error, torch.OutOfMemoryError)


@contextmanager
def device_errors(device: torch.device, shape: Sequence[int]) -> Iterator[None]:
    """Turn what the device says when memory is short, or another rank gone, into one line.

    `shape` is that of the clips, (B, T, 3, S, S), or of their features, (B, D).
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _is_of_memory(error):
            frames = f" of {counted(shape[1], 'frame')}" if len(shape) > 2 else ""
            raise MaxiError(
                f"{device} has not enough memory for {counted(shape[0], 'video')}{frames} at once",
                "halve --batch-size and double --accum-freq, or add --grad-checkpointing",
            ) from error
        if isinstance(error, RuntimeError) and dist.is_initialized():
            raise _lost(error, GO_ON) from error
        raise


@contextmanager
def _rank_may_be_gone(fix: str = GO_ON) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise _lost(error, fix) from None


def _lost(error: RuntimeError, fix: str) -> MaxiError:
    """Return the one line for a collective that failed: a rank has died or does not answer."""
    why = " ".join(str(error).split())[:160]
    return MaxiError(f"another rank is gone or does not answer: {why}", fix)
