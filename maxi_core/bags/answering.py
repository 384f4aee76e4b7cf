"""What a worker of an engine does with a share of videos: a text in, a text out, models and sources kept in between.

A share comes as JSON: videos by path, and what is known of them. The answer is what goes into the store, which only the
process that runs the command writes; frames stay where they are decoded.
"""

import hashlib
import json
import logging
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from maxi_core.bags.askers import Askers, Sources, open_askers
from maxi_core.bags.codecs import video_key
from maxi_core.bags.pipeline import answer_all
from maxi_core.bags.progress import Unwatched
from maxi_core.bags.tally import Stages, Tally
from maxi_core.errors import MaxiError
from maxi_core.plugin.catalog import BUILTIN, FILE, Catalog, discover
from maxi_core.recipe.plugin_files import with_files
from maxi_core.recipe.recipe import Recipe, Setting, from_document, settle, with_decoder
from maxi_core.settings.options import secret_options
from maxi_core.settings.sections import MOST_WORKERS, VideoOptions
from maxi_core.system.remote import as_path
from maxi_core.system.secrets import MaskedStream, without_secrets
from maxi_core.system.store import Store
from maxi_core.types import Dictionary, Failed, Video
from maxi_core.video.inputs import VideoList
from maxi_core.video.skips import VideoFailed

MOST_TEXTS = 200_000  # whose forms a worker remembers


class HeldStore(Store):
    """A store in memory: what is known of a share, and what is new."""

    def __init__(self, folder: Path, _about: dict[str, object], *, costly: bool = False) -> None:
        self.folder, self.costly = folder, costly
        self._answers: dict[str, object] = {}
        self._checked = False
        self.new: list[list[object]] = []

    def begin(self, known: Mapping[str, object], *, checked: bool, keep: bool) -> None:
        """Begin a share; with `keep` earlier answers stay."""
        if not keep or len(self._answers) > MOST_TEXTS:
            self._answers = {}
        self._answers |= known
        self._checked, self.new = self._checked or checked, []

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def get(self, key: str) -> object | None:
        """Return the answer kept under `key`, or None."""
        return self._answers.get(key)

    def put(self, key: str, question: object, answer: object) -> None:
        """Keep an answer, and what it is an answer to."""
        self.new.append([key, question, answer])
        self._answers[key] = json.loads(json.dumps(answer))  # as a store on disk gives it back

    def mark_checked(self) -> None:
        """Remember that the order of the answers was seen to be right."""
        self._checked = True

    def note_speed(self, items: int, seconds: float) -> None:
        """Remember nothing: workers share a machine in other ways than the next run will."""

    def close(self) -> None:
        """Close nothing."""


@dataclass(frozen=True)
class Answering:
    """The work of a run: recipe, dictionary, plugin files and secret options, as texts; the rest is made of them.

    `only` and `without` are as in `discover`, `files` has the text of each plugin file by its path, `cores` is how many
    a worker has.
    """

    recipe: str
    dictionary: tuple[str, tuple[str, ...]]
    only: tuple[str, ...]
    without: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    cores: int | None = None
    strict: bool = False

    def __call__(self, item: str) -> str:
        """Answer a share; a MaxiError, which ends the run, and whatever else is raised are answers, too."""
        said: list[tuple[int, str]] = []
        try:
            with _overheard(said):
                answer = self._worker.answer(json.loads(item))
        except MaxiError as error:
            answer = {"error": [without_secrets(text) for text in (error.problem, error.fix)], "code": error.exit_code}
        except Exception as error:
            answer = {"bug": without_secrets(f"{type(error).__name__}: {error}"), "at": traceback.format_exc()}
        return json.dumps({**answer, "said": said})

    def close(self) -> None:
        """Close the sources; another share would open them anew."""
        if (worker := self.__dict__.pop("_worker", None)) is not None:
            worker.close()

    @cached_property
    def _worker(self) -> "_Worker":
        return _Worker(self)

    def sources(self, folder: Path) -> Sources:
        """Make the sources that are asked of videos; plugin files that are not here as they were are put in `folder`.

        Raises MaxiError for what is not installed here.
        """
        from maxi_core.bags.plan import make_sources

        catalog = with_files(discover(self.only, self.without), [_placed(*file, folder) for file in self.files])
        read = from_document(tomllib.loads(self.recipe), Path("recipe.toml"))
        secret = [Setting(section, key, value, "a secret option") for section, key, value in self.secrets]
        recipe = with_decoder(catalog, settle(catalog, [*read, *secret], sources=True))
        made, reading = make_sources(catalog, recipe), recipe.core("video", VideoOptions)
        if self.cores is not None and reading.workers is None:
            reading = reading.model_copy(update={"workers": min(MOST_WORKERS, self.cores)})
        return replace(made, texts=made.captioners, filters=(), reading=reading)


class _Worker:
    """The sources of a worker and the processes that decode for them, open from its first share on."""

    def __init__(self, work: Answering) -> None:
        from maxi_core.video.reader import pools_kept

        self._stack = ExitStack()
        self._stack.enter_context(pools_kept())
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="maxi-worker-")))
        self._sources = work.sources(folder)
        dictionary = Dictionary(*work.dictionary)
        opened = open_askers(self._sources, dictionary, folder, strict=work.strict, kept_by=HeldStore)
        self._askers: Askers = self._stack.enter_context(opened)
        self._stages = Stages(folder, Unwatched, lambda *_: None, lambda: None, work.strict)

    def close(self) -> None:
        self._stack.close()

    def answer(self, share: dict[str, Any]) -> dict[str, Any]:
        """Return what is new of a share by the labels of the sources, and by what the videos are known here."""
        videos = [Video(name, as_path(path), start, end) for name, path, start, end in share["videos"]]
        every = {asker.name: asker for asker in self._askers.every()}
        stores: dict[str, HeldStore] = {}
        for name, asker in every.items():
            store = asker.answers.store
            assert isinstance(store, HeldStore)
            known = share["known"].get(name, {"rows": {}, "checked": False})
            store.begin(known["rows"], checked=known["checked"], keep=asker is self._askers.augmenter)
            asker.answers.failed.clear()
            stores[name] = store
        before = {name: asker.asked for name, asker in every.items()}
        askers = self._askers if share["captions"] else replace(self._askers, captioners=())
        listed = VideoList(len(videos), lambda: iter(videos))
        for _ in answer_all(listed, askers, self._sources, self._stages, Tally()):
            pass
        return {
            "keys": [video_key(video) for video in videos],
            "stores": {name: [store.folder.name, store.checked, store.new] for name, store in stores.items()},
            "failed": {name: {k: plain(f) for k, f in one.answers.failed.items()} for name, one in every.items()},
            "asked": {name: asker.asked - before[name] for name, asker in every.items()},
        }


def plain(failed: Failed) -> list[str]:
    """Return why something failed as texts, which `failed_of` turns back."""
    more = [failed.error, failed.fix, failed.decoder] if isinstance(failed, VideoFailed) else []
    return [without_secrets(failed.reason), *more]


def failed_of(texts: list[str]) -> Failed:
    """Return what `plain` made texts of."""
    return VideoFailed(*texts) if len(texts) > 1 else Failed(*texts)


def work_of(
    catalog: Catalog, recipe: Recipe, dictionary: Dictionary, cores: int | None, *, strict: bool = False
) -> Answering:
    """Return the work of a run by a settled recipe: with the plugins that it uses and the secrets that it does not say.

    Raises MaxiError for a plugin file that can no longer be read.
    """
    used = {*recipe.versions, recipe.core("video", VideoOptions).decoder.partition(":")[0]}
    theirs = [plugin for plugin in catalog.plugins if plugin.state == "ok" and plugin.dist not in (BUILTIN, FILE)]
    secrets = [
        (name, key, _told(value))
        for name, options in recipe.sections.items()
        for key, value in options
        if key in secret_options(type(options)) and value is not None
    ]
    return Answering(
        recipe.to_toml(),
        (dictionary.name, dictionary.entries),
        tuple(plugin.label for plugin in theirs if plugin.dist in used),
        tuple(plugin.label for plugin in catalog.plugins if plugin.state == "off" and plugin.dist == BUILTIN),
        tuple((plugin.module, _text(Path(plugin.module))) for plugin in catalog.plugins if plugin.dist == FILE),
        tuple(secrets),
        cores,
        strict,
    )


def _told(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MaxiError(f"cannot read the plugin file {path}: {error}", "put it back") from None


def _placed(path: str, text: str, folder: Path) -> Path:
    """Return where a plugin file is: where it was, if it is the same here, else in `folder`, of a name as before."""
    place, data = Path(path), text.encode()
    if place.is_file() and place.read_bytes() == data:
        return place
    place = folder / hashlib.sha256(path.encode()).hexdigest()[:8] / place.name
    place.parent.mkdir()
    place.write_bytes(data)
    return place


class _Overheard(logging.Handler):
    """Keeps what maxi warns of, for the process that runs the command."""

    def __init__(self, said: list[tuple[int, str]]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append((record.levelno, without_secrets(record.getMessage())))


@contextmanager
def _overheard(said: list[tuple[int, str]]) -> Iterator[None]:
    """Keep what maxi warns of in `said`; what plugins print goes to stderr without secrets."""
    logger, handler = logging.getLogger("maxi"), _Overheard(said)
    before, propagates = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [handler], False
    stream: Any = MaskedStream(sys.stderr)
    try:
        with redirect_stdout(stream), redirect_stderr(stream):
            yield
    finally:
        logger.handlers[:], logger.propagate = before, propagates
