"""The border to plugins: batches, order, halves, and every fault that a source can have."""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import TEXTS_OF_VIDEO
from maxi_core.bags.faults import IN_A_ROW
from maxi_core.bags.in_order import ask_clips, ask_texts
from maxi_core.errors import MaxiError, PluginError
from maxi_core.plugin import calls
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.store import Store
from maxi_core.types import Failed, Video
from tests.bags.sample_source import QUESTIONS, Counting, Method, Sample, ask, asking, kept, right, says

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
    raised = f"raised {type(error).__name__}{f': {error}' if str(error) else ''}"
    said = "called sys.exit(0)" if isinstance(error, SystemExit) else raised
    assert answers.pop("q5") == Failed(f"source 'test' {said}")
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
