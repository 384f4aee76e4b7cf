"""Micro-batches for training: which videos, which of their frames and words, all drawn from (seed, epoch, video)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice, zip_longest
from typing import Any, TypeVar

import torch
from torch import Tensor

from maxi_core.batches.augmentation import augment
from maxi_core.batches.bag_sampling import draw_items
from maxi_core.batches.batch import Batch, BatchPlan, Example, Examples
from maxi_core.batches.clips import Clip, Clips
from maxi_core.batches.draws import epoch_order, generator
from maxi_core.batches.kept_features import KeptClips, KeptFeatures
from maxi_core.batches.token_rows import Prompter, Tokenize
from maxi_core.batches.training_prompts import training_prompt
from maxi_core.clip.image_tower import short_side
from maxi_core.errors import UsageError
from maxi_core.prompts import fill
from maxi_core.settings.sections import VideoOptions
from maxi_core.texts import counted
from maxi_core.video.skips import SkipLog, VideoFailed

# Making the next items while the last one is used.

T = TypeVar("T")

LOOK = 0.1  # seconds between two looks at whether anybody still wants items
GRACE = 5.0  # seconds that closing waits for the item that is being made; a video may hang for longer


def made_ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """Yield the items of a generator that runs in a thread of its own, at most `count` items ahead.

    What it raises is raised here, in its place. The generator is closed when this one ends, early or not.
    """
    made: queue.Queue[T | _End] = queue.Queue(count)
    unwanted = threading.Event()

    def put(item: T | _End) -> None:
        while not unwanted.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=LOOK)
                return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if unwanted.is_set():
                    break
            items.close()
        except BaseException as raised:  # the consumer is told, whatever it is
            error = raised
        put(_End(error))

    thread = threading.Thread(target=work, name="maxi-batches", daemon=True)
    thread.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        unwanted.set()
        thread.join(GRACE)


class _End:
    """The last item: nothing more comes, because of an error or not."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


AHEAD = 2  # micro-batches that are ready before they are asked for


@dataclass(frozen=True, slots=True)
class Counts:
    """What was not as it should be: `empty` bags among all examples; what this process met so far of the rest.

    `broken` are videos that could not be read and were replaced, `truncated` and `stripped` are prompts that were cut
    to the model's context, or had the name of a special token in them.
    """

    empty: int
    broken: int
    truncated: int
    stripped: int


class Batches:
    """The micro-batches of every epoch, the same whatever the number of workers and ranks, and after a resume.

    `tokenize` is the model's (`VideoCLIP.tokenize`), `image_size` its pixels. `video` says how videos are read; with
    worker processes, batches are also made ahead, in a thread. `log` records videos that cannot be read. With `kept`,
    nothing is decoded: frames are the features that were kept of them. Raises UsageError if there are too few examples
    for one batch.
    """

    def __init__(
        self,
        examples: Examples,
        plan: BatchPlan,
        tokenize: Tokenize,
        image_size: int,
        video: VideoOptions | None = None,
        log: SkipLog | None = None,
        kept: KeptFeatures | None = None,
    ) -> None:
        if len(examples) < plan.batch_size:
            raise UsageError(
                f"{counted(len(examples), 'video', 'do')} not fill one batch of {plan.batch_size}",
                f"type --batch-size {max(1, len(examples))} or less",
            )
        self._examples, self._plan, self._tokenize, self._image_size = examples, plan, tokenize, image_size
        reading = (video or VideoOptions()).model_copy(update={"short_side": short_side(image_size)})
        self._workers = reading.processes()
        self._prompter = Prompter(tokenize)
        self._clips = KeptClips(examples, plan, reading, log, kept) if kept else Clips(examples, plan, reading, log)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the entries that `Batch.groups` counts."""
        return self._examples.classes

    @cached_property
    def class_tokens(self) -> Tensor:
        """Return the prompts of the classes, without an item, (C, L) int64."""
        return self._tokenize([fill(self._plan.template, name) for name in self.classes]).ids

    @property
    def counts(self) -> Counts:
        """Return what was not as it should be, so far."""
        prompts = self._prompter
        return Counts(self._examples.empty, len(self.broken), prompts.truncated, prompts.stripped)

    @property
    def broken(self) -> Mapping[str, VideoFailed]:
        """Return the videos that could not be read so far, by id, and why."""
        return self._clips.broken

    def per_epoch(self) -> int:
        """Return how many micro-batches an epoch has over all ranks; what does not fill a batch is left out."""
        return len(self._examples) // self._plan.batch_size

    def epoch(self, epoch: int, *, rank: int = 0, world: int = 1, start: int = 0) -> Generator[Batch, None, None]:
        """Yield the micro-batches `start + rank`, `start + rank + world` and so on of an epoch.

        A micro-batch is the same for every rank, world and start. Ranks differ by one in how many they get if what is
        left is no multiple of `world`. Raises TooManySkippedError and MaxiError as `Clips.read` does.
        """
        made = self._make(epoch, range(start + rank, self.per_epoch(), world))
        return made_ahead(made, AHEAD) if self._workers else made

    def views(self, places: Iterable[int], epoch: int) -> Generator[tuple[Example, Tensor], None, None]:
        """Yield what stands in each place with its view in an epoch, (T, 3, S, S) uint8, or its kept feature (D,)."""
        size = self._plan.batch_size
        with ExitStack() as stack:
            clips = stack.enter_context(closing(self._clips.read(places, epoch)))
            each: Callable[..., Iterable[Any]] = map
            if self._workers:
                each = stack.enter_context(ThreadPoolExecutor(min(self._workers, size))).map
            while some := list(islice(clips, size)):
                views = list(each(partial(self._view, epoch), some))
                yield from zip((example for example, _ in some), views, strict=True)

    def _make(self, epoch: int, numbers: range) -> Generator[Batch, None, None]:
        size = self._plan.batch_size
        order = epoch_order(len(self._examples), self._plan.seed, epoch)
        places = (int(order[number * size + slot]) for number in numbers for slot in range(size))
        with closing(self.views(places, epoch)) as views:
            for number in numbers:
                some = list(islice(views, size))
                yield self._batch(number, epoch, [example for example, _ in some], [view for _, view in some])

    def _view(self, epoch: int, clip: Clip) -> Tensor:
        example, frames = clip
        if isinstance(frames, Tensor):
            return frames
        rng = generator("view", self._plan.seed, epoch, example.video.id)
        return augment(frames, self._image_size, self._plan.augmentation, self._plan.flip, rng)

    def _batch(self, number: int, epoch: int, examples: Sequence[Example], views: list[Tensor]) -> Batch:
        tokens, index = self._prompter.batch(self._bag(epoch, example) for example in examples)
        return Batch(
            number,
            tuple(example.video.id for example in examples),
            torch.stack(views),  # B x (T, 3, S, S) -> (B, T, 3, S, S), or B x (D,) -> (B, D)
            tokens,
            index,
            torch.tensor([example.group for example in examples]),
            *_nearest(examples),
        )

    def _bag(self, epoch: int, example: Example) -> list[str]:
        """Return the N prompts of a video; without texts the class prompt N times (method.md, bags)."""
        plan = self._plan
        items = draw_items(example.texts, plan.bag_size, generator("bag", plan.seed, epoch, example.video.id))
        if not items:
            return [fill(plan.template, example.matched)] * plan.bag_size
        return [training_prompt(example.matched, item, plan.template) for item in items]


def _nearest(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Return the entries that each video is nearest to, and their cosines, (B, K); its own if no others are known."""
    known = [example.top or ((example.group, 0.0),) for example in examples]
    rows = list(zip_longest(*known, fillvalue=(-1, float("-inf"))))  # K rows of B
    return tuple(torch.tensor([[pair[part] for pair in row] for row in rows]).T for part in (0, 1))  # type: ignore[return-value]
