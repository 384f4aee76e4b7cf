"""The bags that the paper's authors released, read as a run that can be trained on (method.md, field files)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from maxi_core.bags.bag import to_line
from maxi_core.bags.manifest import BAGS
from maxi_core.errors import UsageError
from maxi_core.system.files import write_lines
from maxi_core.system.text_files import check_text
from maxi_core.texts import tidy
from maxi_core.types import Match, Text, TextBag, Video
from maxi_core.video.inputs import OutsideError, Root
from maxi_core.video.lists import parse_list_line, wrong

PHRASES, CAPTIONS = "gpt3", "blip"  # the sources that their files are recorded under
SCORE = 0.0  # their list of matches has no cosines, so no share of the best can be taken


@dataclass(frozen=True)
class Released:
    """What was read: videos, how many of them have no file of captions, and how many no text at all."""

    videos: int
    without_captions: int
    empty: int


def import_released(
    matches: Path, classes: Sequence[str], out: Path, *, videos: Path, phrases: Path | None, captions: Path | None
) -> Released:
    """Write a run folder of the authors' files, which `open_bags` reads.

    `matches` has a line `<path> <pseudo label>` for each video, with paths below `videos` and labels that count
    `classes`. `phrases` is their folder gpt3_verbs (`<class>.txt`), `captions` their folder caption_verbs_bag
    (`<folder>/<video>.txt`, the folder and the name of the video); None leaves a source out. The class name is no item
    of its bag. Raises UsageError for a line that is not right, a class without its file, and captions that fit none.
    """
    for folder in (phrases, captions):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"there is no folder {folder}", "name gpt3_verbs and caption_verbs_bag of the release")
    counts = {"videos": 0, "missing": 0, "empty": 0}
    lines = (to_line(bag) for bag in _bags(matches, classes, videos, phrases, captions, counts))
    write_lines(out / BAGS, lines)
    return Released(counts["videos"], counts["missing"], counts["empty"])


def _bags(
    matches: Path,
    classes: Sequence[str],
    videos: Path,
    phrases: Path | None,
    captions: Path | None,
    counts: dict[str, int],
) -> Iterator[TextBag]:
    said_of = cache(lambda name: _phrases(phrases, name))
    for video, name in _matched(matches, classes, videos):
        found = None if captions is None else _lines(_captions_of(captions, video))
        said: dict[str, tuple[str, ...]] = {} if phrases is None else {PHRASES: said_of(name)}
        if found is not None:
            said[CAPTIONS] = found
        counts["videos"] += 1
        counts["missing"] += captions is not None and found is None
        bag = TextBag(Match(video, name, SCORE), True, _texts(name, video, said), tuple(said.items()))
        counts["empty"] += not bag.texts
        yield bag
    if not counts["videos"]:
        raise UsageError(f"{matches} names no videos", "it has lines PATH LABEL")
    if captions is not None and counts["missing"] == counts["videos"]:
        where = _captions_of(captions, video)
        raise UsageError(f"not one of {counts['videos']} videos has captions; the last was looked for at {where}")


def _matched(matches: Path, classes: Sequence[str], videos: Path) -> Iterator[tuple[Video, str]]:
    check_text(matches)
    root = Root(videos, given=True, allow_outside=False)
    try:
        with matches.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                written, labels = parse_list_line(line.removesuffix("\n").removesuffix("\r"))
                if len(labels) != 1 or not 0 <= labels[0] < len(classes):
                    raise wrong(matches, number, f"this is not a path and a label below {len(classes)}")
                try:
                    name, place = root.place(written)
                except OutsideError as error:
                    raise wrong(matches, number, error.problem, error.fix) from None
                yield Video(name, Path(place)), classes[labels[0]]
    except OSError as error:
        raise UsageError(f"cannot read {matches}: {error.strerror or error}", "name the list of matches") from error


def _captions_of(captions: Path, video: Video) -> Path:
    path = PurePosixPath(video.id)
    return captions / path.parent.name / f"{path.stem}.txt"


def _phrases(folder: Path | None, name: str) -> tuple[str, ...]:
    assert folder is not None
    found = _lines(folder / f"{name}.txt")
    if found is None:
        raise UsageError(f"class '{name}' has no file {folder / name}.txt", "take the class names of the release")
    return found


def _lines(path: Path) -> tuple[str, ...] | None:
    """Return the texts of a file, one a line, or None if there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", "get the file again") from None
    return tuple(dict.fromkeys(text for text in map(tidy, lines) if text))


def _texts(name: str, video: Video, said: Mapping[str, Sequence[str]]) -> tuple[Text, ...]:
    """Return each text once, whatever its case, without the class name; who says one again is noted."""
    found: dict[str, Text] = {}
    for source, texts in said.items():
        of = name if source == PHRASES else video.id
        for text in texts:
            first = found.setdefault(text.casefold(), Text(text, source, of, "phrase" if " " in text else "verb"))
            if first.source != source:
                found[text.casefold()] = Text(first.text, first.source, first.of, first.kind, (source,))
    found.pop(name.casefold(), None)
    return tuple(found.values())
