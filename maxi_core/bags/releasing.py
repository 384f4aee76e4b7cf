"""The bags of a run as the files that the paper's authors released (`released.py` reads them)."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maxi_core.bags.bag import read_bags
from maxi_core.bags.manifest import read_manifest
from maxi_core.bags.released import (
    CAPTION_FOLDER,
    LABELS,
    MATCHES,
    PHRASE_FOLDER,
    REST,
    caption_file,
    table_of,
)
from maxi_core.errors import UsageError
from maxi_core.system.files import parsed_json, write_text
from maxi_core.system.text_files import excerpt, read_text
from maxi_core.texts import counted
from maxi_core.types import TextBag

CAPTIONER = "captioner"  # the role whose texts are of a video and not of its match


@dataclass
class _Written:
    """What one run comes to: the texts of each class by its file, and those of videos that are written already."""

    classes: dict[str, tuple[str, dict[str, None]]] = field(default_factory=dict)  # file -> class, texts
    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)  # file -> texts
    matches: list[str] = field(default_factory=list)


def write_release(run: Path, folder: Path) -> int:
    """Write gpt3_verbs, caption_verbs_bag, the list of matches and labels.csv into a folder; return the videos.

    A run that was read from such files gives the same, as sets. Of another, a class has its name, its phrases and all
    their forms, a video the words of its captions; videos that are not kept are left out. Raises UsageError for what
    these files cannot hold: windows, newlines, and two videos or classes that would have one file.
    """
    manifest = read_manifest(run)
    about = manifest.get("released")
    read_as = about if isinstance(about, dict) else None
    rest = list(_rest(run)) if read_as else []
    spelt = {record["entry"]: record["file"] for record in rest if "entry" in record}
    labels = _labels(run)
    written, of_videos = _Written(), captioners(run)
    for bag in read_bags(run):
        if bag.kept:
            _add(written, bag, of_videos, labels, spelt, verbatim=read_as is not None)
    files: dict[str, Iterable[str]] = {file: texts for file, (_, texts) in written.classes.items()}
    files |= written.captions | {record["file"]: record["texts"] for record in rest if "texts" in record}
    for file, lines in files.items():
        _check_inside(file)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    listed = folder / Path(str((read_as or {}).get("matches", MATCHES))).name
    listed.write_text("".join(f"{line}\n" for line in written.matches), encoding="utf-8", errors="surrogateescape")
    write_text(folder / LABELS, table_of({label: name for name, label in labels.items()}))
    return len(written.matches)


def captioners(run: Path) -> frozenset[str]:
    """Return the sources of a run whose texts are of a video, and not of its match; raises UsageError."""
    roles = read_manifest(run).get("roles")
    if not isinstance(roles, dict):
        raise UsageError("the run is of an earlier maxi, which did not note who captions", "run its maxi bags again")
    return frozenset(name for name, role in roles.items() if role == CAPTIONER)


def _labels(run: Path) -> dict[str, int]:
    """Return the label of each class: that of the list it was read with, else its place among those that matched."""
    path = run / LABELS
    if path.is_file():
        try:
            return {name: int(label) for label, name in [*csv.reader(read_text(path).splitlines())][1:]}
        except ValueError:
            raise UsageError(f"{path} is no table id,name", "import the bags again") from None
    return {name: label for label, name in enumerate(sorted({bag.match.entry for bag in read_bags(run) if bag.kept}))}


def _rest(run: Path) -> Iterator[dict[str, Any]]:
    path = run / REST
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            record = parsed_json(line)
            if {*record} not in ({"schema", "file", "texts"}, {"schema", "file", "entry"}):
                raise ValueError("a line of another form")
            yield record
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"cannot read {path}: {error}", "import the bags again") from None


def _check_inside(file: str) -> None:
    parts = file.split("/")
    if parts[0] not in (PHRASE_FOLDER, CAPTION_FOLDER) or not all(parts) or {"..", "."} & {*parts}:
        raise UsageError(f"{excerpt(file)} would not lie in the folder of the release", "export to jsonl")


def _add(
    written: _Written,
    bag: TextBag,
    captioners: frozenset[str],
    labels: Mapping[str, int],
    spelt: Mapping[str, str],
    *,
    verbatim: bool,
) -> None:
    video, entry = bag.match.video, bag.match.entry
    if video.start is not None or video.end is not None:
        raise UsageError(f"{excerpt(video.id)} is a window, and these files have none", "export to jsonl")
    if "\n" in video.id or "\r" in video.id:
        raise UsageError(f"{excerpt(video.id)} has a newline in its name, as no line can", "export to jsonl")
    if entry not in labels:
        raise UsageError(
            f"'{excerpt(entry)}' is not among the {counted(len(labels), 'class')} of {LABELS}", "import the bags again"
        )
    written.matches.append(f"{video.id} {labels[entry]}")
    said = dict(bag.said)
    phrases, captions = ([name for name in said if (name in captioners) == wanted] for wanted in (False, True))
    if verbatim:
        ours, theirs = ([text for name in names for text in said[name]] for names in (phrases, captions))
    else:
        texts = [(text.text, {text.source, *text.also}) for text in bag.texts]
        ours = [entry, *(text for text, sources in texts if sources - captioners)]
        theirs = [text for text, sources in texts if sources & captioners]
    if phrases or not verbatim:
        file = spelt.get(entry, f"{PHRASE_FOLDER}/{entry.replace('/', '_')}.txt")
        owner, found = written.classes.setdefault(file, (entry, {}))
        if owner != entry:
            raise UsageError(f"the classes '{owner}' and '{entry}' would both have {file}", "rename one of them")
        found.update(dict.fromkeys(ours))
    if captions:
        file = f"{CAPTION_FOLDER}/{caption_file(video.id)}"
        if written.captions.setdefault(file, tuple(theirs)) != tuple(theirs):
            raise UsageError(f"{excerpt(video.id)} and another video would both have {file}", "export to jsonl")
