"""JSON files that name videos: of ActivityNet, HACS and FineVideo, with segments and labels, and lists of mmaction2."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maxi_core.columns import NAME, VIDEO, find_column
from maxi_core.errors import UsageError, nearest
from maxi_core.system.text_files import check_regular, excerpt, read_text
from maxi_core.texts import counted

log = logging.getLogger("maxi")

SUFFIX = ".json"
Label = str | int
FINE = "content_metadata"  # of a video of FineVideo
KNOWN = {"annotations", "subset", "duration", FINE}  # one of which a video has, in a table of videos


@dataclass(frozen=True, slots=True)
class Annotated:
    """One segment of a video with its labels, or a whole video; `entry` is its place in the file.

    `named` says that `path` is one; else it is an id, under which a file has yet to be found.
    """

    entry: int
    path: str
    named: bool
    start: float | None = None
    end: float | None = None
    labels: tuple[Label, ...] = ()


def split_subset(source: Path) -> tuple[Path, str | None]:
    """Return file and subset of `activity_net.json:training`; None where no subset is named."""
    name, colon, subset = source.name.rpartition(":")
    if colon and subset and name.lower().endswith(SUFFIX) and not source.exists():
        return source.with_name(name), subset
    return source, None


def is_annotations(path: Path) -> bool:
    """Whether a path names such a file by its ending, maybe with a subset behind it."""
    return split_subset(path)[0].suffix.lower() == SUFFIX


def read_annotations(source: Path) -> list[Annotated]:
    """Return the segments and videos of a file, each once, in its order; with `FILE:SUBSET` those of one subset.

    Read are `{"database": {ID: VIDEO}}` and `{ID: VIDEO}`, where a video has `annotations` with `segment` and `label`
    (one without any is taken whole), and a list of `{"filename": PATH, "label": NUMBER}`, also as `data_list`. A video
    may have FineVideo's `content_metadata`: each activity of its scenes is a segment with its description as label, and
    a scene without activities is one with its title. Segments that end before they begin are left out with a warning.
    Raises UsageError for anything else.
    """
    path, subset = split_subset(source)
    check_regular(path)
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", "get it again") from None
    entries = list(_entries(path, document))
    if subset is not None or len({of for *_, of in entries}) > 1:
        entries = _of_subset(path, entries, subset)
    found: dict[tuple[str, float | None, float | None], Annotated] = {}
    backward: list[str] = []
    for number, name, named, value, _ in entries:
        for start, end, said in _segments(path, number, value):
            if start is not None and end is not None and end <= start:
                backward.append(f"{excerpt(name)} from {start:g} to {end:g}")
                continue
            one = found.get((name, start, end)) or Annotated(number, name, named, start, end)
            labels = tuple(dict.fromkeys((*one.labels, *said)))
            found[name, start, end] = replace(one, labels=labels)
    if backward:
        count = counted(len(backward), "segment")
        log.warning("%s: left out %s with an end before the beginning (%s)", path, count, backward[0])
    if not found:
        raise UsageError(f"{path} names no videos", "name a list that does")
    return list(found.values())


_Entry = tuple[int, str, bool, Mapping[str, Any], str]  # place, name, whether that is a path, what is said, its subset


def _entries(path: Path, document: Any) -> Iterator[_Entry]:
    if isinstance(document, dict):
        document = document.get("database", document.get("data_list", document))
    if isinstance(document, dict) and FINE in _said(document):
        document = [document]
    if isinstance(document, dict):
        pairs: list[tuple[str | None, Any]] = list(document.items())
        if not all(isinstance(value, dict) and KNOWN & {*_said(value)} for _, value in pairs):
            raise _other(path)
    elif isinstance(document, list):
        pairs = [(None, value) for value in document]
    else:
        raise _other(path)
    for number, (key, entry) in enumerate(pairs, start=1):
        if isinstance(entry, str):
            yield number, entry, True, {}, ""
            continue
        if not isinstance(entry, dict):
            raise _wrong(path, number, "this is neither an object nor a path")
        value = _said(entry)
        if "frame_dir" in value or "total_frames" in value:
            raise _wrong(path, number, "this is a folder of frames, and maxi reads videos", "name a list of videos")
        columns = list(value)
        place = find_column(columns, VIDEO)
        written = None if place is None else value[columns[place]]
        name = written if isinstance(written, str) and written else key
        if not name:
            raise _wrong(path, number, "there is no path in it", 'write {"filename": "...", "label": 3}')
        yield number, name, name is not key, value, str(value.get("subset", value.get("split", "")))


def _said(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of a video: under `json` in the rows that FineVideo has on the Hub."""
    inner = value.get("json")
    return inner if isinstance(inner, dict) else value


def _other(path: Path) -> UsageError:
    return UsageError(
        f"{path} is JSON of another form",
        'write {"database": {ID: {"annotations": [{"segment": [0, 5], "label": ""}]}}} or [{"filename": ""}, ...]',
    )


def _wrong(path: Path, entry: int, what: str, fix: str = "correct it") -> UsageError:
    return UsageError(f"{path}, entry {entry}: {what}", fix)


def _of_subset(path: Path, entries: list[_Entry], subset: str | None) -> list[_Entry]:
    counts = Counter(of for *_, of in entries)
    if subset is None:
        some = ", ".join(f"{of or 'none'} {count}" for of, count in counts.most_common())
        log.warning("%s has subsets (%s), and all are taken; type %s:NAME for one", path, some, path)
        return entries
    if subset not in counts:
        raise UsageError(f"{path} has no subset '{subset}'{nearest(subset, counts)}", f"one of {', '.join(counts)}")
    return [entry for entry in entries if entry[-1] == subset]


def _segments(
    path: Path, number: int, value: Mapping[str, Any]
) -> Iterator[tuple[float | None, float | None, tuple[Label, ...]]]:
    said = _scenes(path, number, value[FINE]) if FINE in value else value.get("annotations")
    if not isinstance(said, list):
        yield *_times(path, number, value), _labels(value)
        return
    if not said:
        yield None, None, ()
    for one in said:
        if not isinstance(one, dict):
            raise _wrong(path, number, "an annotation that is no object")
        yield *_times(path, number, one), _labels(one)


def _scenes(path: Path, number: int, metadata: Any) -> list[dict[str, Any]]:
    """Return FineVideo's activities as ActivityNet's annotations; of a scene that has none, the scene."""
    try:
        return [
            {"segment": (times.get("start_timestamp"), times.get("end_timestamp")), "label": label}
            for scene in metadata["scenes"]
            for times, label in [(one["timestamp"], one.get("description")) for one in scene.get("activities") or ()]
            or [(scene["timestamps"], scene.get("title"))]
        ]
    except (AttributeError, KeyError, TypeError):
        what = f"{FINE} has no scenes with timestamps, or activities without any"
        raise _wrong(path, number, what, "get it again") from None


def _seconds(time: Any) -> float:
    """Return a time in seconds, which may be written as `00:01:05.5` or `1:05`."""
    if not isinstance(time, str) or ":" not in time:
        return float(time)
    *before, last = time.split(":")
    if len(before) > 2 or not all(part.strip().isdigit() for part in before) or not 0 <= float(last) < 60:
        raise ValueError
    seconds = float(last)
    for place, part in enumerate(reversed(before), start=1):
        seconds += int(part) * 60.0**place
    return seconds


def _times(path: Path, number: int, value: Mapping[str, Any]) -> tuple[float | None, float | None]:
    both = value.get("segment", (value.get("start"), value.get("end")))
    try:
        start, end = (None if time is None else _seconds(time) for time in both)
        if not all(time is None or 0 <= time < float("inf") for time in (start, end)):
            raise ValueError
    except (TypeError, ValueError):
        raise _wrong(path, number, f"the segment {excerpt(repr(both))} is not two times", "write seconds") from None
    return start, end


def _labels(value: Mapping[str, Any]) -> tuple[Label, ...]:
    place = find_column(list(value), NAME)
    said = None if place is None else value[list(value)[place]]
    labels = said if isinstance(said, list) else [] if said is None else [said]
    return tuple(label for label in labels if isinstance(label, str | int) and not isinstance(label, bool))
