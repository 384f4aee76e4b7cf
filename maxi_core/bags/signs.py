"""What in a bag a person should look at: signs that a match, a source or a text may not be right."""

import re
from collections.abc import Mapping, Sequence

from maxi_core.types import TextBag

CLOSE = 0.002  # cosine between the best entry and the second
LONG = 200  # characters of a text
_MARKUP = re.compile(r"[<>{}\[\]\\|]|https?:")

EMPTY = "empty"
SIGNS: Mapping[str, str] = {
    EMPTY: "the bag has no text",
    "failed": "a source failed for the video or its entry",
    "silent": "a source of texts said nothing",
    "close": f"the second entry is within {CLOSE} of the match",
    "one caption": "all captions are the same",
    "odd text": f"a text has markup or an address, or over {LONG} characters",
    "wrong": "the match is not the label",
}


def captioners_of(bag: TextBag) -> tuple[str, ...]:
    """Return the sources that spoke of the video itself; what an expander says are phrases of the entry."""
    expanders = {text.source for text in bag.texts if text.kind == "phrase" and text.of == bag.match.entry}
    return tuple(source for source, _ in bag.said if source not in expanders)


def signs_of(bag: TextBag, sources: Sequence[str], *, failed: bool = False, right: bool | None = None) -> list[str]:
    """Return the signs of one bag, names of SIGNS.

    `sources` are those of texts that the run asked, `failed` whether a source is known to have failed for it, and
    `right` whether the match is the label, None where no label is known. A video that is not kept has no bag, and
    so only the signs of its match.
    """
    said = dict(bag.said)
    top, score = bag.match.top, bag.match.score
    captions = [said[source] for source in captioners_of(bag) if len(said[source]) > 1]
    every = [text.text for text in bag.texts] + [text for texts in said.values() for text in texts]
    found = {
        EMPTY: bag.kept and not bag.texts,
        "failed": failed,
        "silent": bag.kept and not all(said.get(source) for source in (*sources, *said)),
        "close": len(top) > 1 and score - top[1][1] < CLOSE,
        "one caption": any(len(set(texts)) == 1 for texts in captions),
        "odd text": any(len(text) > LONG or _MARKUP.search(text) for text in every),
        "wrong": right is False,
    }
    return [sign for sign in SIGNS if found[sign]]
