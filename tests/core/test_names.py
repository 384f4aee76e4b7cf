"""One rule for the spelling of names, for bags, predictions and evaluations."""

import logging

import pytest

from maxi_core.dictionaries import spelt
from maxi_core.errors import UsageError
from maxi_core.texts import spell
from maxi_core.types import Dictionary


@pytest.mark.parametrize(
    ("written", "spaced"),
    [
        (
            ["ApplyEyeMakeup", "YoYo", "Archery", "BMX", "TVShow"],
            ["apply eye makeup", "yo yo", "archery", "BMX", "TV show"],
        ),
        (["armWrestling", "brush_hair"], ["arm wrestling", "brush hair"]),
        (["brush_hair", "Archery"], ["brush hair", "Archery"]),
        (["adult+female+singing", "1 + 1"], ["adult female singing", "1 + 1"]),
        (["apply-eye-makeup", "arm-wrestling", "archery"], ["apply eye makeup", "arm wrestling", "archery"]),
        (["push-up", "running", "jumping"], ["push-up", "running", "jumping"]),
        (["rock-paper-scissors", "making a fist"], ["rock-paper-scissors", "making a fist"]),
        (["using an iPhone", "on TV", "DJing"], ["using an iPhone", "on TV", "DJing"]),
        (["Pushing [something] off [the table]", "[b]bold"], ["Pushing something off the table", "[b]bold"]),
        (["tying knot (not on a tie)", "door/window"], ["tying knot (not on a tie)", "door/window"]),
    ],
)
def test_names_are_spelt_as_written_or_with_their_words_apart(written: list[str], spaced: list[str]) -> None:
    assert list(spell(written, "written")) == written
    assert list(spell(written, "spaced")) == spaced


def test_which_names_are_taken_apart_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="maxi"):
        dictionary = spelt(Dictionary("a.txt", ("ApplyEyeMakeup", "high_jump", "playing chess")), "spaced")
    assert dictionary.entries == ("apply eye makeup", "high jump", "playing chess")
    assert caplog.messages == [
        "dictionary a.txt: 2 of 3 names are matched with their words apart, such as 'apply eye makeup' for "
        "'ApplyEyeMakeup' (--names written leaves them as they are)"
    ]


def test_names_that_need_nothing_are_the_same_dictionary_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    dictionary = Dictionary("a.txt", ("playing chess", "push-up", "Archery"))
    with caplog.at_level(logging.WARNING, logger="maxi"):
        assert spelt(dictionary, "spaced") is dictionary
        camel = Dictionary("a.txt", ("ApplyEyeMakeup",))
        assert spelt(camel, "written") is camel
    assert caplog.messages == []


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(
        UsageError, match="'high_jump' and 'HighJump' are one name with their words apart; --names writ"
    ):
        spelt(Dictionary("a.txt", ("high_jump", "running", "HighJump")), "spaced")
