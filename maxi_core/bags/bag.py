"""What goes into a text bag: the paper's rules, at one place (method.md, bags)."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from json.encoder import encode_basestring as _quoted
from pathlib import Path
from typing import Any, get_args

from maxi_core.bags.manifest import bags_of
from maxi_core.errors import UsageError
from maxi_core.system.remote import as_path
from maxi_core.types import Form, Match, Text, TextBag, TextKind, Video

Forms = Mapping[str, Sequence[Form]]  # text -> its forms; without an augmenter there are none
Said = Mapping[str, Sequence[str]]  # source -> what it said


def compose(
    match: Match, phrases: Said, captions: Said, forms: Forms | None, matcher: str, *, shortened: bool = False
) -> TextBag:
    """Return the bag of a video that is kept, each text once, in the order of the sources.

    A phrase goes in together with its forms; of its verb phrases, those that are shorter than itself only if
    `shortened`: no bag that the authors released holds one. A caption gives only its verbs (or nouns), no phrases; or
    itself if there is no augmenter (`forms` is None). So does the matched entry, which is never an item itself: it is
    text1 of every prompt.
    """
    return completed(
        match, of_entry(match.entry, phrases, forms, matcher, shortened=shortened), phrases, captions, forms
    )


Found = Mapping[str, Text]  # by what two texts that differ in their case have in common


def of_entry(entry: str, phrases: Said, forms: Forms | None, matcher: str, *, shortened: bool) -> Found:
    """Return what all bags with a matched entry have in common: the first part of `compose`."""
    found: dict[str, Text] = {}
    _add(found, entry, _words(entry, matcher, forms))
    for source, texts in phrases.items():
        for phrase in texts:
            of_it = [item for item in _forms(phrase, source, forms) if shortened or not _is_shortened(item)]
            _add(found, entry, [Text(phrase, source, entry, "phrase"), *of_it])
    return found


def completed(match: Match, of_entry: Found, phrases: Said, captions: Said, forms: Forms | None) -> TextBag:
    """Return the bag of a video from what it has of its entry, and its captions: the second part of `compose`."""
    found = dict(of_entry)
    for source, texts in captions.items():
        for caption in texts:
            itself = [Text(caption, source, match.video.id, "phrase")] if forms is None else []
            _add(found, match.entry, [*itself, *_words(caption, source, forms)])
    said = tuple((source, tuple(texts)) for source, texts in {**phrases, **captions}.items())
    return TextBag(match, kept=True, texts=tuple(found.values()), said=said)


def _forms(text: str, source: str, forms: Forms | None) -> list[Text]:
    return [Text(form.text, source, text, form.kind) for form in forms.get(text, ())] if forms else []


def _is_shortened(item: Text) -> bool:
    return item.kind == "verb-phrase" and len(item.text.split()) < len(item.of.split())


def _words(text: str, source: str, forms: Forms | None) -> list[Text]:
    found = forms.get(text, ()) if forms else ()
    return [Text(form.text, source, text, form.kind) for form in found if form.kind != "verb-phrase"]


def _add(found: dict[str, Text], entry: str, texts: Iterable[Text]) -> None:
    """Add texts that are not there yet, whatever their case; who says one again is noted."""
    itself = entry.casefold()
    for text in texts:
        key = text.text.casefold()
        if key == itself:
            continue
        first = found.setdefault(key, text)
        if text.source != first.source and text.source not in first.also:
            found[key] = Text(first.text, first.source, first.of, first.kind, (*first.also, text.source))


# The lines of `bags.jsonl`, written and read again (method.md, files).

SCHEMA = 1
EXACT = 2**53  # a whole number up to which a float is exact
TIMES = ("start", "end")


def to_line(bag: TextBag) -> str:
    """Return a bag as one line of JSON, without its end; as `json` writes it, in half the time."""
    match, video = bag.match, bag.match.video
    top = ", ".join([f"[{_quoted(entry)}, {_json_number(score)}]" for entry, score in match.top])
    texts, said = ", ".join(map(_json_text, bag.texts)), ", ".join(starmap(_json_list, dict(bag.said).items()))
    line = (
        f'{{"schema": {SCHEMA}, "video": {_quoted(video.id)}, "path": {_quoted(str(video.path))}, '
        f'"start": {_json_number(video.start)}, "end": {_json_number(video.end)}, '
        f'"match": {{"entry": {_quoted(match.entry)}, "score": {_json_number(match.score)}, "top": [{top}]}}, '
        f'"kept": {"true" if bag.kept else "false"}, "texts": [{texts}], "said": {{{said}}}}}'
    )
    if (line.isascii() and "\x7f" not in line) or line.isprintable():  # the first is faster
        return line
    return json.dumps(json.loads(line))  # a name that is not UTF-8 is written in escapes


def as_record(bag: TextBag) -> dict[str, object]:
    """Return a bag as plain values, those of its line."""
    record: dict[str, object] = json.loads(to_line(bag))
    return record


def _json_text(text: Text) -> str:
    also = f", {_json_list('also', text.also)}" if text.also else ""
    one, source, of, kind = map(_quoted, (text.text, text.source, text.of, text.kind))
    return f'{{"text": {one}, "source": {source}, "of": {of}, "kind": {kind}{also}}}'


def _json_list(name: str, texts: Iterable[str]) -> str:
    return f"{_quoted(name)}: [{', '.join(map(_quoted, texts))}]"


def _json_number(value: float | None) -> str:
    if type(value) is float and math.isfinite(value):
        return repr(value)
    return "null" if value is None else json.dumps(value)


def from_line(line: str | bytes) -> TextBag:
    """Return the bag of one line; raises ValueError that says what is wrong for anything else."""
    try:
        record: dict[str, Any] = json.loads(line)
        if record["schema"] != SCHEMA:
            raise ValueError(f"schema {record['schema']!r:.20}, and this maxi reads {SCHEMA}")
        match = record["match"]
        video = Video(_str(record["video"]), as_path(_str(record["path"])), *(_time(record[key]) for key in TIMES))
        texts = tuple(_read_text(text) for text in _list(record["texts"]))
        said = tuple((source, tuple(map(_str, _list(texts)))) for source, texts in record["said"].items())
        top = tuple((_str(entry), _number(score)) for entry, score in _list(match["top"]))
        if not isinstance(record["kept"], bool):
            raise ValueError("kept is neither true nor false")
        return TextBag(Match(video, _str(match["entry"]), _number(match["score"]), top), record["kept"], texts, said)
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from None
    except (TypeError, AttributeError, RecursionError, OverflowError):
        raise ValueError("it is JSON of another form") from None


def _read_text(record: dict[str, Any]) -> Text:
    text, source, of = (_str(record[key]) for key in ("text", "source", "of"))
    kind: TextKind = record["kind"]
    if kind not in get_args(TextKind):
        raise ValueError(f"{kind!r:.40} is no kind of a text")
    return Text(text, source, of, kind, tuple(map(_str, _list(record.get("also", [])))))


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.40} is no list")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is no number")
    return value if abs(value) <= EXACT else float(value)


def _time(value: Any) -> float | None:
    return None if value is None else _number(value)


def read_bags(run: Path) -> Iterator[TextBag]:
    """Yield the bags of a run folder in order; raises UsageError that names the line of anything else."""
    path = bags_of(run)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _bag_of(path, number, line)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "chmod u+r it") from None


def _bag_of(path: Path, number: int, line: bytes) -> TextBag:
    try:
        return from_line(line)
    except ValueError as error:
        raise UsageError(f"{path}:{number} is not a bag: {error}", "run maxi bags again") from None
