"""The border to plugins: batches, order, halves, and every fault that a source can have."""

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import TEXTS_OF_ENTRY, TEXTS_OF_VIDEO, match_codec, text_key, video_key
from maxi_core.bags.faults import IN_A_ROW
from maxi_core.bags.in_order import answers_of, ask_clips, ask_texts
from maxi_core.bags.order_check import moved
from maxi_core.errors import MaxiError, PluginError
from maxi_core.plugin import calls
from maxi_core.plugin.roles import Source
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.store import Store
from maxi_core.types import Dictionary, Failed, Match, Video

Method = Callable[[list[str]], object]
QUESTIONS = [f"q{i}" for i in range(20)]


class Sample(Source):
    name, role = "test", "expander"

    def __init__(self, batch: int = 4, concurrency: int = 1) -> None:
        super().__init__()
        self.batch, self.concurrency, self.seen = batch, concurrency, list[str]()

    def open(self) -> None:
        self.seen.append("open")

    def close(self) -> None:
        self.seen.append("close")


def asking(method: Method, store: Store, source: Source, *, strict: bool = False) -> Asker[str, list[str]]:
    return Asker(source, method, Answers("test", TEXTS_OF_ENTRY, store), strict=strict)


def ask(
    method: Method, folder: Path, questions: Iterable[str] = QUESTIONS, source: Source | None = None, **how: bool
) -> dict[str, list[str] | Failed]:
    """Ask all questions; each must come back in its order."""
    questions = list(questions)
    with Store(folder, {}) as store:
        asker = asking(method, store, source or Sample(), **how)
        try:
            answers = list(ask_texts(asker, questions))
        finally:
            asker.close()
    assert [question for question, _ in answers] == questions
    return dict(answers)


def kept(folder: Path) -> dict[str, object]:
    """Return what another run would find."""
    with Store(folder, {}) as store:
        return {question: store.get(text_key(question)) for question in QUESTIONS if text_key(question) in store}


def right(answers: dict[str, object]) -> bool:
    return all(answer == [f"{question}!"] for question, answer in answers.items())


def says(questions: list[str]) -> list[object]:
    return [[f"{question}!"] for question in questions]


class Counting:
    """A method that notes the batches it is given; with `bad`, a batch that holds one of those raises."""

    def __init__(self, bad: Iterable[str] = (), error: Exception | None = None) -> None:
        self.bad, self.error, self.batches = set(bad), error or ValueError("no luck"), list[list[str]]()

    def __call__(self, questions: list[str]) -> list[object]:
        self.batches.append(list(questions))
        if self.bad & set(questions):
            raise self.error
        return says(questions)


names = st.lists(st.sampled_from(QUESTIONS), max_size=40)


@settings(deadline=None)  # it waits for the disk
@given(names, names, st.integers(1, 9), st.integers(1, 3), st.frozensets(st.sampled_from(QUESTIONS), max_size=3))
def test_answers_come_in_order_whatever_is_known_in_batches_of_any_size_and_one_by_one_where_one_is_bad(
    questions: list[str], known: list[str], batch: int, concurrency: int, bad: frozenset[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ask(says, Path(name), known)
        method = Counting(bad)
        answers = ask(method, Path(name), questions, Sample(batch, concurrency))
        failed = set(questions) & bad - set(known)
        assert {question for question, answer in answers.items() if isinstance(answer, Failed)} == failed
        assert right({question: answer for question, answer in answers.items() if question not in failed})
        assert max(map(len, method.batches), default=0) <= batch
        assert right(kept(Path(name)))


def test_a_source_that_has_nothing_new_to_say_is_neither_opened_nor_asked_nor_closed(tmp_path: Path) -> None:
    ask(says, tmp_path)
    method, source = Counting(), Sample()
    ask(method, tmp_path, [*QUESTIONS, *QUESTIONS], source)
    assert (method.batches, source.seen) == ([], [])


def test_a_source_is_opened_before_it_is_asked_and_closed_once(tmp_path: Path) -> None:
    source = Sample()

    def method(questions: list[str]) -> list[object]:
        source.seen.append("asked")
        return says(questions)

    ask(method, tmp_path, QUESTIONS[:8], source)
    assert source.seen[0] == "open"
    assert source.seen[-1] == "close"
    assert set(source.seen[1:-1]) == {"asked"}


def test_a_source_that_cannot_be_opened_is_switched_off_by_name(tmp_path: Path) -> None:
    class Shut(Sample):
        def open(self) -> None:
            raise OSError("the door is shut")

    answers = ask(says, tmp_path, source=Shut())
    assert {str(answer) for answer in answers.values()} == {
        str(Failed("source 'test' was switched off: 1 fault in a row, the last: raised OSError: the door is shut"))
    }


def test_a_question_that_comes_twice_is_asked_once(tmp_path: Path) -> None:
    method = Counting()
    ask(method, tmp_path, ["a", "b", "a", "c", "b", "d"], Sample(4))
    assert sorted(method.batches[0]) == ["a", "b", "c", "d"]


def test_few_questions_are_taken_before_the_first_answer(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        for number in range(10**9):
            taken.append(number)
            yield f"q{number}"

    with Store(tmp_path, {}) as store:
        asker = asking(says, store, Sample(4))
        answers = ask_texts(asker, endless())
        assert [next(answers)[0] for _ in range(3)] == ["q0", "q1", "q2"]
        asker.close()
    assert len(taken) <= 16


def test_one_slow_answer_holds_no_other_question_up(tmp_path: Path) -> None:
    release = threading.Event()
    asked: list[str] = []

    def method(questions: list[str]) -> list[object]:
        asked.extend(questions)
        if questions == ["q0"]:
            release.wait(20)
        elif len(asked) == 500:
            release.set()
        return says(questions)

    answers = ask(method, tmp_path, [f"q{i}" for i in range(500)], Sample(1, 4))
    assert right(answers)
    assert release.is_set(), "the slow one was waited for before the others were asked"


def test_as_many_calls_are_under_way_as_the_source_allows(tmp_path: Path) -> None:
    together = threading.Barrier(6, timeout=20)

    def method(questions: list[str]) -> list[object]:
        together.wait()
        return says(questions)

    assert right(ask(method, tmp_path, [f"q{i}" for i in range(12)], Sample(1, 6)))


@pytest.mark.parametrize("error", [ValueError("no luck"), MemoryError("too much"), SystemExit(0), KeyboardInterrupt()])
def test_a_batch_that_fails_is_halved_until_the_bad_one_is_alone(tmp_path: Path, error: BaseException) -> None:
    method = Counting({"q5"}, error)  # type: ignore[arg-type]
    answers = ask(method, tmp_path, QUESTIONS[:8], Sample(8))
    said = "called sys.exit(0)" if isinstance(error, SystemExit) else f"raised {type(error).__name__}: {error}"
    assert answers.pop("q5") == Failed(f"source 'test' {said}".strip().removesuffix(":") + ("" if str(error) else ":"))
    assert right(answers)
    assert [len(batch) for batch in method.batches[:7]] == [8, 4, 4, 2, 1, 1, 2]
    assert set(kept(tmp_path)) == set(QUESTIONS[:8]) - {"q5"}


def test_too_little_memory_for_a_batch_is_no_fault_where_a_smaller_one_fits(tmp_path: Path) -> None:
    def method(questions: list[str]) -> list[object]:
        if len(questions) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return says(questions)

    assert right(ask(method, tmp_path, QUESTIONS, Sample(8), strict=True))


@pytest.mark.parametrize("wrong", [lambda answers: answers[:-1], lambda answers: [*answers, ["more"]], lambda _: []])
def test_a_batch_with_another_number_of_answers_is_halved_and_nothing_wrong_is_kept(tmp_path: Path, wrong) -> None:
    def method(questions: list[str]) -> object:
        return wrong(says(questions)) if "q3" in questions else says(questions)

    answers = ask(method, tmp_path)
    assert "answers to 1 question" in str(answers.pop("q3"))
    assert right(answers)
    assert right(kept(tmp_path))


@pytest.mark.parametrize("returned", [None, "a string", 5, iter([["a"]]), {"a": 1}])
def test_what_is_no_list_of_answers_is_a_fault_with_its_type(tmp_path: Path, returned: object) -> None:
    answers = ask(lambda questions: returned, tmp_path, ["q0"])
    assert answers["q0"] == Failed(f"source 'test' returned {type(returned).__name__}, not a list of answers")


def test_a_failed_question_is_asked_again_in_the_next_run(tmp_path: Path) -> None:
    ask(Counting({"q3"}), tmp_path)
    method = Counting()
    assert right(ask(method, tmp_path))
    assert method.batches == [["q3"]]


def test_a_source_that_always_fails_is_switched_off_after_a_few_faults(tmp_path: Path) -> None:
    method = Counting(QUESTIONS, RuntimeError("never"))
    answers = ask(method, tmp_path, QUESTIONS, Sample(1))
    assert len(method.batches) <= IN_A_ROW + 1
    assert all(isinstance(answer, Failed) for answer in answers.values())
    assert str(answers["q19"]).count("was switched off: 5 faults in a row, the last: raised RuntimeError: never") == 1


def test_strict_stops_at_the_first_fault(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="source 'test' raised ValueError: no luck"):
        ask(Counting({"q3"}), tmp_path, strict=True)


def test_a_plugins_own_word_to_the_user_ends_the_run_and_what_was_said_is_kept(tmp_path: Path) -> None:
    source = Sample(1)
    with pytest.raises(MaxiError, match="the key is wrong"):
        ask(Counting({"q3"}, MaxiError("the key is wrong")), tmp_path, source=source)
    assert source.seen[-1] == "close"
    assert {"q0", "q1", "q2"} <= set(kept(tmp_path))
    assert right(kept(tmp_path))


def test_when_the_run_ends_by_an_error_what_is_under_way_is_still_kept(tmp_path: Path) -> None:
    def method(questions: list[str]) -> list[object]:
        if questions == ["q0"]:
            time.sleep(0.05)
            raise MaxiError("the key is wrong")
        time.sleep(0.3)
        return says(questions)

    with pytest.raises(MaxiError, match="the key is wrong"):
        ask(method, tmp_path, source=Sample(1, 4))
    assert {"q1", "q2", "q3"} <= set(kept(tmp_path))


def test_an_error_of_the_questions_is_not_blamed_on_the_source(tmp_path: Path) -> None:
    def questions() -> Iterator[str]:
        yield "q0"
        raise KeyError("upstream")

    with Store(tmp_path, {}) as store:
        asker = asking(says, store, Sample())
        with pytest.raises(KeyError, match="upstream"):
            list(ask_texts(asker, questions()))
        asker.close()


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
    class Text(str):
        def split(self, *_: object) -> list[str]:  # type: ignore[override]
            raise SystemExit(0)

    class OddError(Exception):
        def __str__(self) -> str:
            raise SystemExit(0)

    def method(questions: list[str]) -> list[object]:
        if "q2" in questions:
            raise OddError
        return [[Text("hello")] if question == "q1" else [f"{question}!"] for question in questions]

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


def test_a_source_that_takes_long_is_named_and_one_that_never_answers_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("maxi"), "propagate", True)
    monkeypatch.setattr(calls, "SLOW", 0.05)
    monkeypatch.setattr(calls, "MOST", 0.4)
    monkeypatch.setattr("maxi_core.bags.asker.GRACE", 0.1)
    stuck = threading.Event()
    with pytest.raises(MaxiError, match="source 'test' has not answered for .* leave it out: --without test"):
        ask(lambda questions: stuck.wait(30), tmp_path)
    stuck.set()
    for thread in threading.enumerate():
        if thread.name == "maxi-test":
            thread.join()
    assert "source 'test' has not answered for 0 s; Ctrl-C stops the run" in caplog.text


def test_what_all_code_shares_is_put_back_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import os
    import random

    monkeypatch.setattr(logging.getLogger("maxi"), "propagate", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def method(questions: list[str]) -> list[object]:
        os.chdir(tmp_path / "elsewhere")
        random.seed(3)
        np.random.seed(3)
        return says(questions)

    before = random.getstate(), np.random.get_state()[1].tobytes()
    source = Sample()
    source.label = "roams"
    ask(method, tmp_path / "store", source=source)
    assert Path.cwd() == tmp_path
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before
    said = [record.getMessage() for record in caplog.records]
    assert set(said) == {"'roams' changed the working folder when it was asked; it was put back"}


def test_answers_are_kept_as_they_come_whoever_stops_listening(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        asker = asking(says, store, Sample(3))
        assert right(dict(islice(ask_texts(asker, QUESTIONS), 7)))
        asker.close()
    assert len(kept(tmp_path)) >= 7
    assert right(kept(tmp_path))


def test_frames_are_asked_for_once_in_a_pass_and_a_source_that_is_switched_off_holds_none_up(
    tmp_path: Path,
) -> None:
    class Reader(Sample):
        looks = 0

        @property
        def frames(self) -> None:
            self.looks += 1

    (tmp_path / "v.mp4").write_bytes(b"x")
    videos = [Video(f"v{number}", tmp_path / "v.mp4", number, number + 1) for number in range(40)]
    sources = [Reader(), Reader()]
    methods: list[Method] = [lambda clips: 1 / 0, lambda clips: [[clip.video.id] for clip in clips]]
    with Store(tmp_path / "a", {}) as store, Store(tmp_path / "b", {}) as other:
        askers = [
            Asker(source, method, Answers(f"test{number}", TEXTS_OF_VIDEO, at), strict=False)
            for number, (source, method, at) in enumerate(zip(sources, methods, (store, other), strict=True))
        ]
        found = list(ask_clips(askers, videos, VideoOptions(workers=0)))
        for asker in askers:
            asker.close()
    assert [source.looks for source in sources] == [1, 1]
    assert [video for video, _ in found] == videos
    assert "was switched off" in askers[0].off
    assert all(isinstance(bad, Failed) and good == [video.id] for video, (bad, good) in found)
