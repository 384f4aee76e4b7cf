"""How the questions and answers of each role are kept on a store, and what an answer of the role has to be."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, get_args

from maxi_core.bags.bag import to_line
from maxi_core.system.secrets import without_secrets
from maxi_core.system.store import digest
from maxi_core.texts import has_words, tidy
from maxi_core.types import Dictionary, Form, FormKind, Match, TextBag, Video
from maxi_core.video.archives import video_identity

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST_TEXTS = 1000  # of one answer; a source that says more says the rest in vain


@dataclass(frozen=True)
class Codec(Generic[Question, Answer]):
    """One role's: the digest of a question, it and its answer as JSON and back.

    `check` returns the answer as it is used, or raises ValueError with what the source did wrong.
    """

    key: Callable[[Question], str]
    describe: Callable[[Question], object]
    encode: Callable[[Answer], object]
    decode: Callable[[Question, Any], Answer]
    check: Callable[[Question, object], Answer]


def text_key(text: str) -> str:
    """Return the digest of an entry, phrase or caption."""
    return digest(text)


def video_key(video: Video) -> str:
    """Return the digest of a video: the file it is, in the state it is in, and the window."""
    try:
        file = video_identity(video.path)
    except (OSError, ValueError):
        file = (str(video.path), None, None)
    return digest(*file, video.start, video.end)


def _describe_video(video: Video) -> dict[str, object]:
    return {"video": video.id, "path": str(video.path), "start": video.start, "end": video.end}


def _check_texts(_: object, answer: object) -> list[str]:
    if not isinstance(answer, (list, tuple)):
        raise ValueError(f"answered {type(answer).__name__}, not a list of texts")
    wrong = next((item for item in answer if not isinstance(item, str)), None)
    if wrong is not None:
        raise ValueError(f"answered a list with {type(wrong).__name__} in it, not texts")
    return [text for item in answer[:MOST_TEXTS] if has_words(text := tidy(without_secrets(item)))]


def _check_forms(_: object, answer: object) -> list[Form]:
    if not isinstance(answer, (list, tuple)):
        raise ValueError(f"answered {type(answer).__name__}, not a list of forms")
    for item in answer:
        if not isinstance(item, Form) or item.kind not in get_args(FormKind):
            raise ValueError(f"answered a list with {item!r:.80} in it, which is no Form of a known kind")
    forms = [Form(tidy(item.text), item.kind, tidy(item.lemma)) for item in answer[:MOST_TEXTS]]
    return [form for form in forms if has_words(form.text)]


def _bag_key(bag: TextBag) -> str:
    return digest(video_key(bag.match.video), to_line(bag))


def _check_bag(bag: TextBag, answer: object) -> TextBag:
    if not isinstance(answer, TextBag):
        raise ValueError(f"answered {type(answer).__name__}, not a TextBag")
    if answer.match.video != bag.match.video:
        raise ValueError(f"answered with the bag of another video ({answer.match.video.id})")
    if (added := next((text for text in answer.texts if text not in bag.texts), None)) is not None:
        raise ValueError(f"answered with {added!r:.80}, which is not in the bag: a filter only drops texts")
    if replace(answer, texts=bag.texts) != bag:
        raise ValueError("changed more of the bag than which texts it has")
    return answer


def _filtered(bag: TextBag, kept: Any) -> TextBag:
    left = frozenset(kept)
    return replace(bag, texts=tuple(text for text in bag.texts if text.text in left))


TEXTS_OF_ENTRY: Codec[str, list[str]] = Codec(text_key, str, list, lambda _, kept: list(kept), _check_texts)
TEXTS_OF_VIDEO: Codec[Video, list[str]] = Codec(
    video_key, _describe_video, list, lambda _, kept: list(kept), _check_texts
)
FORMS_OF_TEXT: Codec[str, list[Form]] = Codec(
    text_key,
    str,
    lambda forms: [[form.text, form.kind, form.lemma] for form in forms],
    lambda _, kept: [Form(*row) for row in kept],
    _check_forms,
)

FILTERED_BAG: Codec[TextBag, TextBag] = Codec(
    _bag_key,
    lambda bag: {**_describe_video(bag.match.video), "texts": len(bag.texts)},
    lambda bag: [text.text for text in bag.texts],
    _filtered,
    _check_bag,
)


def match_codec(dictionary: Dictionary) -> Codec[Video, Match]:
    """Return the matcher's: its answers name entries of `dictionary`."""
    entries = frozenset(dictionary.entries)

    def check(video: Video, answer: object) -> Match:
        if not isinstance(answer, Match):
            raise ValueError(f"answered {type(answer).__name__}, not a Match")
        if answer.video != video:
            raise ValueError(f"answered with the match of another video ({answer.video.id})")
        if answer.entry not in entries or not all(entry in entries for entry, _ in answer.top):
            raise ValueError(f"matched to {answer.entry!r:.80}, which is not in the dictionary")
        if not math.isfinite(answer.score):
            raise ValueError(f"answered with the score {answer.score}")
        return answer

    return Codec(
        video_key,
        _describe_video,
        lambda match: {
            "entry": match.entry,
            "score": float(match.score),  # of NumPy or torch, too
            "top": [[entry, float(score)] for entry, score in match.top],
        },
        lambda video, kept: Match(video, kept["entry"], kept["score"], tuple((e, s) for e, s in kept["top"])),
        check,
    )
