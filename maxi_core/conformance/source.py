"""What every expander, captioner, matcher and augmenter keeps: many in, as many out, in order, never an exception."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from typing import Any, get_args

from maxi_core.conformance import Subject
from maxi_core.conformance.questions import DICTIONARY, HOSTILE_TEXTS, unreadable
from maxi_core.options import Configured
from maxi_core.sources import Augmenter, Captioner, Expander, Matcher
from maxi_core.types import Failed, Form, FormKind, Match, Video

ENOUGH = 1000  # questions by which the first answer must have come; a batch may be large, but it has an end


class _HeardAllError(Exception):
    """The source has taken every question of the stream and given no answer."""


def ask(source: Configured, questions: Iterable[Any]) -> Iterator[Any]:
    """Ask a source through the method of its role."""
    if isinstance(source, Expander):
        return source.expand(questions)
    if isinstance(source, Captioner):
        return source.caption(questions)
    if isinstance(source, Augmenter):
        return source.augment(questions)
    assert isinstance(source, Matcher), f"{type(source).__name__} has none of the roles that are asked questions"
    return source.match(questions, DICTIONARY)


def _answers(subject: Subject, questions: Iterable[Any]) -> list[Any]:
    questions = list(questions)
    answers = list(ask(subject.make(), iter(questions)))
    assert len(answers) == len(questions), f"{len(questions)} questions got {len(answers)} answers"
    return answers


def one_answer_per_question(subject: Subject) -> None:
    """As many answers as questions, and asked backwards they come backwards."""
    forwards = _answers(subject, subject.questions)
    backwards = _answers(subject, list(subject.questions)[::-1])
    assert backwards[::-1] == forwards, f"asked backwards it says {backwards}, forwards {forwards}"


def same_twice(subject: Subject) -> None:
    """What is asked again, of a new instance, gets the same answer: an answer is kept and never asked again."""
    first, second = _answers(subject, subject.questions), _answers(subject, subject.questions)
    assert first == second, f"first {first}, then {second}"


def each_by_itself(subject: Subject) -> None:
    """An answer does not depend on what else is asked, since answers are kept one by one."""
    together = _answers(subject, subject.questions)
    alone = [_answers(subject, [question])[0] for question in subject.questions]
    assert alone == together, f"one by one it says {alone}, together {together}"


def nothing_of_nothing(subject: Subject) -> None:
    """No questions, no answers."""
    assert _answers(subject, []) == []


def answers_while_it_is_asked(subject: Subject) -> None:
    """The first answer comes before the stream has ended: it may read a batch ahead, and not a million questions."""
    questions = islice(cycle(subject.questions), ENOUGH)

    def stream() -> Iterator[Any]:
        yield from questions
        raise _HeardAllError  # an end would let it answer all of them

    answered = False
    try:
        answers = iter(ask(subject.make(), stream()))
        next(answers)
        answered = next(questions, None) is not None
        if hasattr(answers, "close"):
            answers.close()
    except _HeardAllError:
        pass
    assert answered, f"it took {ENOUGH} questions before its first answer: yield answers as the questions come"


def right_type(subject: Subject) -> None:
    """Each answer is what the role promises, with texts that are stripped and not empty."""
    source = subject.make()
    for question, answer in zip(subject.questions, _answers(subject, subject.questions), strict=True):
        if isinstance(answer, Failed):
            assert answer.reason.strip(), f"of {question!r} it says Failed without a reason"
        elif isinstance(source, Matcher):
            _check_match(question, answer)
        else:
            assert isinstance(answer, list), f"of {question!r} it says {answer!r}, which is not a list"
            for item in answer:
                _check_form(item) if isinstance(source, Augmenter) else _check_text(item)
    assert any(not isinstance(a, Failed) for a in _answers(subject, subject.questions)), "it can answer nothing at all"


def _check_text(item: object) -> None:
    assert isinstance(item, str), f"{item!r} is not a string"
    assert item, "an empty string is no text"
    assert item == item.strip(), f"{item!r} is not stripped"
    assert "\n" not in item, f"{item!r} is more than one line"


def _check_form(item: object) -> None:
    assert isinstance(item, Form), f"{item!r} is not a Form"
    assert item.kind in get_args(FormKind), f"{item!r} is of no known kind"
    _check_text(item.text)
    _check_text(item.lemma)


def _check_match(video: Video, answer: object) -> None:
    assert isinstance(answer, Match), f"{answer!r} is not a Match"
    assert answer.video == video, f"the match of {video.id} speaks of {answer.video.id}"
    assert answer.entry in DICTIONARY.entries, f"{answer.entry!r} is not in the dictionary"
    _check_score(answer.score)
    for entry, score in answer.top:
        assert entry in DICTIONARY.entries, f"{entry!r} of `top` is not in the dictionary"
        _check_score(score)
    if answer.top:
        scores = [score for _, score in answer.top]
        assert scores == sorted(scores, reverse=True), f"`top` is not in order: {scores}"
        best = (answer.entry, answer.score)
        assert answer.top[0] == best, f"`top` begins with {answer.top[0]}, and the match is {best}"


def _check_score(score: object) -> None:
    kind = type(score).__name__
    assert isinstance(score, float), f"the score {score!r} is a {kind}, which JSON cannot say: write float(score)"
    assert math.isfinite(score), f"the score {score} is not finite"


def failures_as_failed(subject: Subject) -> None:
    """An item that cannot be answered is Failed in its place; the others are answered as if it were not there."""
    source = subject.make()
    odd = [unreadable(subject.folder)] if isinstance(source, (Matcher, Captioner)) else list(HOSTILE_TEXTS)
    middle = len(subject.questions) // 2
    mixed = [*subject.questions[:middle], *odd, *subject.questions[middle:]]
    answers = _answers(subject, mixed)
    said = answers[middle : middle + len(odd)]
    if isinstance(source, (Matcher, Captioner)):
        assert isinstance(said[0], Failed), f"of a file that is no video it says {said[0]!r}, not Failed"
        assert said[0].reason.strip(), "Failed has no reason"
    for answer in said:
        assert isinstance(answer, (list, Failed)), f"of a hostile text it says {answer!r}"
    others = answers[:middle] + answers[middle + len(odd) :]
    assert others == _answers(subject, subject.questions), "an item that failed changed the answers to the others"


SOURCE: dict[str, Callable[[Subject], None]] = {
    "it gives one answer per question, in order": one_answer_per_question,
    "it says the same twice": same_twice,
    "it answers each question by itself": each_by_itself,
    "it has nothing to say of nothing": nothing_of_nothing,
    "it answers while it is asked": answers_while_it_is_asked,
    "its answers are of the right type, stripped and not empty": right_type,
    "it says Failed for what it cannot answer, and goes on": failures_as_failed,
}
