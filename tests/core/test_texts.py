"""Any text at all becomes one that is fit to be read, or nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxi_core.bags.codecs import FORMS_OF_TEXT, TEXTS_OF_ENTRY
from maxi_core.texts import LONGEST, counted, tidy
from maxi_core.types import Form

anything = st.text(st.characters())  # lone surrogates included


@given(anything)
def test_a_tidied_text_is_one_stripped_line_in_nfc_that_can_be_written(text: str) -> None:
    tidied = tidy(text)
    assert tidied == unicodedata.normalize("NFC", tidied).strip()
    assert len(tidied.splitlines()) <= 1
    assert "\x00" not in tidied
    tidied.encode("utf-8")


@given(anything)
def test_tidying_twice_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200d\ufeff", "\x00\x07", "\ud800", "\u00a0\u2028", "\u202e"])
def test_a_text_that_shows_nothing_is_empty(text: str) -> None:
    assert tidy(text) == ""


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("  riding\n a\tbike ", "riding a bike"),
        ("run\x00ning\x1b[31m", "run ning [31m"),
        ("\ufefflifting", "lifting"),
        ("a \ud83d lone", "a lone"),
        ("👨\u200d👩\u200d👧 waving", "👨\u200d👩\u200d👧 waving"),
        ("لعب الكرة", "لعب الكرة"),
    ],
)
def test_what_a_person_reads_stays(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


def test_a_text_of_a_megabyte_is_cut() -> None:
    assert len(tidy("run " * 250_000)) == LONGEST - 1  # the cut falls on a space


@pytest.mark.parametrize("text", [",", "...", "- -", "\N{WAVING HAND SIGN}", " \u200b, "])
def test_a_text_without_a_letter_or_digit_is_no_answer_of_a_source(text: str) -> None:
    assert TEXTS_OF_ENTRY.check("waving", [text, "a, b", "\u5857\u308b"]) == ["a, b", "\u5857\u308b"]
    assert FORMS_OF_TEXT.check("waving", [Form(text, "verb", text)]) == []


@pytest.mark.parametrize(
    ("count", "noun", "verb", "said"),
    [
        (1, "video", "", "1 video"), (0, "video", "", "0 videos"), (2, "class", "", "2 classes"),
        (2, "batch", "", "2 batches"), (2, "entry", "", "2 entries"), (1, "entry", "match", "1 entry matches"),
        (2, "entry", "match", "2 entries match"), (1, "bag", "are", "1 bag is"), (1, "video", "have", "1 video has"),
        (3, "labelled video", "are", "3 labelled videos are"), (2, "box", "", "2 boxes"), (3, "epoch", "", "3 epochs"),
    ],
)  # fmt: skip
def test_a_count_stands_before_its_noun_in_the_right_number(count: int, noun: str, verb: str, said: str) -> None:
    assert counted(count, noun, verb) == said
