"""Tokens are open_clip's own, but nothing that is written in a text becomes a special token."""

import time
from pathlib import Path

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from maxi_core.clip.tokens import tokenize

TOKENIZER = SimpleTokenizer()
SOT, EOT = TOKENIZER.sot_token_id, TOKENIZER.eot_token_id


@pytest.mark.parametrize(
    "text",
    ["a photo of a dog.", "", "!", "café & <b>bold</b> &lt;3", "🎾" * 3, "لعب الكرة", "don't", "A_B", "word " * 90],
)
def test_tokens_equal_open_clips_for_texts_without_special_tokens(text: str) -> None:
    assert torch.equal(tokenize(TOKENIZER, [text]).ids, TOKENIZER([text]))


@pytest.mark.parametrize(
    "text",
    [
        "jump<end_of_text>ing high",
        "jump<END_OF_TEXT>ing high",
        "jump&lt;end_of_text&gt;ing high",
        "jump&amp;lt;start_of_text&amp;gt;ing high",
        "jump\uff1cend_of_text\uff1eing high",  # full width, which the tokenizer makes narrow
        "<start_of_text>jump<end_of_text><end_of_text>ing high",
    ],
)
def test_special_tokens_in_a_text_are_taken_out_and_reported(text: str) -> None:
    hostile = tokenize(TOKENIZER, ["fine", text])
    assert {SOT, EOT} & set(TOKENIZER([text])[0, 1:4].tolist()), "open_clip by itself is taken in by this text"
    assert torch.equal(hostile.ids[1], TOKENIZER(["jump ing high"])[0])
    assert hostile.stripped == (1,)


def test_a_name_that_only_looks_special_after_another_is_taken_out_makes_no_special_token() -> None:
    ids = tokenize(TOKENIZER, ["<end_of<end_of_text>_text> run"]).ids[0].tolist()
    assert (ids.count(SOT), ids.count(EOT)) == (1, 1)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_has_one_start_and_one_end(text: str) -> None:
    ids = tokenize(TOKENIZER, [text]).ids[0].tolist()
    assert (ids.index(SOT), ids.count(SOT), ids.count(EOT)) == (0, 1, 1)
    assert set(ids[ids.index(EOT) + 1 :]) <= {0}


def test_texts_longer_than_the_context_are_cut_and_counted() -> None:
    fits, longer = " ".join(["run"] * 75), " ".join(["run"] * 76)
    tokens = tokenize(TOKENIZER, [fits, longer, "run"])
    assert tokens.truncated == (1,)
    assert torch.equal(tokens.ids[0], tokens.ids[1])


def test_the_context_is_the_tokenizers() -> None:
    tokens = tokenize(SimpleTokenizer(context_length=8), ["one two three four five six seven"])
    assert tokens.ids.shape == (1, 8)
    assert tokens.truncated == (0,)


@pytest.mark.parametrize("text", ["x" * 1_000_000, "run " * 250_000, " " * 1_000_000 + "run", "é" * 1_000_000])
def test_a_megabyte_takes_no_more_than_a_moment(text: str) -> None:
    start = time.process_time()
    tokens = tokenize(SimpleTokenizer(), [text])
    assert time.process_time() - start < 10  # open_clip by itself takes hours for one word of this length
    assert tokens.ids[0, 1] != EOT


@pytest.fixture
def hugging_face(tmp_path: Path) -> HFTokenizer:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "run", "jump", "high"]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    )
    fast.save_pretrained(tmp_path)
    return HFTokenizer(str(tmp_path), context_length=6)


def test_a_hugging_face_tokenizer_is_asked_itself(hugging_face: HFTokenizer) -> None:
    texts = ["run jump", "run jump high run", "run jump high run jump", ""]
    tokens = tokenize(hugging_face, texts)
    assert torch.equal(tokens.ids, hugging_face(texts))
    assert tokens.truncated == (2,)
    assert tokens.stripped == ()


def test_its_special_tokens_are_taken_out_of_texts_too(hugging_face: HFTokenizer) -> None:
    tokens = tokenize(hugging_face, ["run[SEP]jump", "run [S[SEP]EP] jump"])
    assert tokens.ids[0].tolist() == [1, 4, 5, 2, 0, 0]
    assert tokens.ids[1].tolist().count(2) == 1
    assert tokens.stripped == (0, 1)


def test_open_clip_gives_the_tokenizer_that_is_tested_here() -> None:
    assert type(open_clip.get_tokenizer("ViT-B-16-quickgelu")) is SimpleTokenizer
