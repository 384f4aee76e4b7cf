"""`webvid`: noise for the dictionary, verbs and verb phrases of captions such as WebVid's (paper section 4.5.2)."""

import csv
import gzip
import hashlib
import heapq
import io
import logging
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeAlias, cast

from pydantic import Field

import maxi_core
from maxi_core import Dictionary, Form, Injector, Source, WorldPath, hookimpl
from maxi_core.errors import UsageError
from maxi_core.plugin.roles import Augment
from maxi_core.texts import AND_MORE, counted, first_few, name_key, tidy

# Files of captions, streamed: one a line, or a column of a CSV such as WebVid's; gzip or not.

logger = logging.getLogger("maxi")

GZIP = b"\x1f\x8b"
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
WEBVID = "name"  # the column of WebVid's captions: videoid,contentUrl,duration,page_dir,name
SHOWN = 12  # columns that an error names


def read_captions(path: Path, column: str | None) -> Iterator[str]:
    """Yield the captions of a file, tidied, without the blank ones.

    With `column`, or if the file is called .csv or .tsv, it is a table with a header, and its column `name` if none is
    named; else each line is a caption. UTF-8, in which unreadable bytes are replaced, or UTF-16 with its mark. Raises
    UsageError for a file that cannot be read and for a column that it has not, with the columns that it has.
    """
    try:
        with _opened(path) as file:
            delimiter = DELIMITERS.get(_kind(path))
            table = column is not None or delimiter is not None
            texts = _cells(path, file, column or WEBVID, delimiter or ",") if table else iter(file)
            yield from filter(None, map(tidy, texts))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"{path} is cut or damaged: {error}", "get the file again") from None
    except OSError as error:
        raise UsageError(f"cannot read the captions {path}: {error.strerror or error}", "name a text file") from None


def _kind(path: Path) -> str:
    """Return the suffix that says what is in a file: .csv of `captions.csv.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
    with gzip.open(path) if packed else path.open("rb") as data:
        start = data.read(2)
        data.seek(0)
        yield io.TextIOWrapper(cast(BinaryIO, data), MARKS.get(start, "utf-8-sig"), errors="replace", newline="")


def _cells(path: Path, file: io.TextIOWrapper, column: str, delimiter: str) -> Iterator[str]:
    rows = csv.reader(file, delimiter=delimiter)
    short = 0
    try:
        header = [name.strip() for name in next(rows, [])]
        if column not in header:
            raise UsageError(
                f"{path} has no column '{column}'; its columns are: {first_few(header, SHOWN, AND_MORE) or 'none'}",
                "type -o webvid.column=NAME",
            )
        place = header.index(column)
        for row in rows:
            if len(row) > place:
                yield row[place]
            elif row:
                short += 1
    except csv.Error as error:
        raise UsageError(f"{path}:{rows.line_num} is not CSV: {error}", "close the quotes in it") from None
    if short:
        logger.warning("%s: left out %s without the column '%s'", path, counted(short, "row"), column)


Kind: TypeAlias = Literal["verb", "verb-phrase"]
CHUNK = 4096  # captions that the augmenter gets at once
COLUMNS = "a file with one caption a line, or a CSV such as WebVid's"


class Webvid(Injector):
    """Make the dictionary over-specified: add verbs and verb phrases of captions that it does not have yet.

    They are drawn at random from the distinct ones, whatever the order of the captions, and stand at the end of the
    new dictionary, whose name says how many: `kinetics400+webvid400@seed0`. A larger draw begins with the smaller one.
    """

    name = "webvid"

    class Options(maxi_core.Options):
        """Which captions, and how many verbs and verb phrases of them."""

        captions: Annotated[Path | None, WorldPath("captions")] = Field(
            None, description=COLUMNS + ", gzip or not, or the name of a world; to be named"
        )
        column: str | None = Field(None, description="column of the captions; none: `name` of a .csv, lines of others")
        noise: int = Field(400, ge=1, description="verbs and verb phrases that are added")
        seed: int = Field(0, description="which of them")
        kinds: tuple[Kind, ...] = Field(
            ("verb", "verb-phrase"), min_length=1, description="what is taken; the supplement speaks of verbs alone"
        )

    options: Options

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        """Return the dictionary with `noise` more entries at its end.

        A verb enters as its gerund (the form that is not its lemma), if it has one, and only once. What the dictionary
        has already, by its letters and digits, does not count. Memory does not grow with the file. Raises UsageError
        if the captions cannot be read or hold fewer than `noise` new verbs and verb phrases.
        """
        known = frozenset(map(name_key, dictionary.entries))
        draw = Draw(self.options.noise, self.options.seed, known)
        captions = read_captions(self._path(), self.options.column)
        for text, lemma in _candidates(captions, augment, self.options.kinds):
            if _key_of_lemma(lemma) not in known:
                draw.offer(text)
        noise = draw.drawn()
        if len(noise) < self.options.noise:
            raise UsageError(
                f"{self.options.captions} holds {len(noise)} verbs and verb phrases that {dictionary.name} has not,"
                f" and {self.options.noise} are wanted",
                f"type -o webvid.noise={len(noise)} or name more captions",
            )
        name = f"{dictionary.name}+webvid{len(noise)}@seed{self.options.seed}"
        return Dictionary(name, (*dictionary.entries, *noise))

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options and the augmenter decides the answer: what the captions file holds."""
        path = self._path()
        try:
            with path.open("rb") as file:
                return {"captions": hashlib.file_digest(file, "sha256").hexdigest()}
        except OSError as error:
            why = error.strerror or error
            raise UsageError(f"cannot read the captions {path}: {why}", f"name {COLUMNS}") from None

    def _path(self) -> Path:
        if self.options.captions is None:
            raise UsageError("webvid has no captions to take verbs from", f"type -o webvid.captions=FILE, {COLUMNS}")
        return self.options.captions


class Draw:
    """The `count` candidates whose seeded hash is smallest: a random sample of the distinct ones, in one pass.

    Those whose key is among the `known` ones are no candidates.

    The same for every order in which they are offered and however often each is; memory grows with `count` only. Of
    candidates that differ only in case, spaces and punctuation the first one by alphabet counts.
    """

    def __init__(self, count: int, seed: int, known: Collection[str] = ()) -> None:
        self._count, self._seed, self._known = count, seed, known
        self._ranks: list[tuple[int, str]] = []  # a heap with the largest hash first: hashes are negated
        self._texts: dict[str, str] = {}

    def offer(self, text: str) -> None:
        """Offer a candidate; one without letters and digits is none."""
        key = name_key(text)
        if key in self._texts:
            self._texts[key] = min(self._texts[key], text)
        elif key and key not in self._known and self._enters(-self._hash(key), key):
            self._texts[key] = text

    def drawn(self) -> list[str]:
        """Return the texts that are drawn, in the order of their hashes."""
        return [self._texts[key] for _, key in sorted(self._ranks, reverse=True)]

    def _enters(self, rank: int, key: str) -> bool:
        if len(self._ranks) < self._count:
            heapq.heappush(self._ranks, (rank, key))
            return True
        if (rank, key) <= self._ranks[0]:
            return False
        _, worst = heapq.heapreplace(self._ranks, (rank, key))
        del self._texts[worst]  # it never comes back: what is drawn has smaller hashes from here on
        return True

    def _hash(self, key: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{self._seed}\n{key}".encode(), digest_size=8).digest())


_key_of_lemma = lru_cache(10_000)(name_key)


def _candidates(captions: Iterator[str], augment: Augment, kinds: Collection[Kind]) -> Iterator[tuple[str, str]]:
    """Yield (text, lemma) of each verb, as its gerund if it has one, and of each verb phrase, if they are wanted."""
    while chunk := list(islice(captions, CHUNK)):
        for forms in augment(chunk):
            if "verb-phrase" in kinds:
                yield from ((tidy(form.text), form.lemma) for form in forms if form.kind == "verb-phrase")
            if "verb" in kinds:
                yield from _gerunds([form for form in forms if form.kind == "verb"]).items()


def _gerunds(verbs: list[Form]) -> dict[str, str]:
    """Return {text: lemma} of verbs that come as lemma and gerund: of each lemma the other form, if there is one."""
    inflected = {form.lemma for form in verbs if form.text != form.lemma}
    return {tidy(form.text): form.lemma for form in verbs if form.text != form.lemma or form.lemma not in inflected}


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `webvid`."""
    return [Webvid]
