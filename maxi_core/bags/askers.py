"""The sources of a run, each with the shelf on which its answers are kept."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxi_core.bags.asking import Asker
from maxi_core.bags.codecs import FORMS_OF_TEXT, TEXTS_OF_ENTRY, TEXTS_OF_VIDEO, Codec, match_codec
from maxi_core.bags.shelf import ABOUT, Shelf, digest
from maxi_core.border import fingerprint
from maxi_core.secrets import is_secret, masked
from maxi_core.sources import Augmenter, Captioner, Expander, Matcher, Source
from maxi_core.types import Dictionary, Form, Match, Video


@dataclass(frozen=True)
class Players:
    """The sources of a run, by part; texts in the order in which they fill the bags."""

    matcher: Matcher
    texts: tuple[Expander | Captioner, ...] = ()
    augmenter: Augmenter | None = None

    def every(self) -> list[Source]:
        """Return all of them, in the order of the flow."""
        return [self.matcher, *self.texts, *([self.augmenter] if self.augmenter else [])]


@dataclass(frozen=True)
class Askers:
    """The players, ready to be asked."""

    matcher: Asker[Video, Match]
    expanders: tuple[Asker[str, list[str]], ...]
    captioners: tuple[Asker[Video, list[str]], ...]
    augmenter: Asker[str, list[Form]] | None

    def asked(self) -> dict[str, int]:
        """Return how many questions each source was really asked."""
        every: list[Asker[Any, Any]] = [self.matcher, *self.expanders, *self.captioners]
        every += [self.augmenter] if self.augmenter else []
        return {asker.name: asker.asked for asker in every}


@contextmanager
def open_askers(players: Players, dictionary: Dictionary, store: Path, *, strict: bool) -> Iterator[Askers]:
    """Open the shelves of all players, and close them in the end.

    Each source is asked for its fingerprint first, so a missing key or model is seen before any work is done.
    """
    with ExitStack() as stack:

        def ready(
            source: Source,
            method: Callable[[Iterable[Any]], Iterator[object]],
            codec: Codec[Any, Any],
            *more: object,
            costly: bool = False,
        ) -> Asker[Any, Any]:
            about = shelf_about(source, *more)
            shelf = stack.enter_context(Shelf(store / shelf_name(about), about, costly=costly))
            return Asker(source.name, method, codec, shelf, strict=strict)

        matcher, augmenter = players.matcher, players.augmenter
        yield Askers(
            expanders=tuple(
                ready(source, source.expand, TEXTS_OF_ENTRY, costly=True)
                for source in players.texts
                if isinstance(source, Expander)
            ),
            captioners=tuple(
                ready(source, source.caption, TEXTS_OF_VIDEO)
                for source in players.texts
                if isinstance(source, Captioner)
            ),
            augmenter=ready(augmenter, augmenter.augment, FORMS_OF_TEXT) if augmenter else None,
            matcher=ready(
                matcher,
                lambda videos: matcher.match(videos, dictionary),
                match_codec(dictionary),
                digest(dictionary.entries),
            ),
        )


def shelf_about(source: Source, *more: object) -> dict[str, object]:
    """Return what the answers of a source depend on: options, fingerprint, and `more` (a matcher's dictionary)."""
    about: dict[str, object] = {
        "source": source.name,
        "package": type(source).__module__.partition(".")[0],
        "options": _options(source),
        "fingerprint": fingerprint(source),
        "more": list(more),
    }
    if isinstance(source, (Matcher, Captioner)):
        about |= source.video.model_dump(mode="json", include={"decoder", "square_pixels", "short_side"})
    return about


def shelf_name(about: dict[str, object]) -> str:
    """Return the name of the folder in the store that holds the answers of a source in this set-up."""
    return f"{about['source']}-{digest(about)[:16]}"


def unknown(store: Path, source: Source, keys: Iterable[str]) -> int:
    """Return how many questions a source was never asked with these options, as far as can be seen without asking it.

    Its fingerprint is not looked at, since that may need a model or a network.
    """
    with ExitStack() as stack:
        shelves = [
            stack.enter_context(Shelf(path.parent, {}))
            for path in store.glob(f"{source.name}-*/{ABOUT}")
            if _says(path, source)
        ]
        return sum(not any(key in shelf for shelf in shelves) for key in keys)


def _says(path: Path, source: Source) -> bool:
    """Whether an about file is of this source with these options; one that is damaged is of nobody."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    mine = (source.name, masked(_options(source)))
    return isinstance(about, dict) and (about.get("source"), about.get("options")) == mine


def _options(source: Source) -> dict[str, object]:
    options: dict[str, object] = source.options.model_dump(mode="json", exclude=set(type(source.options).EFFORT))
    return {key: value for key, value in options.items() if not is_secret(key)}  # another key asks nothing anew
