"""The contract kit: sound plugins pass every check, and each faulty one is caught by the check meant for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_core.conformance import Subject
from maxi_core.conformance.questions import questions_for
from maxi_core.options import Configured
from maxi_core.testing import checks_for, contract
from tests.core import samples

test_a_sound_expander_passes = contract(samples.Echo)
test_a_sound_expander_with_options_passes = contract(lambda: samples.Echo(samples.Echo.Options(limit=1, words=("x",))))
test_a_sound_captioner_passes = contract(samples.Scribbles)
test_a_sound_augmenter_passes = contract(samples.Words)
test_a_sound_matcher_passes = contract(samples.First)
test_a_sound_injector_passes = contract(samples.More)
test_a_sound_temporal_module_passes = contract(samples.Average)
test_an_expander_with_questions_of_its_own_passes = contract(samples.Echo, questions=["waving", "bowing"])

ORDER = "it gives one answer per question, in order"
TYPE = "its answers are of the right type, stripped and not empty"
FAILED = "it says Failed for what it cannot answer, and goes on"
MUTANTS = {
    samples.Recounts: ORDER,
    samples.Sorts: ORDER,
    samples.Forgets: "it says the same twice",
    samples.Gossips: "it answers each question by itself",
    samples.Chats: "it has nothing to say of nothing",
    samples.Speaks: TYPE,
    samples.Spaces: TYPE,
    samples.Mumbles: TYPE,
    samples.Shrugs: TYPE,
    samples.GivesUp: TYPE,
    samples.Adverbs: TYPE,
    samples.Invents: TYPE,
    samples.Doubts: TYPE,
    samples.Throws: FAILED,
    samples.Blind: FAILED,
    samples.Trips: FAILED,
    samples.Loads: "it is light to make",
    samples.Insists: "its options survive a recipe",
    samples.Undocumented: "its options are documented",
    samples.Repeats: "it gives a dictionary of unique, stripped entries",
    samples.Hides: "a dictionary that it changed has another name",
    samples.Flattens: "frame features become one video feature",
    samples.Detaches: "gradients reach every weight and are finite",
    samples.Renames: "the stock weights still load",
}


@pytest.mark.parametrize(("mutant", "sentence"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS])
def test_each_fault_is_caught_by_the_check_meant_for_it(
    mutant: Callable[[], Configured], sentence: str, tmp_path: Path
) -> None:
    role = mutant().role
    subject = Subject(mutant, questions_for(role, tmp_path), tmp_path)
    caught = pytest.raises((AssertionError, ValueError, RuntimeError))
    with caught as error:
        checks_for(role)[sentence](subject)
    assert str(error.value)


def test_a_module_that_imports_torch_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

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
