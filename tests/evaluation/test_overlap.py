"""The groups of classes by the verbs of the training dictionary, against the supplement's."""

import pytest

from maxi_core.dictionaries import read_dictionary
from maxi_core.evaluation.overlap import groups_of

SUPPLEMENT = {
    "clap": "in-dictionary",
    "kick ball": "in-dictionary",
    "wave": "novel",
    "chew": "novel",
    "catch": "general",
    "hit": "general",
    "jump": "general",
    "run": "general",
}


def test_the_groups_of_the_supplement_come_out_against_kinetics_400() -> None:
    entries = read_dictionary("kinetics400").entries
    assert dict(zip(SUPPLEMENT, groups_of(list(SUPPLEMENT), entries), strict=True)) == SUPPLEMENT


@pytest.mark.parametrize(
    ("name", "entries", "group"),
    [
        ("wave", ["waves"], "in-dictionary"),
        ("wave", ["waving hand"], "general"),
        ("waving hand", ["wave"], "in-dictionary"),
        ("lie", ["lying on a bed"], "general"),
        ("run", ["running"], "in-dictionary"),
        ("tie knot", ["tying shoes"], "in-dictionary"),
        ("catching or throwing frisbee", ["throw ball"], "in-dictionary"),
        ("kiss", ["kissing"], "in-dictionary"),
        ("sing", ["king dancing"], "novel"),
        ("PizzaTossing", ["tossing a coin"], "in-dictionary"),
        ("sit", ["setting a table"], "novel"),
        ("run", [], "novel"),
    ],
)
def test_a_class_meets_entries_with_any_form_of_its_verb(name: str, entries: list[str], group: str) -> None:
    assert groups_of([name], entries) == (group,)
