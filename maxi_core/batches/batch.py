"""What training sees: one example of the data, the settings that make batches of them, and the batch itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal, Protocol

from maxi_core.batches.bag_sampling import N_BAG
from maxi_core.batches.draws import stable_number
from maxi_core.batches.training_prompts import TRAINING
from maxi_core.errors import UsageError
from maxi_core.prompts import checked_template
from maxi_core.texts import counted
from maxi_core.types import Video

if TYPE_CHECKING:
    from torch import Tensor

Augmentation = Literal["paper", "spatial", "none"]


@dataclass(frozen=True, slots=True)
class Example:
    """One video to learn from: what it is matched to (or labelled as), that entry's number, and its bag's texts.

    `top` are the numbers of the entries that it is nearest to, with their cosines, its own first; of those alone that
    some video is matched to.
    """

    video: Video
    matched: str
    group: int
    texts: tuple[str, ...] = ()
    top: tuple[tuple[int, float], ...] = ()


class Examples(Protocol):
    """Examples by number: the bags of a run (`open_bags`) or a list of labels (`labelled`).

    `classes` are the entries that `Example.group` counts; `empty` is how many examples have a bag without texts.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the entries, in the order of their numbers."""
        ...

    @property
    def empty(self) -> int:
        """Return how many examples have no text besides what they are matched to."""
        ...

    @property
    def entries(self) -> int:
        """Return how many different entries they are matched to."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, place: int) -> Example:
        """Return one of them."""
        ...


@dataclass(frozen=True)
class BatchPlan:
    """How examples become micro-batches (method.md).

    `frames` T of each video, `bag_size` N prompts of each bag, `template` of text1. `augmentation` is `paper` (random
    frames, multi-scale crop, colour), `spatial` (without the colour) or `none` (middle frames, centre crop: as in
    evaluation); `flip` mirrors half of the videos, which is wrong where left and right are different actions.
    `hold_gb` are the most gigabytes of decoded frames that are kept in memory between epochs, if all videos fit. No
    setting but the last changes what it takes to make a batch, and that one changes no batch. Raises UsageError for
    sizes below one and for a template without exactly one `{}`.
    """

    batch_size: int
    frames: int
    bag_size: int = N_BAG
    seed: int = 0
    template: str = TRAINING
    augmentation: Augmentation = "paper"
    flip: bool = True
    hold_gb: float = 2.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "frames", "bag_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)}: there must be at least one", f"raise {name}")
        checked_template(self.template)


@dataclass(frozen=True)
class Batch:
    """One micro-batch of B videos with their bags of N prompts each.

    `number` counts the micro-batches of the epoch over all ranks; `videos` are ids. `frames` (B, T, 3, S, S) uint8,
    augmented, or features that were kept of them (B, D); `tokens` (P, L) int64, the distinct prompts; `index` (B, N)
    int64, the rows of `tokens` that are each video's bag; `groups` (B,) int64, the number of the entry that each video
    is matched to; `top` (B, K) int64, the entries that it is nearest to, its own first, and their `cosines` (B, K): -1
    and -inf where there are fewer.
    """

    number: int
    videos: tuple[str, ...]
    frames: Tensor
    tokens: Tensor
    index: Tensor
    groups: Tensor
    top: Tensor
    cosines: Tensor


# Examples from labels instead of bags, for the cross-entropy baselines and few-shot training (method.md).


class Labelled:
    """Labelled videos as examples without texts; see `labelled`."""

    def __init__(self, pairs: Sequence[tuple[Video, int]], classes: tuple[str, ...]) -> None:
        self._pairs, self.classes = pairs, classes

    @property
    def empty(self) -> int:
        """Return 0: nobody expects texts of labels."""
        return 0

    @property
    def entries(self) -> int:
        """Return how many different classes the videos are of."""
        return len({group for _, group in self._pairs})

    def __len__(self) -> int:
        """Return how many videos there are."""
        return len(self._pairs)

    def __getitem__(self, place: int) -> Example:
        """Return one video with the name of its class."""
        video, group = self._pairs[place]
        return Example(video, self.classes[group], group)


def labelled(
    pairs: Sequence[tuple[Video, int]], classes: Sequence[str], shots: int | None = None, seed: int = 0
) -> Labelled:
    """Return labelled videos as examples, all of them or `shots` of each class, drawn by `seed`, in their order.

    The draw of a class does not depend on the other classes. Raises UsageError for a label that is no number of a
    class, for a class with fewer videos than `shots`, and for no videos at all.
    """
    if not pairs:
        raise UsageError("the list of labels names no videos", "put a line PATH LABEL into it")
    places: list[list[int]] = [[] for _ in classes]
    for place, (video, group) in enumerate(pairs):
        if not 0 <= group < len(classes):
            raise UsageError(
                f"{video.id} has label {group}, and there are {counted(len(classes), 'class')}",
                "correct the list or the names",
            )
        places[group].append(place)
    if shots is None:
        return Labelled(pairs, tuple(classes))
    chosen: list[int] = []
    for name, of_class in zip(classes, places, strict=True):
        if len(of_class) < shots:
            raise UsageError(f"class '{name}' has {counted(len(of_class), 'video')}, not {shots}", "lower --shots")
        chosen += Random(stable_number("shots", seed, name)).sample(of_class, shots)  # noqa: S311 - not a secret
    return Labelled([pairs[place] for place in sorted(chosen)], tuple(classes))
