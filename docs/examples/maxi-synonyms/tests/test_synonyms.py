from pathlib import Path

import pytest
from maxi_synonyms import Synonyms

from maxi_core import UsageError
from maxi_core.testing import contract

test_synonyms_keep_the_contract = contract(Synonyms)


def test_each_synonym_gives_one_phrase() -> None:
    assert Synonyms().expand(["throwing a ball"]) == [["tossing a ball", "hurling a ball", "pitching a ball"]]


def test_a_table_of_ones_own_replaces_the_built_in(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_text("waving: signalling, beckoning\n")
    source = Synonyms(Synonyms.Options(table=tmp_path / "table.txt", limit=1))
    assert source.expand(["waving", "throwing"]) == [["signalling"], []]


def test_a_table_that_cannot_be_read_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"cannot read the table .*table.txt: it is not UTF-8 text; name a text file"):
        Synonyms(Synonyms.Options(table=tmp_path / "table.txt")).fingerprint()
