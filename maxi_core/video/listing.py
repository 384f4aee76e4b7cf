"""The list of the videos of a run, written once beside its shares, so that each share reads its own part and no more.

A list of ten million lines takes minutes to check, and a folder of as many files longer to walk. Whoever comes first
does it; the others compare the state (size and time of the last change) of the list, or of every folder that was
entered, and go through all of it again only where that is another.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import parsed_json, sweep, whole_file, write_text
from maxi_core.system.locks import exclusive_if_possible
from maxi_core.system.remote import as_path
from maxi_core.system.store import digest
from maxi_core.types import Video
from maxi_core.video.inputs import VideoList, checksummed, state_of

log = logging.getLogger("maxi")

SCHEMA = 1
LOCK = "videos.lock"
STRIDE = 256  # lines from one place that is noted to the next


def listed(
    folder: Path, asked: Mapping[str, object], make: Callable[[], VideoList], *, write: bool = True
) -> VideoList:
    """Return the videos that `make` finds, from the list in `folder` if it is of the same `asked` and still right.

    Otherwise they are found, and with `write` the list is written; of several processes one does it, where the file
    system has locks. Raises what `make` does, and UsageError if the folder cannot be written.
    """
    path = folder / f"videos-{digest(SCHEMA, asked)[:8]}.jsonl"
    if (found := _read(path)) is not None:
        return found
    if not write:
        return make()
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / LOCK).open("ab"))
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror or error}", "choose another --out") from None
        stack.enter_context(exclusive_if_possible(lock))
        if (found := _read(path)) is not None:
            return found
        sweep(folder, f"{path.name}*")
        made = make()
        if made.watched is None:  # nothing tells whether such a list is still right
            return made
        _write(path, made, made.watched)
        found = _read(path)
        return made if found is None else found  # None: the videos were changed meanwhile


def _write(path: Path, videos: VideoList, watched: Mapping[str, list[int]]) -> None:
    offsets, size, seen = [], 0, hashlib.sha256()
    with whole_file(path) as file:
        for number, video in enumerate(videos):
            if number % STRIDE == 0:
                offsets.append(size)
            seen.update(checksummed(video))
            size += file.write(json.dumps([video.id, str(video.path), video.start, video.end]).encode() + b"\n")
    about = {
        "schema": SCHEMA,
        "count": len(videos),
        "checksum": seen.hexdigest(),  # taken here, since each time through the list costs minutes
        "list": state_of(path),
        "watched": watched,
        "stride": STRIDE,
        "offsets": offsets,
    }
    write_text(path.with_suffix(".json"), json.dumps(about) + "\n")


def _read(path: Path) -> VideoList | None:
    """Return the list at `path`, None if there is none or what it was made of is in another state."""
    try:
        about: dict[str, Any] = parsed_json(path.with_suffix(".json").read_bytes())
        if about["schema"] != SCHEMA or any(state_of(one) != state for one, state in about["watched"].items()):
            return None
        if state_of(path) != about["list"]:
            return None
        return VideoList(
            about["count"],
            lambda: _lines(path, about, 0),
            since=lambda place: _lines(path, about, place),
            checksum=about["checksum"],
            watched=about["watched"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _lines(path: Path, about: Mapping[str, Any], place: int) -> Iterator[Video]:
    """Yield the videos from a place on."""
    if place >= about["count"]:
        return
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if [status.st_size, status.st_mtime_ns] != about["list"]:
                raise ValueError("it was changed")
            file.seek(about["offsets"][place // about["stride"]])
            for line in islice(file, place % about["stride"], None):
                name, where, start, end = json.loads(line)
                yield Video(name, as_path(where), start, end)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MaxiError(f"cannot read the list of videos {path}: {error}", "run the same command again") from None
