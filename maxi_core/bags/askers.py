"""The sources of a run, each with the part of the store in which its answers are kept."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker, Method
from maxi_core.bags.codecs import FILTERED_BAG, FORMS_OF_TEXT, TEXTS_OF_ENTRY, TEXTS_OF_VIDEO, Codec, match_codec
from maxi_core.bags.probed_first import probe_all
from maxi_core.plugin.calls import fingerprint
from maxi_core.plugin.roles import LOOKING, Augmenter, Captioner, Expander, Filter, Matcher, Source
from maxi_core.settings.options import deciding
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import parsed_json
from maxi_core.system.secrets import masked
from maxi_core.system.store import ABOUT, Store, digest, parts_of
from maxi_core.types import Clip, Dictionary, Failed, Form, Match, TextBag, Video

Failures = Mapping[str, Mapping[str, Failed]]  # label of a source -> key of the question -> why it has no answer


@dataclass(frozen=True)
class Sources:
    """The sources of a run by part, texts and filters in their order, and how videos are read.

    `shortened` says whether verb phrases shorter than their phrase go into bags (`bag.compose`).
    """

    matcher: Matcher
    texts: tuple[Expander | Captioner, ...] = ()
    augmenter: Augmenter | None = None
    reading: VideoOptions = field(default_factory=VideoOptions)
    shortened: bool = False
    filters: tuple[Filter, ...] = ()

    def every(self) -> list[Source]:
        """Return all of them, in the order of the flow."""
        return [self.matcher, *self.texts, *([self.augmenter] if self.augmenter else []), *self.filters]

    @property
    def expanders(self) -> tuple[Expander, ...]:
        """The sources of texts that are asked of entries."""
        return tuple(source for source in self.texts if isinstance(source, Expander))

    @property
    def captioners(self) -> tuple[Captioner, ...]:
        """The sources of texts that are asked of videos."""
        return tuple(source for source in self.texts if isinstance(source, Captioner))


@dataclass(frozen=True)
class Askers:
    """The sources, ready to be asked."""

    matcher: Asker[Video, Match]
    expanders: tuple[Asker[str, list[str]], ...]
    captioners: tuple[Asker[Video, list[str]], ...]
    augmenter: Asker[str, list[Form]] | None
    filters: tuple[Asker[TextBag, TextBag], ...] = ()

    def every(self) -> list[Asker[Any, Any]]:
        """Return all of them, in the order of the flow."""
        augmenters = [self.augmenter] if self.augmenter else []
        return [self.matcher, *self.expanders, *self.captioners, *augmenters, *self.filters]


@contextmanager
def open_askers(
    sources: Sources,
    dictionary: Dictionary,
    store: Path,
    *,
    strict: bool,
    failed: Failures | None = None,
    kept_by: type[Store] = Store,
) -> Iterator[Askers]:
    """Open the store for all sources, and close them and it in the end.

    `failed` is what a worker of this run could not answer, which is not asked again; `kept_by` is the store's class.

    Each source is asked for its fingerprint first, so a missing key or model is seen before any work is done. A wrong
    one is seen before the first video is matched: sources of texts that can be tried at no cost (`probe`) are.
    """
    matcher, augmenter = sources.matcher, sources.augmenter
    with ExitStack() as stack:

        def ready(
            source: Source, method: Method, codec: Codec[Any, Any], *more: object, costly: bool = False
        ) -> Asker[Any, Any]:
            about = store_about(source, sources.reading, *more)
            part = stack.enter_context(kept_by(store / store_name(about), about, costly=costly))
            answers: Answers[Any, Any] = Answers(source.label, codec, part, (failed or {}).get(source.label))
            asker: Asker[Any, Any] = Asker(source, method, answers, strict=strict)
            stack.callback(asker.close)
            return asker

        expanders = tuple(ready(one, one.expand, TEXTS_OF_ENTRY, costly=True) for one in sources.expanders)
        captioners = tuple(
            ready(one, one.caption, TEXTS_OF_VIDEO, costly=one.costs_money) for one in sources.captioners
        )
        augmenting = ready(augmenter, augmenter.augment, FORMS_OF_TEXT) if augmenter else None
        filters = tuple(ready(one, partial(_filter, one), FILTERED_BAG) for one in sources.filters)
        entries = digest(dictionary.entries)
        matching = ready(matcher, lambda clips: matcher.match(clips, dictionary), match_codec(dictionary), entries)
        matching.before = partial(probe_all, (*expanders, *captioners), dictionary.entries)
        yield Askers(matching, expanders, captioners, augmenting, filters)


def _filter(source: Filter, asked: list[tuple[Clip, TextBag]]) -> object:
    return source.filter([clip for clip, _ in asked], [bag for _, bag in asked])


def store_about(source: Source, reading: VideoOptions, *more: object) -> dict[str, object]:
    """Return what the answers of a source depend on: options, fingerprint, and `more` (a matcher's dictionary)."""
    about: dict[str, object] = {
        "source": source.ref or source.name,
        "version": source.version,
        "options": deciding(source.settled or source.options),
        "fingerprint": fingerprint(source),
        "more": list(more),
    }
    if isinstance(source, LOOKING):
        about |= reading.of_frames(sized=True)
    return about


def store_name(about: dict[str, object]) -> str:
    """Return the name of the folder in the store that holds the answers of a source in this set-up."""
    return f"{_folder(str(about['source']))}-{digest(about)[:16]}"


def _folder(ref: str) -> str:
    return ref.replace(":", ".")  # no file name on some systems may hold a colon


def unknown(store: Path, source: Source, keys: Iterable[str], *more: object) -> tuple[int, float | None]:
    """Return how many questions a source was never asked with these options, as far as can be seen without asking it.

    And the seconds that an answer of it took when that was last measured, None if it never was. `more` as in
    `store_about`.

    Its fingerprint is not looked at, since that may need a model or a network.
    """
    with ExitStack() as stack:
        opened = [
            stack.enter_context(Store(path, {}))
            for path in parts_of(store, f"{_folder(source.ref or source.name)}-")
            if _says(path / ABOUT, source, more)
        ]
        seconds = next((speed for part in opened if (speed := part.speed()) is not None), None)
        return sum(not any(key in part for part in opened) for key in keys), seconds


def _says(path: Path, source: Source, more: tuple[object, ...]) -> bool:
    """Whether an about file is of this source with these options; one that is damaged is of nobody."""
    try:
        about = parsed_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    mine: dict[str, object] = {"source": source.ref or source.name, "version": source.version, "more": list(more)}
    mine["options"] = masked(deciding(source.settled or source.options))
    return isinstance(about, dict) and all(about.get(key) == value for key, value in mine.items())
