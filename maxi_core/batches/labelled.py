"""Examples from labels instead of bags, for the cross-entropy baselines and few-shot training (method.md)."""

from collections.abc import Sequence
from random import Random

from maxi_core.batches.batch import Example
from maxi_core.batches.draws import stable_number
from maxi_core.errors import UsageError
from maxi_core.types import Video


class Labelled:
    """Labelled videos as examples without texts; see `labelled`."""

    def __init__(self, pairs: Sequence[tuple[Video, int]], classes: tuple[str, ...]) -> None:
        self._pairs, self.classes = pairs, classes

    @property
    def empty(self) -> int:
        """Return 0: nobody expects texts of labels."""
        return 0

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
                f"{video.id} has label {group}, and there are {len(classes)} classes", "correct the list or the names"
            )
        places[group].append(place)
    if shots is None:
        return Labelled(pairs, tuple(classes))
    chosen: list[int] = []
    for name, of_class in zip(classes, places, strict=True):
        if len(of_class) < shots:
            raise UsageError(f"class '{name}' has {len(of_class)} videos, not {shots}", "lower --shots")
        chosen += Random(stable_number("shots", seed, name)).sample(of_class, shots)  # noqa: S311 - not a secret
    return Labelled([pairs[place] for place in sorted(chosen)], tuple(classes))
