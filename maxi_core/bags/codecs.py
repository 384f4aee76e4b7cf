"""How the questions and answers of each role are kept on a store, and what an answer of the role has to be."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, get_args

from maxi_core.bags.bag import to_line
from maxi_core.system.secrets import without_secrets
from maxi_core.system.store import digest
from maxi_core.texts import has_words, tidy
from maxi_core.types import Dictionary, Form, FormKind, Match, Text, TextBag, Video
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
    if not isinstance(answer.match, Match) or answer.match.video != bag.match.video:
        raise ValueError(f"answered with the bag of another video ({_video_of(answer.match)})")
    texts = _listed("texts", answer.texts)
    if (wrong := next((text for text in texts if not isinstance(text, Text)), None)) is not None:
        raise ValueError(f"answered a bag with {wrong!r:.80} in its texts, which is no Text")
    answer = replace(answer, texts=texts)
    if (added := next((text for text in answer.texts if text not in bag.texts), None)) is not None:
        raise ValueError(f"answered with {added!r:.80}, which is not in the bag: a filter only drops texts")
    if replace(answer, texts=bag.texts) != bag:
        raise ValueError("changed more of the bag than which texts it has")
    return answer


def _video_of(match: object) -> str:
    """Return the id of the video of a match that a plugin has made, or of whatever it took for one."""
    return f"{match.video.id}" if isinstance(match, Match) and isinstance(match.video, Video) else f"{match!r:.80}"


def _listed(name: str, given: object) -> tuple[Any, ...]:
    """Return a field of an answer that has to be a tuple; what can be gone through once would be empty afterwards."""
    if not isinstance(given, (tuple, list)):
        kind = type(given).__name__
        raise ValueError(f"answered with {name} that {'is' if given is None else 'is a'} {kind}, not a tuple")
    return tuple(given)


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


def _check_score(what: str, score: Any) -> None:
    try:
        finite = math.isfinite(score)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"answered with the {what} {score!r:.40}, which is no number") from None
    if not finite:
        raise ValueError(f"answered with the {what} {score}")


def _checked_top(top: object, entries: frozenset[str]) -> tuple[tuple[str, float], ...]:
    """Return the best entries of a match with their scores; raises ValueError for what is none."""
    pairs, seen = _listed("top", top), set[str]()
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"answered with {pair!r:.80} in top, which is no pair of an entry and its score")
        entry, score = pair
        if not isinstance(entry, str) or entry not in entries:
            raise ValueError(f"answered with {entry!r:.80} in top, which is not in the dictionary")
        if entry in seen:
            raise ValueError(f"answered with {entry!r:.80} twice in top")
        _check_score(f"score of {entry!r:.80} in top", score)
        seen.add(entry)
    return tuple((entry, float(score)) for entry, score in pairs)


def match_codec(dictionary: Dictionary) -> Codec[Video, Match]:
    """Return the matcher's: its answers name entries of `dictionary`."""
    entries = frozenset(dictionary.entries)

    def check(video: Video, answer: object) -> Match:
        if not isinstance(answer, Match):
            raise ValueError(f"answered {type(answer).__name__}, not a Match")
        if answer.video != video:
            raise ValueError(f"answered with the match of another video ({answer.video.id})")
        if (entry := answer.entry) not in entries:
            raise ValueError(f"matched to {entry!r:.80}, which is not in the dictionary")
        _check_score("score", answer.score)
        return replace(answer, top=_checked_top(answer.top, entries))

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
