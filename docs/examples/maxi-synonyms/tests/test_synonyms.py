from maxi_synonyms import Synonyms

from maxi_core.testing import contract

test_synonyms_keep_the_contract = contract(Synonyms)


def test_each_synonym_gives_one_phrase() -> None:
    assert list(Synonyms().expand(["throwing a ball"])) == [["tossing a ball", "hurling a ball", "pitching a ball"]]
