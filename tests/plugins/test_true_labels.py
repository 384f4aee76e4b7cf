"""`true-labels`: true labels as matches."""

from pathlib import Path

import numpy as np
import pytest

from maxi_core import Clip, Dictionary, Failed, Video
from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_plugins.true_labels import TrueLabels

LIST = Path(__file__).parent.parent / "data" / "labels.csv"
DICTIONARY = Dictionary("small", ("Riding a bike", "cooking"))

test_true_labels_keeps_the_contract = contract(lambda: TrueLabels(TrueLabels.Options(list=LIST)))


def match(*names: str) -> list[object]:
    clips = [Clip(Video(name, Path(name)), np.empty((0, 1, 1, 3), np.uint8)) for name in names]
    return list(TrueLabels(TrueLabels.Options(list=LIST)).match(clips, DICTIONARY))


def test_a_video_is_matched_to_the_entry_that_is_its_label_in_any_spelling() -> None:
    (found,) = match("a.mp4")
    assert (found.entry, found.score, found.top) == ("Riding a bike", 1.0, (("Riding a bike", 1.0),))  # type: ignore[attr-defined]


def test_a_video_without_a_label_or_with_one_that_is_no_entry_is_failed_with_the_reason() -> None:
    unlabelled, other = match("nowhere.mp4", "b.mp4")
    assert isinstance(unlabelled, Failed)
    assert "no label" in unlabelled.reason
    assert isinstance(other, Failed)
    assert "'juggling' is no entry" in other.reason


def test_without_a_list_it_says_what_to_type() -> None:
    with pytest.raises(UsageError, match="true-labels.list=FILE"):
        TrueLabels().fingerprint()


def test_answers_are_asked_again_when_the_list_changes(tmp_path: Path) -> None:
    copy = tmp_path / "labels.csv"
    copy.write_text(LIST.read_text())
    before = TrueLabels(TrueLabels.Options(list=copy)).fingerprint()
    copy.write_text(LIST.read_text().replace("cooking", "juggling"))
    assert TrueLabels(TrueLabels.Options(list=copy)).fingerprint() != before
