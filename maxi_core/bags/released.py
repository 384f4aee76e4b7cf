"""The text bags that the paper's authors released: read as a run, and written of one (method.md, field files).

Theirs are two folders of text files, one text a line in no order: `gpt3_verbs/<class>.txt` and
`caption_verbs_bag/<folder>/<video>.txt`, the folder and the name of the video. The matches are a list of lines
`<path> <pseudo label>`, and a table names the classes.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from glob import escape
from pathlib import Path, PurePosixPath

from maxi_core.bags.bag import to_line
from maxi_core.bags.manifest import BAGS, MANIFEST, finished, read_manifest
from maxi_core.bags.run import FILES, RECIPE, SKIPPED, write_manifest
from maxi_core.class_lists import read_class_list
from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import read_labels, read_names
from maxi_core.plugin.catalog import Catalog
from maxi_core.system.environment import versions
from maxi_core.system.files import to_json, utc_stamp, write_lines, write_text
from maxi_core.system.hidden import is_hidden
from maxi_core.system.locks import LOCK, locked
from maxi_core.system.remote import as_path
from maxi_core.system.replacing import nothing_left_if_refused, refuse_foreign_files
from maxi_core.system.store import digest
from maxi_core.system.text_files import check_text, excerpt
from maxi_core.texts import counted, name_key, tidy
from maxi_core.types import Match, Text, TextBag, Video
from maxi_core.version import __version__
from maxi_core.video.archives import video_exists
from maxi_core.video.folders import OutsideError, Root
from maxi_core.video.lists import is_video_name, parse_list_line, wrong

SCHEMA = 1
PHRASE_FOLDER, CAPTION_FOLDER = "gpt3_verbs", "caption_verbs_bag"
PHRASES, CAPTIONS = "gpt3", "blip"  # the sources that their files are recorded under
SCORE = 0.0  # their list of matches has no cosines, so no share of the best can be taken
LABELS, MATCHES, REST = "labels.csv", "matches.txt", "released.jsonl"
FOLDERS = "folders"  # instead of a list of matches: the folders of the captions are numbered by class


@dataclass(frozen=True)
class Release:
    """Where the files of a release are; `phrases` or `captions` may be None, and `matches` is None for FOLDERS.

    `classes` are the names by label, `name` is what the dictionary is called; `videos` is the folder that the paths of
    the matches start from. With `allow_outside_root` links in the folders may lead out of them.
    """

    matches: Path | None
    classes: Mapping[int, str]
    videos: Path
    phrases: Path | None
    captions: Path | None
    name: str = LABELS
    allow_outside_root: bool = False


@dataclass
class Released:
    """What was read: videos, those of which no file is there, those without a file of captions or without any text.

    `rest` counts the files that belong to none of these videos, which are kept for the way back.
    """

    videos: int = 0
    missing: int = 0
    without_captions: int = 0
    empty: int = 0
    classes: set[str] = field(default_factory=set)
    rest: int = 0


def find_release(
    folder: Path, matches: str | None, classes: str, videos: Path | None = None, catalog: Catalog | None = None
) -> Release:
    """Return the release in a folder, or in the folder `data` of it, as in the authors' repository.

    `matches` names the list of matches, or is FOLDERS; None takes the one text file that lies in the folder. `classes`
    is a file of class names, numbered or in order, or a known dictionary. Raises UsageError for what is not there.
    """
    places = [top for top in (folder, folder / "data") if any((top / name).is_dir() for name in _BOTH)]
    if not places:
        raise UsageError(
            f"there is neither {PHRASE_FOLDER} nor {CAPTION_FOLDER} in {folder}", "name the folder that has them"
        )
    phrases, captions = (places[0] / name if (places[0] / name).is_dir() else None for name in _BOTH)
    listed = None if matches == FOLDERS else as_path(matches) if matches else _only_list(places[0])
    if listed is None and captions is None:
        raise UsageError(f"--matches {FOLDERS} needs {CAPTION_FOLDER}, which {places[0]} lacks", "name a list")
    return Release(listed, _classes(classes, catalog), videos or folder, phrases, captions, classes)


_BOTH = (PHRASE_FOLDER, CAPTION_FOLDER)


def _only_list(folder: Path) -> Path:
    found = [path for path in sorted(folder.glob("*.txt")) if path.is_file() and not is_hidden(path.name)]
    if len(found) != 1:
        what = counted(len(found), "text file") if found else "no list of matches"
        raise UsageError(
            f"{folder} has {what}, and each video needs its match",
            f"name the list of lines PATH LABEL with --matches, or type --matches {FOLDERS} where the folders of "
            f"{CAPTION_FOLDER} are labels",
        )
    return found[0]


def _classes(name: str, catalog: Catalog | None) -> Mapping[int, str]:
    path = as_path(name)
    if not path.is_file():
        return dict(enumerate(read_dictionary(name, catalog).entries))
    if all(one.number is not None for one in read_class_list(path).names):
        return read_labels(path)
    return dict(enumerate(read_names(path)))


def import_released(release: Release, out: Path, *, argv: Sequence[str] = (), overwrite: bool = False) -> Released:
    """Write a run folder of the authors' files, which training takes; its matches have no scores.

    A class finds its file by name, whatever its case and punctuation. The class name is no item of its bag. Raises
    UsageError for a line that is not right, a class without its file, captions that fit no video, and a folder that
    has bags already (unless `overwrite`); then nothing is left that was not there before.
    """
    with nothing_left_if_refused(out, (LOCK, MANIFEST)), locked(out):
        before = read_manifest(out)
        if "made_of" not in before and not overwrite:
            refuse_foreign_files(out, (*FILES, LABELS, REST), "maxi import")
        again = "released" in before and (not finished(before) or (argv and before.get("argv") == list(argv)))
        if (out / BAGS).exists() and not (overwrite or again):
            raise UsageError(f"{out} has bags already", "choose another --out or add --overwrite")
        reading = _Reading(release)
        if not before:
            write_manifest(out, {**_manifest(reading, "", argv), "finished": None})  # first: it says whose the rest is
        checksum = write_lines(out / BAGS, map(to_line, reading.bags()))
        rest = list(reading.rest())
        reading.counts.rest = sum("entry" not in record for record in rest)
        write_lines(out / REST, map(to_json, rest))
        write_text(out / LABELS, table_of(release.classes))
        write_lines(out / SKIPPED, ())
        (out / RECIPE).unlink(missing_ok=True)
        write_manifest(out, _manifest(reading, checksum, argv))
    return reading.counts


def _manifest(reading: "_Reading", checksum: str, argv: Sequence[str]) -> dict[str, object]:
    release, counts = reading.release, reading.counts
    sources = {PHRASES: release.phrases, CAPTIONS: release.captions}
    names = tuple(release.classes.values())
    return {
        "schema": SCHEMA,
        "started": utc_stamp(),
        "finished": utc_stamp(),
        "argv": list(argv),
        "made_of": {
            "videos": f"{counts.videos}, of {release.matches.absolute() if release.matches else CAPTION_FOLDER}",
            "dictionary": f"{release.name} ({len(names)} entries, {digest(names)[:12]})",
            "matcher": "read from a list",
            "maxi": __version__,
        },
        "keep": 1.0,
        "sources": {name: f"read from {path.absolute()}" for name, path in sources.items() if path},
        "roles": {PHRASES: "expander", CAPTIONS: "captioner"},
        "released": {"matches": release.matches.name if release.matches else MATCHES},
        "counts": {"videos": counts.videos, "matched": counts.videos, "kept": counts.videos, "empty": counts.empty},
        "sha256": {BAGS: checksum},
        "versions": versions(),
    }


class _Reading:
    """One release as it is gone through: its bags, and after them the files that none was made of."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.counts = Released()
        outside = release.allow_outside_root
        self._root = Root(release.videos, given=True, allow_outside=outside)
        self._files = _text_files(release.phrases, outside) if release.phrases else {}
        self._captions = _text_files(release.captions, outside) if release.captions else {}
        self._by_key: dict[str, list[str]] = {}
        for name in self._files:
            self._by_key.setdefault(name_key(name.removesuffix(".txt")), []).append(name)
        self._phrases = cache(self._phrases_of)
        self._used: dict[str, str | None] = {}  # files that a bag was made of -> a class that is spelt otherwise

    def bags(self) -> Iterator[TextBag]:
        """Yield the bags in the order of the matches."""
        release, counts = self.release, self.counts
        seen: dict[str, int] = {}
        for line, path, label in self._matches():
            video, name = self._video(line, path), self._class(line, label)
            if (first := seen.setdefault(video.id, line)) != line:
                raise self._wrong(line, f"'{excerpt(video.id)}' is already on line {first}", "take one of them out")
            said: dict[str, tuple[str, ...]] = {} if release.phrases is None else {PHRASES: self._phrases(name)}
            captions = None if release.captions is None else self._captions_of(video)
            if captions is not None:
                said[CAPTIONS] = captions
            bag = TextBag(Match(video, name, SCORE), True, _texts(name, video, said), tuple(said.items()))
            counts.videos += 1
            counts.missing += not video_exists(video.path)
            counts.without_captions += release.captions is not None and captions is None
            counts.empty += not bag.texts
            counts.classes.add(name)
            yield bag
        if not counts.videos:
            raise UsageError(f"{release.matches} names no videos", "it has lines PATH LABEL")
        if release.captions is not None and counts.without_captions == counts.videos:
            where = release.captions / caption_file(video.id)
            raise UsageError(
                f"not one of {counted(counts.videos, 'video')} has captions; the last was looked for at {where}"
            )

    def rest(self) -> Iterator[dict[str, object]]:
        """Yield what the bags do not say: files of other classes and videos, and how files of classes are spelt."""
        for folder, files in ((PHRASE_FOLDER, self._files), (CAPTION_FOLDER, self._captions)):
            for name, path in files.items():
                file = f"{folder}/{name}"
                if file not in self._used:
                    yield {"schema": SCHEMA, "file": file, "texts": _lines(path)}
                elif (entry := self._used[file]) is not None:
                    yield {"schema": SCHEMA, "file": file, "entry": entry}

    def _matches(self) -> Iterator[tuple[int, str, int]]:
        """Yield (line, path, label) of each video."""
        path = self.release.matches
        if path is None:
            yield from self._of_folders()
            return
        check_text(path)
        try:
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
                for number, line in enumerate(file, 1):
                    if not line.strip():
                        continue
                    written, labels = parse_list_line(line.removesuffix("\n").removesuffix("\r"))
                    if not labels:  # a path without an ending that is known
                        written, _, last = written.rstrip().rpartition(" ")
                        labels = (int(last),) if last.isdecimal() and len(last) < 10 else ()
                    if len(labels) != 1:
                        raise self._wrong(number, "this is not a path and a label", "write PATH LABEL")
                    yield number, written.strip(), labels[0]
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}", "name the list of matches") from error

    def _of_folders(self) -> Iterator[tuple[int, str, int]]:
        assert self.release.captions is not None
        for number, name in enumerate(self._captions, 1):
            folder, _, file = name.partition("/")
            if not folder.isdecimal():
                raise UsageError(f"{self.release.captions / folder} is not numbered by class", "name a list: --matches")
            stem = file.removesuffix(".txt")
            there = (path.name for path in self.release.videos.glob(f"{folder}/{escape(stem)}.*"))
            yield number, f"{folder}/{next(filter(is_video_name, sorted(there)), f'{stem}.mp4')}", int(folder)

    def _wrong(self, line: int, what: str, fix: str = "correct the line") -> UsageError:
        return wrong(self.release.matches or self.release.captions or Path(), line, what, fix)

    def _video(self, line: int, written: str) -> Video:
        try:
            name, place = self._root.place(written)
        except OutsideError as error:
            raise self._wrong(line, error.problem, error.fix) from None
        return Video(name, Path(place))

    def _class(self, line: int, label: int) -> str:
        classes = self.release.classes
        if label not in classes:
            what = f"there is no class {label} among the {len(classes)} of {self.release.name}"
            raise self._wrong(line, what, "name the classes that the labels count: --classes")
        return classes[label]

    def _phrases_of(self, name: str) -> tuple[str, ...]:
        exact, alike = f"{name}.txt", self._by_key.get(name_key(name), [])
        if exact not in self._files and len(alike) != 1:
            what = f"could have {' or '.join(alike)}" if alike else f"has no file {exact}"
            raise UsageError(
                f"class '{excerpt(name)}' {what} in {self.release.phrases}", "take the class names of the release"
            )
        file = exact if exact in self._files else alike[0]
        self._used[f"{PHRASE_FOLDER}/{file}"] = None if file == exact else name
        return _lines(self._files[file])

    def _captions_of(self, video: Video) -> tuple[str, ...] | None:
        file = caption_file(video.id)
        self._used[f"{CAPTION_FOLDER}/{file}"] = None
        return _lines(self._captions[file]) if file in self._captions else None


def _text_files(folder: Path, outside: bool) -> dict[str, Path]:
    """Return the text files below a folder by their names in it, sorted, without hidden ones; links must stay in it.

    Unless they may lead `outside`.
    """
    root = Root(folder, given=True, allow_outside=outside)
    found = {}
    for path in sorted(folder.rglob("*.txt")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(map(is_hidden, name.split("/"))):
            root.check_links(str(path))
            found[name] = path
    return found


def caption_file(video: str) -> str:
    """Return where the captions of a video lie in their folder: `train/3/a b.mp4` has `3/a b.txt`."""
    path = PurePosixPath(video)
    stem = path.stem if is_video_name(path.name) else path.name
    return f"{path.parent.name}/{stem}.txt".lstrip("/")


def _lines(path: Path) -> tuple[str, ...]:
    """Return the lines of a file as they are, each once, without those in which nothing shows."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", "get the file again") from None
    return tuple(dict.fromkeys(line for line in lines if tidy(line)))


def _texts(name: str, video: Video, said: Mapping[str, Sequence[str]]) -> tuple[Text, ...]:
    """Return each text once, whatever its case, without the class name; who says one again is noted."""
    found: dict[str, Text] = {}
    for source, lines in said.items():
        of = name if source == PHRASES else video.id
        for text in map(tidy, lines):
            first = found.setdefault(text.casefold(), Text(text, source, of, "phrase" if " " in text else "verb"))
            if first.source != source:
                found[text.casefold()] = Text(first.text, first.source, first.of, first.kind, (source,))
    found.pop(name.casefold(), None)
    return tuple(found.values())


def table_of(classes: Mapping[int, str]) -> str:
    """Return a CSV id,name of the classes by label."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("id", "name"), *sorted(classes.items())])
    return out.getvalue()
