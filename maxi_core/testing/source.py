"""What every source keeps that is asked item by item: a batch in, a batch out, each item by itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from maxi_core.errors import MaxiError
from maxi_core.plugin.roles import LOOKING, Augmenter, Filter, Matcher, Source
from maxi_core.testing.effects import seed_all
from maxi_core.testing.process import asked_elsewhere
from maxi_core.testing.subject import (
    DICTIONARY,
    HOSTILE_TEXTS,
    LARGEST,
    OTHER_DICTIONARIES,
    Subject,
    answered,
    ask,
    batch_of,
    clip_of,
    hold,
    method_of,
    odd_frames,
    opened,
    same,
    shown,
    shuffled,
    unreadable,
)
from maxi_core.types import Clip, Dictionary, Failed, Form, FormKind, Match, Text, TextBag, Video

SIZES = (1, 2, 8, LARGEST)


def one_answer_for_each(subject: Subject) -> None:
    """A list with one answer for each item of a batch of any size, also where two items are the same."""
    first, *others = subject.batch(3)
    with opened(subject) as source:
        for size in SIZES:
            ask(source, subject.batch(size))
        batch = [first, others[0], first, others[1], first]
        hold(subject, batch, ask(source, batch), "in a batch that has an item three times")


def at_their_places(subject: Subject) -> None:
    """Answers stand in the order of their items, however these are ordered and however many there are."""
    questions = subject.told_apart()
    backwards = list(subject.questions)[::-1]  # of two that a source takes for one, the other comes first
    with opened(subject) as source:
        for start in range(0, len(backwards), 8):
            batch = backwards[start : start + 8]
            hold(subject, batch, ask(source, batch), "asked backwards, in batches of 8")
        for size in (2, 3, 8, LARGEST, 5):
            for order in (questions, questions[::-1], shuffled(questions, size)):
                batch = [order[place % len(order)] for place in range(size)]
                hold(subject, batch, ask(source, batch), f"in a batch of {size}")


def neighbours_change_nothing(subject: Subject) -> None:
    """An answer stays the same when another item of the batch is replaced, since answers are kept one by one."""
    batch = subject.batch(8)
    long, short = max(subject.questions, key=_size), min(subject.questions, key=_size)
    with opened(subject) as source:
        before = ask(source, batch)
        for place, other in ((0, subject.spare(0)), (7, subject.spare(1)), (3, long), (4, short), (7, batch[0])):
            changed = [*batch[:place], other, *batch[place + 1 :]]
            after = ask(source, changed)
            for item in range(8):
                assert item == place or same(before[item], after[item]), (
                    f"with {shown(other)} at place {place} of the batch instead of {shown(batch[place])}, it says "
                    f"{shown(after[item])} of {shown(batch[item])} and not {shown(before[item])}: an answer may "
                    "depend on its own item only (look at padding, sorting and what is kept between items)"
                )
        hold(subject, batch, before, "in a batch of 8")


def _size(question: Any) -> int:
    if isinstance(question, TextBag):
        return len(question.texts)
    return question.path.stat().st_size if isinstance(question, Video) else len(question)


def same_twice(subject: Subject) -> None:
    """What is asked again gets the same answer, of the same instance and of a new one, whatever the global seeds."""
    questions = subject.batch(8)
    for seed in (1, 2):
        with opened(subject) as source:
            for turn in ("", " again"):
                seed_all(seed)
                hold(subject, questions, ask(source, questions), f"asked{turn} with other global random seeds")


def same_elsewhere(subject: Subject) -> None:
    """Another process, in another folder and with another hash seed, gives the same answers: runs go on elsewhere."""
    questions = list(subject.questions)[LARGEST - 1 :: -1]
    answers = asked_elsewhere(subject, questions)
    hint = "in another process (asked in another order, PYTHONHASHSEED, user, time zone and folder)"
    hold(subject, questions, answers, hint)


def opened_again(subject: Subject) -> None:
    """It can be closed and opened again, closed twice, and closed without having been open."""
    subject.source().close()
    source, questions = subject.source(), subject.batch(3)
    for turn in ("first", "closed and opened again"):
        source.open()
        hold(subject, questions, ask(source, questions), turn)
        source.close()
        source.close()


def unchanged_inputs(subject: Subject) -> None:
    """The batch, its frames and its own earlier answers stay as they were."""
    import copy

    with opened(subject) as source:
        batch = batch_of(source, subject.batch(3))
        clips = [
            one for item in batch for one in (item if isinstance(item, tuple) else [item]) if isinstance(one, Clip)
        ]
        items, pixels = list(batch), [clip.frames.copy() for clip in clips]
        answers = answered(source, batch)
        method = method_of(source)
        assert answers is not batch, f"{method}() returned the list that it was given: make a new one"
        assert [id(item) for item in batch] == [id(item) for item in items], (
            f"{method}() changed the list that it was given: it is the core's"
        )
        for clip, frames in zip(clips, pixels, strict=True):
            assert (clip.frames == frames).all(), (
                f"{method}() changed the frames of {shown(clip.video)}: work on a copy"
            )
        before = copy.deepcopy(answers)
        ask(source, subject.batch(5)[::-1])
        assert answers == before, (
            f"a later call changed what an earlier one had returned, from {shown(before)} to {shown(answers)}: return "
            "a new list from each call"
        )


def right_type(subject: Subject) -> None:
    """Each answer is what the role promises, with texts that are stripped, on one line, and not empty."""
    source = subject.source()
    for question, answer in zip(subject.questions, subject.truth(), strict=True):
        check_type(source, question, answer, DICTIONARY)


def check_type(source: Source, question: Any, answer: Any, dictionary: Dictionary) -> None:
    """Raise AssertionError unless an answer is one that the role of the source allows."""
    if isinstance(answer, Failed):
        _check_text(answer.reason, f"the reason why {shown(question)} failed")
    elif isinstance(source, Matcher):
        _check_match(question, answer, dictionary)
    elif isinstance(source, Filter):
        _check_bag(question, answer)
    else:
        assert isinstance(answer, list), f"of {shown(question)} it says {shown(answer)}, which is not a list"
        for item in answer:
            _check_form(item) if isinstance(source, Augmenter) else _check_text(item, "a text")


def _check_text(item: object, what: str) -> None:
    assert isinstance(item, str), f"{what} is {shown(item)}, which is not a string"
    assert item, f"{what} is empty: leave it out"
    assert item == item.strip(), f"{what}, {shown(item)}, is not stripped"
    assert len(item.splitlines()) == 1, f"{what}, {shown(item)}, is more than one line"
    assert not any("\ud800" <= letter <= "\udfff" for letter in item), f"{what}, {shown(item)}, is no UTF-8"


def _check_form(item: object) -> None:
    assert isinstance(item, Form), f"{shown(item)} is not a Form"
    assert item.kind in get_args(FormKind), f"{item!r} is of no known kind: {', '.join(get_args(FormKind))}"
    _check_text(item.text, "the text of a form")
    _check_text(item.lemma, "a lemma")


def _check_match(video: Video, answer: object, dictionary: Dictionary) -> None:
    assert isinstance(answer, Match), f"of {shown(video)} it says {shown(answer)}, which is not a Match"
    assert answer.video == video, (
        f"the match of {video!r} names {answer.video!r}: give back the very video of the clip, Match(clip.video, ...)"
    )
    entries = [answer.entry, *(entry for entry, _ in answer.top)]
    for entry in entries:
        assert entry in dictionary.entries, (
            f"{shown(entry)} is not in the dictionary that it was given, '{dictionary.name}': entries are given back "
            "as they were written"
        )
    for score in (answer.score, *(score for _, score in answer.top)):
        assert type(score) is float, f"the score {score!r} is a {type(score).__name__}: make it a float(...)"
        assert score - score == 0, f"the score {score} is not finite: return Failed(reason)"
    if not answer.top:
        return
    assert isinstance(answer.top, tuple), f"`top` is a {type(answer.top).__name__}: make it a tuple"
    scores = [score for _, score in answer.top]
    assert scores == sorted(scores, reverse=True), f"`top` is not in order, best first: {scores}"
    assert answer.top[0] == (answer.entry, answer.score), (
        f"`top` begins with {answer.top[0]}, and the match is {(answer.entry, answer.score)}: they must be the same"
    )
    assert len(set(entries[1:])) == len(answer.top), f"`top` has an entry twice: {entries[1:]}"


def _check_bag(bag: TextBag, answer: object) -> None:
    assert isinstance(answer, TextBag), f"of {shown(bag)} it says {shown(answer)}, which is not a TextBag"
    assert isinstance(answer.texts, tuple), f"the texts of {shown(answer)} are a {type(answer.texts).__name__}"
    for text in answer.texts:
        assert text in bag.texts, f"{shown(text)} is not in {shown(bag)}: a filter only drops texts"
    assert replace(answer, texts=bag.texts) == bag, (
        f"it changed more of {shown(bag)} than which texts it has: give back replace(bag, texts=...)"
    )


def failures_as_failed(subject: Subject) -> None:
    """What it cannot answer is Failed with a reason, at its place, and the items beside it are answered as ever."""
    with opened(subject) as source:
        if isinstance(source, Filter):
            odd: list[Any] = [*_odd_bags(*batch_of(source, subject.batch(1))[0])]
        elif not isinstance(source, LOOKING):
            odd = list(HOSTILE_TEXTS)
        elif (wanted := source.frames) is None:
            empty, gone = subject.folder / "empty.mp4", subject.folder / "gone.mp4"
            empty.touch()
            odd = [unreadable(subject.folder), Video("empty", empty), Video("gone", gone)]
            odd = [clip_of(video, None) for video in odd]
        else:
            plain = clip_of(subject.questions[0], wanted)
            odd = [Clip(plain.video, frames) for frames in odd_frames(plain.frames)]
        for item in odd:
            _check_odd(source, item, _asked_odd(source, [item], item)[0])
        questions = subject.batch(4)
        for item in odd:
            batch = batch_of(source, questions)
            answers = _asked_odd(source, [*batch[:2], item, *batch[2:]], item)
            hold(subject, questions, answers[:2] + answers[3:], f"beside {_odd(item)}")


def _odd_bags(clip: Clip, bag: TextBag) -> list[tuple[Clip, TextBag]]:
    """Return bags without texts, with odd ones, and with frames of odd shapes, where it is handed any."""
    texts = tuple(Text(text, "kit", bag.match.entry, "phrase") for text in HOSTILE_TEXTS)
    shapes = [Clip(clip.video, frames) for frames in odd_frames(clip.frames)] if clip.frames.size else []
    return [*((clip, replace(bag, texts=some)) for some in ((), texts, texts[:1])), *((one, bag) for one in shapes)]


def _asked_odd(source: Source, batch: list[Any], item: Any) -> list[Any]:
    try:
        return answered(source, batch)
    except MaxiError as error:
        raise AssertionError(
            f"of {_odd(item)} {method_of(source)}() raised {type(error).__name__}, which ends the whole run "
            f"({shown(error, plain=True)}): return Failed(reason) for an item that cannot be answered"
        ) from error
    except AssertionError as error:
        raise AssertionError(f"with {_odd(item)}: {error}") from error


def _check_odd(source: Source, item: Any, answer: Any) -> None:
    if isinstance(item, tuple):
        check_type(source, item[1], answer, DICTIONARY)
        return
    if not isinstance(item, Clip):  # what it makes of such a text is tidied by the core
        assert isinstance(answer, (list, Failed)), f"of {_odd(item)} it says {shown(answer)}: return a list, or Failed"
        return
    if not item.frames.size:
        assert isinstance(answer, Failed), f"of {_odd(item)} it says {shown(answer)}, not Failed"
    try:
        check_type(source, item.video, answer, DICTIONARY)
    except AssertionError as error:
        raise AssertionError(f"of {_odd(item)} it says {shown(answer)}: {error}") from error


def _odd(item: Any) -> str:
    if isinstance(item, tuple):
        return f"{shown(item[1])} and frames of shape {item[0].frames.shape}"
    if not isinstance(item, Clip):
        return f"the text {shown(item)}"
    if not item.frames.size:
        return f"a file that is no video ({item.video.path.name})"
    return f"a clip with frames of shape {item.frames.shape}"


def the_dictionary_given(subject: Subject) -> None:
    """A match names an entry of the dictionary of that very call, whichever it was given before."""
    questions = subject.batch(3)
    dictionaries = (DICTIONARY, *OTHER_DICTIONARIES, DICTIONARY)
    with opened(subject) as source:
        said = [ask(source, questions, dictionary) for dictionary in dictionaries]
    for dictionary, answers in zip(dictionaries, said, strict=True):
        for question, answer in zip(questions, answers, strict=True):
            check_type(source, question, answer, dictionary)
        with opened(subject) as fresh:
            alone = ask(fresh, questions, dictionary)
        for one, two in zip(answers, alone, strict=True):
            assert same(one, two), (
                f"after other dictionaries it says {shown(one)} for the dictionary '{dictionary.name}', and at first "
                f"{shown(two)}: whatever is kept of a dictionary is kept under its entries"
            )


def notes_are_texts(subject: Subject) -> None:
    """What it notes is a list of lines of text, after it was asked and before."""
    source = subject.source()
    source.open()
    ask(source, subject.batch(2))
    source.close()
    for notes in (subject.source().notes(), source.notes()):
        assert isinstance(notes, list), f"notes() returned {shown(notes)}, which is not a list"
        for note in notes:
            _check_text(note, "a note")


SOURCE: dict[str, Callable[[Subject], None]] = {
    "it gives a list of one answer for each item": one_answer_for_each,
    "each answer is at the place of its item": at_their_places,
    "its answers are of the right type, stripped and not empty": right_type,
    "a neighbour in the batch changes no answer": neighbours_change_nothing,
    "it says the same twice": same_twice,
    "it says the same in another process": same_elsewhere,
    "it says the same after it was closed and opened again": opened_again,
    "it says Failed for what it cannot answer, and goes on": failures_as_failed,
    "it leaves what it was given as it is": unchanged_inputs,
    "its notes are lines of text": notes_are_texts,
}
MATCHER: dict[str, Callable[[Subject], None]] = {
    "it matches to the dictionary that it is given": the_dictionary_given,
}
