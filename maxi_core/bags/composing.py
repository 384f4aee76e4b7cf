"""What goes into a text bag, and which videos are kept: the paper's rules, at one place (method.md to bags)."""

from collections.abc import Iterable, Mapping, Sequence

from maxi_core.types import Form, Match, Text, TextBag

Forms = Mapping[str, Sequence[Form]]  # text -> its forms; without an augmenter there are none
Said = Mapping[str, Sequence[str]]  # source -> what it said


def keep_best(scores: Sequence[float], share: float) -> list[bool]:
    """Return for each video whether its match is kept: the `share` of all with the highest scores (method.md).

    One threshold for all videos, not one for each class. Of equal scores the earlier videos are kept. At least one is.
    """
    count = max(1, int(share * len(scores) + 0.5))
    best = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count]
    kept = [False] * len(scores)
    for place in best:
        kept[place] = True
    return kept


def compose(match: Match, phrases: Said, captions: Said, forms: Forms | None, matcher: str) -> TextBag:
    """Return the bag of a video that is kept, each text once, in the order of the sources.

    A phrase goes in together with all its forms. A caption gives only its verbs (or nouns), no phrases; or itself if
    there is no augmenter (`forms` is None). So does the matched entry, which is never an item itself: it is text1 of
    every prompt.
    """
    found: dict[str, Text] = {}
    _add(found, match.entry, _words(match.entry, matcher, forms))
    for source, texts in phrases.items():
        for phrase in texts:
            _add(found, match.entry, [Text(phrase, source, match.entry, "phrase"), *_forms(phrase, source, forms)])
    for source, texts in captions.items():
        for caption in texts:
            whole = [Text(caption, source, match.video.id, "phrase")] if forms is None else []
            _add(found, match.entry, [*whole, *_words(caption, source, forms)])
    said = tuple((source, tuple(texts)) for source, texts in {**phrases, **captions}.items())
    return TextBag(match, kept=True, texts=tuple(found.values()), said=said)


def _forms(text: str, source: str, forms: Forms | None) -> list[Text]:
    return [Text(form.text, source, text, form.kind) for form in (forms or {}).get(text, ())]


def _words(text: str, source: str, forms: Forms | None) -> list[Text]:
    return [item for item in _forms(text, source, forms) if item.kind != "verb-phrase"]


def _add(found: dict[str, Text], entry: str, texts: Iterable[Text]) -> None:
    """Add texts that are not there yet, whatever their case; who says one again is noted."""
    for text in texts:
        key = text.text.casefold()
        if key == entry.casefold():
            continue
        first = found.setdefault(key, text)
        if text.source != first.source and text.source not in first.also:
            found[key] = Text(first.text, first.source, first.of, first.kind, (*first.also, text.source))
