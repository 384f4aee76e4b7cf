"""What a source answers is looked at before it is kept: its type, texts, matches, and its place in a batch."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import match_codec, video_key
from maxi_core.bags.in_order import answers_of, ask_texts
from maxi_core.bags.order_check import moved
from maxi_core.errors import MaxiError, PluginError
from maxi_core.system.store import Store
from maxi_core.types import Dictionary, Failed, Match, Video
from tests.bags.sample_source import QUESTIONS, Counting, Method, Sample, ask, asking, kept, right, says


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
def test_an_answer_of_the_wrong_type_fails_its_question_only(tmp_path: Path, answer: object, line: str) -> None:
    answers = ask(lambda qs: [answer if q == "q1" else [f"{q}!"] for q in qs], tmp_path)
    assert answers.pop("q1") == Failed(f"source 'test' {line}")
    assert right(answers)


def test_an_answer_that_cannot_be_kept_fails_that_question_only(tmp_path: Path) -> None:
    def method(videos: list[Video]) -> list[object]:
        return [Match(v, "waving", 0.5, None) if v.id == "v1" else Match(v, "waving", np.float32(0.5)) for v in videos]

    videos = [Video(f"v{i}", Path(f"v{i}")) for i in range(4)]
    with Store(tmp_path, {}) as store:
        codec = match_codec(Dictionary("d", ("waving",)))
        asker = Asker(Sample(), method, Answers("test", codec, store), strict=False)
        answers = list(answers_of([asker], ((video, video_key(video), [video]) for video in videos)))
        asker.close()
    assert [video for video, _ in answers] == videos
    assert [isinstance(answer, Failed) for _, (answer,) in answers] == [False, True, False, False]
    assert type(answers[0][1][0].score) is float


def test_code_that_an_answer_or_an_error_brings_along_costs_one_question(tmp_path: Path) -> None:
    class Texts(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[str]:
            raise SystemExit(0)

    class OddError(Exception):
        def __str__(self) -> str:
            raise SystemExit(0)

    def method(questions: list[str]) -> list[object]:
        if "q2" in questions:
            raise OddError
        return [Texts(["hello"]) if question == "q1" else [f"{question}!"] for question in questions]

    answers = ask(method, tmp_path)
    assert answers.pop("q1") == Failed("source 'test' answered what cannot be kept: it called sys.exit(0)")
    assert answers.pop("q2") == Failed("source 'test' raised OddError: (its text cannot be made)")
    assert right(answers)


def test_answers_are_tidied_and_capped(tmp_path: Path) -> None:
    long = [" padded \n", "", "\x00", "\ud800", "x" * 10**6, *["more"] * 10_000]
    answer = ask(lambda questions: [long for _ in questions], tmp_path, ["q"])["q"]
    assert isinstance(answer, list)
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
        (Match(Video("v", Path("v")), "waving", None), "with the score None, which is no number"),  # type: ignore[arg-type]
        (["waving"], "answered list, not a Match"),
        *(
            (Match(Video("v", Path("v")), "waving", 0.5, top), line)
            for top, line in [
                (None, "answered with top that is NoneType, not a tuple"),
                (iter((("waving", 0.5),)), "answered with top that is a tuple_iterator, not a tuple"),
                (map(str, ()), "answered with top that is a map, not a tuple"),
                (("waving",), "with 'waving' in top, which is no pair of an entry and its score"),
                ((("waving", float("nan")),), "with the score of 'waving' in top nan"),
                ((("waving", float("-inf")),), "with the score of 'waving' in top -inf"),
                ((("waving", "0.5"),), "with the score of 'waving' in top '0.5', which is no number"),
                ((("waving", 0.5), ("waving", 0.4)), "with 'waving' twice in top"),
                ((("sleeping", 0.5),), "with 'sleeping' in top, which is not in the dictionary"),
            ]
        ),
    ],
)
def test_a_match_must_be_of_the_video_and_in_the_dictionary(answer, line) -> None:
    codec = match_codec(Dictionary("d", ("waving",)))
    with pytest.raises(ValueError, match=line.replace("(", r"\(").replace(")", r"\)")):
        codec.check(Video("v", Path("v")), answer)


def test_a_source_may_use_up_the_list_that_it_was_given(tmp_path: Path) -> None:
    def pops(questions: list[str]) -> list[list[str]]:
        return [[f"{questions.pop(0)}!"] for _ in range(len(questions))]

    def adds(questions: list[str]) -> list[list[str]]:
        questions.append("more")
        return [[f"{question}!"] for question in questions[:-1]]

    def stops_short(questions: list[str]) -> list[list[str]]:
        del questions[1:]
        return [[f"{question}!"] for question in questions]

    for place, method in enumerate((pops, adds, stops_short)):
        answers = ask(method, tmp_path / str(place))
        assert answers == {question: [f"{question}!"] for question in QUESTIONS}, method.__name__


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_reason_that_is_no_text_becomes_one_line(tmp_path: Path, error: type[BaseException]) -> None:
    class Odd:
        def __str__(self) -> str:
            raise error

    reasons = {"q0": 5, "q1": "two\nlines", "q2": None, "q3": Odd(), "q4": "x" * 10_000}
    answers = ask(lambda qs: [Failed(reasons[q]) if q in reasons else [f"{q}!"] for q in qs], tmp_path)
    said = [answers[question].reason for question in reasons]
    assert said[:4] == ["5", "two lines", "it does not say why", f"its reason cannot be read ({error.__name__})"]
    assert len(said[4]) == 1000


def test_a_kept_answer_that_is_lost_while_it_is_needed_is_one_line(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        store.REMEMBERED = 1
        asker = asking(says, store, Sample())
        list(ask_texts(asker, QUESTIONS))
        next(tmp_path.glob("*.jsonl")).write_bytes(b"")
        with pytest.raises(MaxiError, match="the store lost what 'test' had answered: .*; run the same command again"):
            list(ask_texts(asker, QUESTIONS))
        asker.close()


def rotated(answers: list[object]) -> list[object]:
    return answers[1:] + answers[:1]


def swapped(answers: list[object]) -> list[object]:
    return [answers[place ^ 1] if place ^ 1 < len(answers) else answers[place] for place in range(len(answers))]


def sorted_back(answers: list[object]) -> list[object]:
    return sorted(answers)  # type: ignore[type-var]


def reversed_back(answers: list[object]) -> list[object]:
    return answers[::-1]


def first_and_last(answers: list[object]) -> list[object]:
    return [answers[-1], *answers[1:-1], answers[0]] if len(answers) > 1 else answers


@pytest.mark.parametrize("mix", [rotated, swapped, sorted_back, reversed_back, first_and_last])
@pytest.mark.parametrize("batch", [2, 3, 4, 8, 17, 20])
def test_a_source_whose_answers_moved_inside_a_batch_is_refused_and_nothing_of_it_is_kept(
    tmp_path: Path, mix: Method, batch: int
) -> None:
    questions = [f"q{i}" for i in Random(batch).sample(range(20), 20)]
    if mix is sorted_back:
        questions.sort(reverse=True)
    with pytest.raises(PluginError, match=r"source 'test' mixes up the answers of a batch: .*--without test"):
        ask(lambda qs: mix(says(qs)), tmp_path, questions, Sample(batch))
    assert kept(tmp_path) == {}


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 32, 64, 128, 256])
def test_in_a_batch_of_any_size_answers_that_moved_are_seen(count: int) -> None:
    items = list(range(count))
    turns = [lambda answers, by=by: answers[by:] + answers[:by] for by in range(1, min(count, 12))]
    for mix in (swapped, reversed_back, first_and_last, *turns):
        heard = list(zip(items, mix(items), strict=True))
        seen, found = moved(heard, lambda some, mix=mix: mix(list(some)))
        assert seen
        assert found
    assert moved([(item, item) for item in items], lambda some: some) == (True, False)


def test_the_order_is_seen_once_for_a_source_and_its_options_in_a_store(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    ask(first, tmp_path, QUESTIONS[:10], Sample(5))
    ask(second, tmp_path, QUESTIONS[10:], Sample(5))
    assert len(first.batches) == 3
    assert len(second.batches) == 2
    assert sorted(first.batches[0]) == sorted(first.batches[1])


def test_a_source_that_is_asked_one_by_one_is_not_asked_again(tmp_path: Path) -> None:
    method = Counting()
    ask(method, tmp_path, QUESTIONS, Sample(1))
    assert sorted(batch[0] for batch in method.batches) == sorted(QUESTIONS)


def test_a_source_that_says_something_new_each_time_or_the_same_of_everything_is_not_refused(tmp_path: Path) -> None:
    draw = Random(0)
    ask(lambda qs: [[str(draw.random())] for _ in qs], tmp_path / "new")
    ask(lambda qs: [[str(draw.randrange(3))] for _ in qs], tmp_path / "few")  # often another one's answer, not twice
    ask(lambda qs: [["a person"] for _ in qs], tmp_path / "same")
    for folder in ("new", "few", "same"):
        assert len(kept(tmp_path / folder)) == len(QUESTIONS)
