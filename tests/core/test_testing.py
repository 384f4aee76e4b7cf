"""The contract kit: sound plugins pass every check, and each faulty one is caught by the check meant for it."""

import importlib
import os
from pathlib import Path

import pytest

from maxi_core.conformance import Subject
from maxi_core.options import Configured
from maxi_core.testing import checks_for, contract
from tests.core import mutants, samples

test_a_sound_expander_passes = contract(samples.Echo)
test_a_sound_expander_with_options_passes = contract(lambda: samples.Echo(samples.Echo.Options(limit=1, words=("x",))))
test_a_sound_expander_with_a_relative_path_passes = contract(
    lambda: samples.Tabled(samples.Tabled.Options(table=Path(os.path.relpath(samples.__file__)), log=Path("some/log")))
)
test_a_sound_captioner_passes = contract(samples.Scribbles)
test_a_sound_augmenter_passes = contract(samples.Words)
test_a_sound_matcher_passes = contract(samples.First)
test_a_sound_matcher_with_all_its_entries_passes = contract(samples.Ranked)
test_a_sound_injector_passes = contract(samples.More)
test_a_sound_temporal_module_passes = contract(samples.Average)
test_a_sound_temporal_module_with_weights_passes = contract(samples.Weighs)
test_an_expander_with_questions_of_its_own_passes = contract(samples.Echo, questions=["waving", "bowing"])


@pytest.mark.parametrize(
    ("mutant", "sentence"), mutants.MUTANTS.items(), ids=[mutant.__name__ for mutant in mutants.MUTANTS]
)
def test_each_fault_is_caught_by_the_check_meant_for_it(
    mutant: type[Configured], sentence: str, tmp_path: Path
) -> None:
    assert mutants.complaint(mutant, sentence, tmp_path)


def test_every_check_but_the_import_has_a_mutant_of_its_own() -> None:
    """A check that no fault is meant for has not been shown to see anything; the import has the test below."""
    roles = ("expander", "captioner", "matcher", "augmenter", "injector", "temporal")
    sentences = {sentence for role in roles for sentence in checks_for(role)}
    assert sentences - set(mutants.MUTANTS.values()) == {"it is light to import"}


def test_the_table_of_mutants_names_what_caught_each(tmp_path: Path) -> None:
    shown = mutants.table(list(mutants.MUTANTS)[:2])
    assert "| drops what it has heard before | it gives one answer per question, in order | 4 questions got" in shown
    assert "NOT CAUGHT" not in shown


def test_a_module_that_imports_torch_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (Path(samples.__file__)).read_text()
    (tmp_path / "eager_samples.py").write_text("import torch\n" + source)
    monkeypatch.syspath_prepend(tmp_path)
    eager = importlib.import_module("eager_samples")
    with pytest.raises(AssertionError, match="importing its module imports torch"):
        checks_for("expander")["it is light to import"](Subject(eager.Echo, ["waving"], tmp_path))


def test_a_class_that_no_other_process_can_find_is_named(tmp_path: Path) -> None:
    class Local(samples.Echo):
        pass

    with pytest.raises(AssertionError, match="must stand at the top of a module"):
        checks_for("expander")["it is light to import"](Subject(Local, ["waving"], tmp_path))
