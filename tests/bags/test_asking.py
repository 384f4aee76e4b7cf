"""The border to plugins: order, laziness, and every fault a source can have."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.bags.asking import FAULTS_IN_A_ROW, Asker
from maxi_core.bags.codecs import TEXTS_OF_ENTRY, match_codec
from maxi_core.bags.shelf import Shelf
from maxi_core.errors import MaxiError, PluginError
from maxi_core.types import Dictionary, Failed, Match, Video

Method = Callable[[Iterable[str]], Iterator[object]]


def ask(
    method: Method, folder: Path, questions: Iterable[str], *, strict: bool = False
) -> tuple[list[tuple[str, list[str] | Failed]], int]:
    """Ask all questions; return the answers, and how many questions the source was really asked."""
    with Shelf(folder, {}) as shelf:
        asker = Asker("test", method, TEXTS_OF_ENTRY, shelf, strict=strict)
        return list(asker.ask(questions)), asker.asked


def says(questions: Iterable[str]) -> Iterator[object]:
    for question in questions:
        yield [f"{question}!"]


def reads_ahead(ahead: int) -> Method:
    """Return a source that takes `ahead` questions before it gives its first answer."""

    def method(questions: Iterable[str]) -> Iterator[object]:
        held: list[str] = []
        for question in questions:
            held.append(question)
            if len(held) > ahead:
                yield [f"{held.pop(0)}!"]
        for question in held:
            yield [f"{question}!"]

    return method


names = st.lists(st.sampled_from([f"q{i}" for i in range(12)]), max_size=30)


@settings(deadline=None)  # it waits for the disk
@given(questions=names, known=names, ahead=st.integers(0, 5))
def test_answers_come_in_order_whatever_is_known_and_however_far_the_source_reads_ahead(
    questions: list[str], known: list[str], ahead: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ask(says, Path(folder), known)[0]
        answers, asked = ask(reads_ahead(ahead), Path(folder), questions)
        assert answers == [(question, [f"{question}!"]) for question in questions]
        assert asked == len(set(questions) - set(known))


def test_a_source_that_has_nothing_new_to_say_is_never_started(tmp_path: Path) -> None:
    ask(says, tmp_path, "ab")[0]

    def explodes(_: Iterable[str]) -> Iterator[object]:
        raise AssertionError("it was started")

    assert len(ask(explodes, tmp_path, "abab")[0]) == 4


def test_answers_flow_before_all_questions_are_known(tmp_path: Path) -> None:
    taken = []

    def endless() -> Iterator[str]:
        for number in range(10**9):
            taken.append(number)
            yield f"q{number}"

    with Shelf(tmp_path, {}) as shelf:
        answers = Asker("test", says, TEXTS_OF_ENTRY, shelf).ask(endless())
        assert [next(answers)[0] for _ in range(3)] == ["q0", "q1", "q2"]
    assert len(taken) <= 4


def raising_at(place: int, error: Exception) -> Method:
    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in questions:
            if question == f"q{place}":
                raise error
            yield [f"{question}!"]

    return method


QUESTIONS = [f"q{i}" for i in range(20)]


def test_a_source_that_raises_fails_that_question_and_goes_on(tmp_path: Path) -> None:
    answers = dict(ask(raising_at(3, ValueError("no luck")), tmp_path, QUESTIONS)[0])
    assert answers["q3"] == Failed("source 'test' raised ValueError: no luck")
    assert all(answers[q] == [f"{q}!"] for q in QUESTIONS if q != "q3")
    assert list(answers) == QUESTIONS


def test_a_failed_question_is_asked_again_in_the_next_run(tmp_path: Path) -> None:
    ask(raising_at(3, ValueError("no luck")), tmp_path, QUESTIONS)[0]
    answers, asked = ask(says, tmp_path, QUESTIONS)
    assert dict(answers)["q3"] == ["q3!"]
    assert asked == 1


def test_a_source_that_always_raises_is_switched_off(tmp_path: Path) -> None:
    started = []

    def method(questions: Iterable[str]) -> Iterator[object]:
        started.append(next(iter(questions)))
        raise RuntimeError("never")
        yield

    answers = ask(method, tmp_path, QUESTIONS)[0]
    assert len(started) == FAULTS_IN_A_ROW
    assert [question for question, _ in answers] == QUESTIONS
    assert all(isinstance(answer, Failed) for _, answer in answers)
    assert "was switched off after 5 faults in a row; the last: raised RuntimeError: never" in str(answers[-1][1])


def test_strict_stops_at_the_first_fault(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="source 'test' raised ValueError: no luck"):
        ask(raising_at(3, ValueError("no luck")), tmp_path, QUESTIONS, strict=True)[0]


def test_a_plugins_own_word_to_the_user_ends_the_run_and_what_was_said_is_kept(tmp_path: Path) -> None:
    with pytest.raises(MaxiError, match="the key is wrong"):
        ask(raising_at(3, MaxiError("the key is wrong")), tmp_path, QUESTIONS)[0]
    assert ask(says, tmp_path, QUESTIONS)[1] == 17


def test_an_error_of_the_questions_is_not_blamed_on_the_source(tmp_path: Path) -> None:
    def questions() -> Iterator[str]:
        yield "q0"
        raise KeyError("upstream")

    with pytest.raises(KeyError, match="upstream"):
        ask(says, tmp_path, questions())


def stops_early(questions: Iterable[str]) -> Iterator[object]:
    for number, question in enumerate(questions):
        if number % 3 == 2:
            return
        yield [f"{question}!"]


def never_takes(_: Iterable[str]) -> Iterator[object]:
    yield from ()


def too_many(questions: Iterable[str]) -> Iterator[object]:
    for question in questions:
        yield [f"{question}!"]
        yield ["and another thing"]


@pytest.mark.parametrize("method", [stops_early, never_takes])
def test_a_source_that_breaks_the_one_law_ends_and_every_question_is_answered(tmp_path: Path, method: Method) -> None:
    answers = ask(method, tmp_path, QUESTIONS)[0]
    assert [question for question, _ in answers] == QUESTIONS
    assert any(isinstance(answer, Failed) for _, answer in answers)
    assert all(answer == [f"{question}!"] or isinstance(answer, Failed) for question, answer in answers)


def test_an_answer_that_nobody_asked_for_is_warned_of_and_no_other_is_lost(tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger("maxi"), "propagate", True)
    answers = ask(too_many, tmp_path, QUESTIONS)[0]
    assert answers == [(question, [f"{question}!"]) for question in QUESTIONS]
    assert "source 'test' answered more than it was asked" in caplog.text


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (None, "answered NoneType, not a list of texts"),
        ("a string", "answered str, not a list of texts"),
        (5, "answered int, not a list of texts"),
        ((word for word in "ab"), "answered generator, not a list of texts"),
        (["a", 5], "answered a list with int in it, not texts"),
    ],
)
def test_an_answer_of_the_wrong_type_is_refused_with_the_sources_name(tmp_path: Path, answer, line) -> None:
    def method(questions: Iterable[str]) -> Iterator[object]:
        for question in questions:
            yield answer if question == "q1" else [f"{question}!"]

    answers = dict(ask(method, tmp_path, QUESTIONS[:3])[0])
    assert answers["q1"] == Failed(f"source 'test' {line}")
    assert answers["q2"] == ["q2!"]


def test_an_answer_that_cannot_be_kept_fails_that_question_only(tmp_path: Path) -> None:
    def method(videos: Iterable[Video]) -> Iterator[object]:
        for video in videos:
            yield Match(video, "waving", 0.5, None) if video.id == "v1" else Match(video, "waving", np.float32(0.5))

    videos = [Video(f"v{i}", Path(f"v{i}")) for i in range(4)]
    with Shelf(tmp_path, {}) as shelf:
        answers = list(Asker("test", method, match_codec(Dictionary("d", ("waving",))), shelf).ask(videos))
    assert [video for video, _ in answers] == videos
    assert [isinstance(answer, Failed) for _, answer in answers] == [False, True, False, False]
    assert type(answers[0][1].score) is float


def test_answers_are_tidied_and_capped(tmp_path: Path) -> None:
    def method(questions: Iterable[str]) -> Iterator[object]:
        for _ in questions:
            yield [" padded \n", "", "\x00", "\ud800", "x" * 10**6, *["more"] * 10_000]

    ((_, answer),) = ask(method, tmp_path, ["q"])[0]
    assert answer[0] == "padded"
    assert len(answer[1]) == 1000
    assert len(answer) <= 1000
    assert all(isinstance(text, str) and text for text in answer)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Match(Video("v", Path("v")), "sleeping", 0.5), "'sleeping', which is not in the dictionary"),
        (Match(Video("w", Path("w")), "waving", 0.5), "with the match of another video (w)"),
        (Match(Video("v", Path("v")), "waving", float("nan")), "with the score nan"),
        (["waving"], "answered list, not a Match"),
    ],
)
def test_a_match_must_be_of_the_video_and_in_the_dictionary(answer, line) -> None:
    codec = match_codec(Dictionary("d", ("waving",)))
    with pytest.raises(ValueError, match=line.replace("(", r"\(").replace(")", r"\)")):
        codec.check(Video("v", Path("v")), answer)
