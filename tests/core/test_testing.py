"""The contract kit: sound plugins pass every check, and each faulty one is caught by the check meant for it."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from maxi_core import Failed, Match, Sampling
from maxi_core.settings.options import Configured
from maxi_core.testing import clip, contract
from maxi_core.testing.contract import checks_for
from maxi_core.testing.subject import LARGEST, NotCheckedError, Subject, clip_of, clips, questions_for, same, shown
from tests.core import mutants, samples
from tests.core.faulty import MUTANTS, UNSEEN
from tests.kit import in_this_process

ROLES = ("expander", "captioner", "matcher", "augmenter", "filter", "injector", "temporal", "objective", "engine")

test_a_sound_expander_passes = contract(samples.Echo)
test_a_sound_expander_with_options_passes = in_this_process(
    contract(lambda: samples.Echo(samples.Echo.Options(limit=1, words=("x",))))
)
test_a_sound_expander_with_a_relative_path_passes = in_this_process(
    contract(
        lambda: samples.Tabled(
            samples.Tabled.Options(table=Path(os.path.relpath(samples.__file__)), log=Path("some/log"))
        )
    )
)
test_a_sound_expander_of_many_threads_passes = in_this_process(contract(samples.Pool))
test_an_expander_with_questions_of_its_own_passes = in_this_process(
    contract(samples.Echo, questions=["waving", "bowing"])
)
test_a_sound_captioner_passes = contract(samples.Scribbles)
test_a_sound_captioner_that_reads_files_passes = in_this_process(contract(samples.Sizes))
test_a_sound_augmenter_passes = contract(samples.Words)
test_a_sound_filter_passes = contract(samples.Short)
test_a_sound_filter_that_looks_at_videos_passes = contract(samples.Bright)
test_a_sound_matcher_passes = contract(samples.First)
test_a_sound_matcher_with_all_its_entries_passes = in_this_process(contract(samples.Ranked))
test_a_sound_injector_passes = contract(samples.More)
test_a_sound_injector_that_draws_passes = in_this_process(contract(samples.Drawn))
test_a_sound_temporal_module_passes = contract(samples.Average)
test_a_sound_temporal_module_with_weights_passes = in_this_process(contract(samples.Weighs))
test_a_sound_temporal_module_that_changes_the_encoder_passes = in_this_process(contract(samples.Blends))
test_a_sound_objective_passes = contract(samples.Tells)
test_a_sound_objective_with_a_teacher_and_a_head_passes = in_this_process(contract(samples.Holds))
test_a_sound_engine_without_workers_passes = in_this_process(contract(samples.Here))
test_a_sound_engine_with_a_worker_passes = pytest.mark.long(contract(samples.Beside))


@pytest.mark.parametrize(("mutant", "sentence"), MUTANTS.items(), ids=[mutant.__qualname__ for mutant in MUTANTS])
def test_each_fault_is_caught_by_the_check_meant_for_it(
    mutant: type[Configured], sentence: str, tmp_path: Path
) -> None:
    assert mutants.complaint(mutant, sentence, tmp_path)


@pytest.mark.parametrize("mutant", UNSEEN, ids=[mutant.__qualname__ for mutant in UNSEEN])
def test_what_no_kit_can_see_is_seen_by_no_check_and_has_a_reason(mutant: type[Configured]) -> None:
    assert {sentence: text for sentence, text in mutants.complaints(mutant).items() if text} == {}
    assert UNSEEN[mutant]


def test_of_all_faults_at_least_95_in_100_are_caught() -> None:
    assert len(MUTANTS) >= 80
    assert len(MUTANTS) >= 0.95 * (len(MUTANTS) + len(UNSEEN))
    faults = [mutants.fault(mutant) for mutant in (*MUTANTS, *UNSEEN)]
    assert all(faults)


def test_every_check_but_the_import_has_a_mutant_of_its_own() -> None:
    """A check that no fault is meant for has not been shown to see anything; the import has the test below."""
    sentences = {sentence for role in ROLES for sentence in checks_for(role)}
    assert sentences - set(MUTANTS.values()) == {"it is light to import"}
    assert set(MUTANTS.values()) - sentences == set()


def test_a_line_of_the_table_says_what_caught_a_mutant() -> None:
    line = mutants.row(next(iter(MUTANTS)))
    assert "| leaves out the second item of a batch | it gives a list of one answer for each item | asked a b" in line
    assert "NOT CAUGHT" not in line
    assert mutants.row(next(iter(UNSEEN))).endswith("| no kit can: whether an answer is true only a person knows | 0 |")


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

    for sentence in ("it is light to import", "it says the same in another process"):
        with pytest.raises(AssertionError, match="must stand at the top of a module"):
            checks_for("expander")[sentence](Subject(Local, ["waving", "bowing"], tmp_path))


def test_what_cannot_be_seen_is_not_checked_and_says_what_to_give(tmp_path: Path) -> None:
    check = checks_for("expander")["each answer is at the place of its item"]
    with pytest.raises(NotCheckedError, match=r"says the same of all that the kit asks.*contract\(make, questions="):
        check(Subject(samples.Echo, ["waving"], tmp_path))


def test_the_kit_asks_different_things_in_batches_up_to_17_also_of_few_questions(tmp_path: Path) -> None:
    for role in ("expander", "augmenter", "captioner", "filter"):
        questions = questions_for(role)
        assert len(set(questions)) == len(questions) > LARGEST
    few = Subject(samples.Echo, ["waving", "bowing"], tmp_path)
    assert few.batch(5) == ["waving", "bowing", "waving", "bowing", "waving"]


def test_the_clips_of_the_kit_are_written_once_and_differ_in_name_shape_and_content() -> None:
    assert clips() is clips()
    names = [video.path.name for video in clips()]
    assert len(set(names)) < len(names)  # one name in two folders
    wanted = Sampling("uniform", 4)
    assert len({clip_of(video, wanted).frames.shape for video in clips()}) == 3
    assert len({clip_of(video, wanted).frames.tobytes() for video in clips()}) == len(clips())


def test_each_clip_has_frames_of_its_own(tmp_path: Path) -> None:
    video, wanted = clip(tmp_path / "a.mp4", shade=20), Sampling("middles", 2)
    clip_of(video, wanted).frames[:] = 7
    assert clip_of(video, wanted).frames.max() > 7
    assert clip_of(video, None).frames.shape == (0, 0, 0, 3)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (Failed("at 7:01"), Failed("at 7:02"), True),
        (Failed("no"), ["a"], False),
        (("a", 0.5), ("a", 0.50001), True),
        (("a", 0.5), ("a", 0.51), False),
        (("a", 0.5), ("b", 0.5), False),
        (("a", 0.5, ("a", 0.5), ("b", 0.49999)), ("b", 0.5, ("b", 0.5), ("a", 0.49999)), True),
        (("a", 0.5, ("a", 0.5), ("b", 0.4)), ("b", 0.5, ("b", 0.5), ("a", 0.4)), False),
        (("a", 0.5, ("a", 0.5), ("b", 0.4)), ("a", 0.5, ("a", 0.5), ("c", 0.4)), False),
        (("a", 0.5, ("a", 0.5)), ("a", 0.5), False),
    ],
)
def test_answers_are_the_same_up_to_rounding_and_to_ties_that_it_decides(one: Any, other: Any, alike: bool) -> None:
    def answer(value: Any) -> Any:
        return Match(clips()[0], *value[:2], tuple(value[2:])) if isinstance(value, tuple) else value

    assert same(answer(one), answer(other)) is alike


def test_what_a_message_shows_is_one_short_line() -> None:
    assert shown(["a\nb"]) == "['a\\nb']"
    assert shown("\ud800") == "'\\ud800'"
    assert len(shown("x" * 1000)) < 250
