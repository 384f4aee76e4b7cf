"""One feature per entry: the mean over 28 templates, equal to the slow way, and kept on disk only while it is right."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from maxi_core.batches.training_prompts import TRAINING, training_prompt
from maxi_core.clip import text_features
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.text_features import entry_features
from maxi_core.prompts import EVALUATION, MATCHING, fill
from maxi_core.system.files import maxi_home
from tests.clip.tiny_clip import config, write

ENTRIES = ("juggling balls", "riding a bike", "juggling", "braces {} and {0}", "50% off")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> VideoCLIP:
    return load_model(str(write(tmp_path_factory.mktemp("clip"), config(context_length=24))), "cpu")


def test_the_prompts_are_those_of_the_paper() -> None:
    assert len(set(MATCHING)) == 28
    assert fill(MATCHING[0], "juggling") == "a photo of juggling."
    assert fill(MATCHING[-1], "juggling") == "a demonstration of a person practicing juggling."
    assert "a example of a person during {}." in MATCHING
    assert fill(EVALUATION, "juggling") == "a photo of a juggling."
    assert training_prompt("juggling", "throw") == "a photo of a juggling. throw."
    assert training_prompt("juggling", "throw", "a photo of {}.") == "a photo of juggling. throw."
    assert TRAINING == "a photo of a {}."


def slowly(clip: VideoCLIP, entry: str) -> Tensor:
    """Write paper Eq. 1's text side out: one prompt at a time through open_clip's own functions."""
    model: Any = clip.clip
    total = torch.zeros(clip.width)
    for opening in ("a photo of", "a video of", "a example of", "a demonstration of"):
        for rest in ("", "a person ", "a person using ", "a person doing ", "a person during ", "a person performing ",
                     "a person practicing "):  # fmt: skip
            feature = model.encode_text(clip.tokenizer([f"{opening} {rest}{entry}."]))[0]
            total += feature / feature.norm()
    total /= 28
    return total / total.norm()


def test_features_equal_the_slow_way(clip: VideoCLIP) -> None:
    with torch.no_grad():
        want = torch.stack([slowly(clip, entry) for entry in ENTRIES])
    got = entry_features(clip, ENTRIES)
    assert float((want - got).abs().max()) <= 1e-5
    assert float((want[0] - want[2]).abs().max()) > 1e-3


def test_blocks_change_nothing_but_the_last_bits(
    clip: VideoCLIP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = entry_features(clip, ENTRIES)
    monkeypatch.setattr(text_features, "BLOCK", 2)
    assert torch.allclose(entry_features(clip, ENTRIES, cache=tmp_path), whole, rtol=0, atol=1e-6)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of prompts whenever the text tower is asked."""
    counts: list[int] = []
    encode = text_features.encode_text

    def counted(model: Any, ids: Tensor) -> Tensor:
        counts.append(len(ids))
        return encode(model, ids)

    monkeypatch.setattr(text_features, "encode_text", counted)
    return counts


def cached() -> list[Path]:
    return sorted((maxi_home() / "text-features").iterdir())


def test_the_second_time_the_tower_is_not_asked_and_the_bits_are_the_same(clip: VideoCLIP, asked: list[int]) -> None:
    first, second = entry_features(clip, ENTRIES), entry_features(clip, ENTRIES)
    assert torch.equal(first, second)
    assert asked == [28 * len(ENTRIES)]
    assert len(cached()) == 1


def test_other_weights_entries_order_or_templates_are_asked_anew(
    clip: VideoCLIP, asked: list[int], tmp_path: Path
) -> None:
    other = load_model(str(write(tmp_path, config(context_length=24), seed=1)), "cpu")
    entry_features(clip, ENTRIES[:2])
    entry_features(other, ENTRIES[:2])
    entry_features(clip, ENTRIES[1::-1])
    entry_features(clip, ENTRIES[:2], templates=["a {}", "b {}"])
    assert asked == [56, 56, 56, 4]
    assert len(cached()) == 4


@pytest.mark.parametrize("damage", ["flipped bit", "cut", "longer", "empty", "another dictionary's"])
def test_a_poisoned_cache_file_counts_as_none_and_is_replaced(clip: VideoCLIP, asked: list[int], damage: str) -> None:
    right = entry_features(clip, ENTRIES)
    path = cached()[0]
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[-7] ^= 1
    elif damage == "another dictionary's":
        entry_features(clip, ENTRIES[::-1])
        data = bytearray(next(file for file in cached() if file != path).read_bytes())
    path.write_bytes({"cut": data[:-4], "longer": data + b"1234", "empty": b""}.get(damage, bytes(data)))
    before = len(asked)
    assert torch.equal(entry_features(clip, ENTRIES), right)
    assert len(asked) == before + 1
    assert torch.equal(entry_features(clip, ENTRIES), right)
    assert len(asked) == before + 1, "the damaged file was replaced"


def test_a_cache_that_cannot_be_written_costs_a_warning(
    clip: VideoCLIP, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with caplog.at_level(logging.WARNING, logger="maxi"):
        features = entry_features(clip, ENTRIES, cache=blocked)
    assert torch.equal(features, entry_features(clip, ENTRIES))
    assert caplog.messages[0].startswith(f"text features are not kept: cannot write {blocked}")


def test_entries_that_are_cut_or_hold_special_tokens_are_counted(
    clip: VideoCLIP, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="maxi"):
        entry_features(clip, ["run", "word " * 30, "jump<end_of_text>ing"])
    assert caplog.messages == [
        "1 of 3 dictionary entries too long for the model, and cut",
        "special tokens were taken out of 1 of 3 dictionary entries",
    ]
