"""Few-shot sets: so many of each class, drawn by the seed."""

from collections import Counter
from pathlib import Path

import pytest

from maxi_core.batches.batch import labelled
from maxi_core.errors import UsageError
from maxi_core.types import Video

CLASSES = ("archery", "bowling", "juggling")
PAIRS = [(Video(f"{place}.mp4", Path("/x") / f"{place}.mp4"), place % 3) for place in range(30)]


def ids(examples) -> list[str]:
    return [examples[place].video.id for place in range(len(examples))]


def test_without_shots_all_videos_are_examples_with_the_names_of_their_classes() -> None:
    examples = labelled(PAIRS, CLASSES)
    assert ids(examples) == [video.id for video, _ in PAIRS]
    assert (examples[4].matched, examples[4].group, examples[4].texts) == ("bowling", 1, ())


@pytest.mark.parametrize("shots", [1, 4, 10])
def test_every_class_has_as_many_videos_as_shots(shots: int) -> None:
    examples = labelled(PAIRS, CLASSES, shots, seed=3)
    assert Counter(examples[place].group for place in range(len(examples))) == dict.fromkeys(range(3), shots)
    assert len(set(ids(examples))) == 3 * shots


def test_the_draw_depends_on_the_seed_and_of_no_class_on_another() -> None:
    assert ids(labelled(PAIRS, CLASSES, 4, seed=0)) == ids(labelled(PAIRS, CLASSES, 4, seed=0))
    assert ids(labelled(PAIRS, CLASSES, 4, seed=0)) != ids(labelled(PAIRS, CLASSES, 4, seed=1))
    without = [pair for pair in PAIRS if pair[1] != 1 or int(pair[0].path.stem) < 15]
    kept = [
        [name for name in ids(labelled(pairs, CLASSES, 4)) if int(name[:-4]) % 3 != 1] for pairs in (PAIRS, without)
    ]
    assert kept[0] == kept[1]


def test_what_cannot_be_is_said_in_one_line() -> None:
    with pytest.raises(UsageError, match="class 'archery' has 10 videos, not 11"):
        labelled(PAIRS, CLASSES, 11)
    with pytest.raises(UsageError, match="2.mp4 has label 2, and there are 2 classes"):
        labelled(PAIRS, CLASSES[:2])
    with pytest.raises(UsageError, match="no videos"):
        labelled([], CLASSES)
