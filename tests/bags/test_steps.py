"""No answer is ever kept for another question, however a source reads ahead, leaves out, or dies."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.bags import queue as steps
from maxi_core.bags.asking import Asker
from maxi_core.bags.codecs import TEXTS_OF_ENTRY, match_codec, text_key
from maxi_core.bags.shelf import Shelf
from maxi_core.errors import PluginError
from maxi_core.types import Dictionary, Failed, Match, TextsOf, Video

Method = Callable[[Iterable[str]], Iterator[object]]
QUESTIONS = [f"q{i}" for i in range(20)]


def ask(method: Method, folder: Path, *, costly: bool = False) -> list[tuple[str, list[str] | Failed]]:
    with Shelf(folder, {}, costly=costly) as shelf:
        return list(Asker("test", method, TEXTS_OF_ENTRY, shelf).ask(QUESTIONS))


def kept(folder: Path) -> dict[str, object]:
    """Return what another run would find."""
    with Shelf(folder, {}) as shelf:
        return {question: shelf.get(text_key(question)) for question in QUESTIONS if text_key(question) in shelf}


def right(answers: dict[str, object]) -> bool:
    return all(answer == [f"{question}!"] for question, answer in answers.items())


def source(ahead: int, batch: int, missing: frozenset[str], dies_at: str | None = None) -> Method:
    """Return a source that takes `batch` questions at once and `ahead` more, and leaves out those in `missing`."""

    def method(questions: Iterable[str]) -> Iterator[object]:
        rest, held = iter(questions), []
        while group := list(islice(rest, batch)):
            held += group
            while len(held) > ahead:
                yield from answer(held.pop(0))
        for question in held:
            yield from answer(question)

    def answer(question: str) -> Iterator[object]:
        if question == dies_at:
            raise ValueError("no luck")
        if question not in missing:
            yield [f"{question}!"]

    return method


@settings(deadline=None)  # it waits for the disk
@given(st.integers(0, 7), st.integers(1, 7), st.frozensets(st.sampled_from(QUESTIONS), max_size=3), st.integers(0, 20))
def test_whatever_is_left_out_and_wherever_the_run_is_stopped_only_right_answers_are_kept(
    ahead: int, batch: int, missing: frozenset[str], stop: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder, seen, complaint = Path(name), [], ""
        with Shelf(folder, {}) as shelf:
            answers = Asker("test", source(ahead, batch, missing), TEXTS_OF_ENTRY, shelf).ask(QUESTIONS)
            try:
                seen = [(question, answer) for question, answer in islice(answers, stop)]
            except PluginError as error:
                complaint = str(error)
        assert not complaint or (missing and complaint.startswith("source 'test' took ") and name in complaint)
        assert right(kept(folder))
        assert right({question: answer for question, answer in seen if not isinstance(answer, Failed)})
        assert not missing & kept(folder).keys()


@pytest.mark.parametrize(("ahead", "batch"), [(0, 1), (3, 1), (0, 4), (5, 3)])
def test_an_answer_left_out_ends_the_run_with_the_name_of_the_source_and_the_place_in_the_store(
    tmp_path: Path, ahead: int, batch: int
) -> None:
    with pytest.raises(PluginError, match=r"source 'test' took \d+ questions and gave \d+ answers") as caught:
        ask(source(ahead, batch, frozenset({"q9"})), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "--without test" in str(caught.value)
    assert right(kept(tmp_path))
    if ahead == 0:
        assert len(kept(tmp_path)) == 9 // batch * batch


def test_an_answer_too_many_among_others_ends_the_run_and_none_of_them_is_kept(tmp_path: Path) -> None:
    def method(questions: Iterable[str]) -> Iterator[object]:
        rest = iter(questions)
        while group := list(islice(rest, 4)):
            for question in group:
                yield [f"{question}!"]
                if question == "q5":
                    yield ["and another thing"]

    with pytest.raises(PluginError, match="took 4 questions and gave 5 answers"):
        ask(method, tmp_path)
    assert kept(tmp_path) == {question: [f"{question}!"] for question in QUESTIONS[:4]}


def test_an_answer_is_on_the_disk_before_the_next_question_is_asked(tmp_path: Path) -> None:
    found = []

    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in questions:
            found.append(len(kept(tmp_path)))
            yield [f"{question}!"]

    ask(method, tmp_path, costly=True)
    assert found == list(range(20))


def test_an_answer_that_names_its_question_is_kept_at_once_however_far_its_source_reads_ahead(tmp_path: Path) -> None:
    found = []

    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in list(questions):
            found.append(len(kept(tmp_path)))
            yield TextsOf(question, [f"{question}!"])

    assert ask(method, tmp_path) == [(question, [f"{question}!"]) for question in QUESTIONS]
    assert found == list(range(20))


@pytest.mark.parametrize("missing", ["q0", "q9"])
def test_an_answer_that_names_another_question_ends_the_run_at_once(tmp_path: Path, missing: str) -> None:
    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in list(questions):
            if question != missing:
                yield TextsOf(question, [f"{question}!"])

    with pytest.raises(PluginError, match=f"was asked of '{missing}' and answered of 'q{int(missing[1:]) + 1}'"):
        ask(method, tmp_path)
    assert set(kept(tmp_path)) == set(QUESTIONS[: int(missing[1:])])


def test_a_match_left_out_ends_the_run_though_the_videos_are_read_ahead(tmp_path: Path) -> None:
    videos = [Video(f"v{i}", Path(f"v{i}")) for i in range(9)]

    def method(asked: Iterable[Video]) -> Iterator[object]:
        for video in list(asked):
            if video.id != "v4":
                yield Match(video, "waving", 0.5)

    with Shelf(tmp_path, {}) as shelf:
        asker = Asker("test", method, match_codec(Dictionary("d", ("waving",))), shelf)
        with pytest.raises(PluginError, match="was asked of 'v4' and answered of 'v5'"):
            list(asker.ask(videos))
        assert [asker.known(video) for video in videos] == [True] * 4 + [False] * 5


def test_of_costly_answers_few_are_at_stake_though_a_source_reads_everything_first(tmp_path: Path) -> None:
    taken: list[int] = []

    def method(questions: Iterable[str]) -> Iterator[object]:
        group = list(questions)
        taken.append(len(group))
        yield from ([f"{question}!"] for question in group)

    many = [f"q{i}" for i in range(100)]
    with Shelf(tmp_path, {}, costly=True) as shelf:
        answers = list(Asker("test", method, TEXTS_OF_ENTRY, shelf).ask(many))
    assert answers == [(question, [f"{question}!"]) for question in many]
    assert taken == [32, 32, 32, 4]


def test_a_source_that_is_never_in_step_is_brought_into_step_after_a_while(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "ROUND", 0.0)
    streams = []

    def method(questions: Iterable[str]) -> Iterator[object]:
        streams.append(len(kept(tmp_path)))
        yield from source(3, 1, frozenset())(questions)

    assert right(dict(ask(method, tmp_path)))
    assert streams == [0, 4, 8, 12, 16]


def test_a_source_that_raises_over_a_batch_fails_the_question_at_fault_and_no_other(tmp_path: Path) -> None:
    answers = dict(ask(source(0, 8, frozenset(), dies_at="q10"), tmp_path))
    assert answers.pop("q10") == Failed("source 'test' raised ValueError: no luck")
    assert right(answers)
    assert len(answers) == 19
    assert set(kept(tmp_path)) == set(answers)


def test_a_source_that_falls_after_its_last_answer_loses_none(tmp_path: Path) -> None:
    def method(questions: Iterable[str]) -> Iterator[object]:
        yield [f"{next(iter(questions))}!"]
        raise ValueError("over and out")

    answers = dict(ask(method, tmp_path))
    assert right({question: answer for question, answer in answers.items() if not isinstance(answer, Failed)})
    assert right(kept(tmp_path))
    assert list(answers) == QUESTIONS


def test_a_reason_that_is_no_text_becomes_one_line(tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    reasons = {"q0": 5, "q1": "two\nlines", "q2": None, "q3": Odd(), "q4": "x" * 10_000}

    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in questions:
            yield Failed(reasons[question]) if question in reasons else [f"{question}!"]

    said = [answer.reason for _, answer in ask(method, tmp_path)[:5]]
    assert said[:4] == ["5", "two lines", "None", "its reason cannot be read (RuntimeError)"]
    assert len(said[4]) == 1000


def test_a_kept_answer_that_is_lost_while_it_is_needed_is_one_line(tmp_path: Path) -> None:
    from maxi_core.errors import MaxiError

    ask(source(0, 1, frozenset()), tmp_path)
    with Shelf(tmp_path, {}) as shelf:
        asker = Asker("test", source(0, 1, frozenset()), TEXTS_OF_ENTRY, shelf)
        next(tmp_path.glob("*.jsonl")).unlink()
        with pytest.raises(MaxiError, match="the store lost what 'test' had answered: .*; run the same command again"):
            list(asker.ask(QUESTIONS))
