"""A run folder: one writer at a time, files that are whole or not there, and what it was made of (SPEC section 12)."""

import fcntl
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from maxi_core.bags.records import BAGS, read_bags
from maxi_core.errors import MaxiError, UsageError
from maxi_core.files import utc_stamp, write_text
from maxi_core.secrets import masked
from maxi_core.types import Video

MANIFEST = "manifest.json"
RECIPE = "recipe.toml"
SKIPPED = "skipped.jsonl"
LOCK = ".lock"
SHOWN = 3


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder alone; raises MaxiError that names the holder if another process has it.

    The lock is the system's and goes with its process, so a killed run leaves none behind.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}", "choose another --out") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MaxiError(f"{folder} is in use by {_holder(file)}", "wait for it, or choose another --out") from None
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": utc_stamp()}))
        file.flush()
        yield
        file.seek(0)
        file.truncate()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def read_manifest(folder: Path) -> dict[str, object]:
    """Return the manifest of a finished run, or {} if there is none yet."""
    try:
        manifest: dict[str, object] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UsageError(f"{folder / MANIFEST} is not JSON: {error}", "delete it and run maxi bags again") from None
    return manifest


def differences(
    folder: Path, manifest: Mapping[str, object], made_of: Mapping[str, str], videos: Iterable[Video]
) -> list[str]:
    """Return how a run differs from the one that made the folder, one line for each of videos, dictionary, matcher."""
    before = manifest.get("made_of", {})
    assert isinstance(before, dict)
    return [
        _videos(folder, videos) if part == "videos" else f"{part}: was {before[part]}, is {value}"
        for part, value in made_of.items()
        if part in before and before[part] != value
    ]


def _videos(folder: Path, videos: Iterable[Video]) -> str:
    old = {bag.match.video.id for bag in read_bags(folder)} if (folder / BAGS).is_file() else set()
    old |= {str(record["video"]) for record in read_skipped(folder) if record["stage"] == "match"}
    new = {video.id for video in videos}
    return f"videos: {_some(sorted(new - old))} added, {_some(sorted(old - new))} gone"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} ({shown})" if names else "none"


def read_skipped(folder: Path) -> list[dict[str, object]]:
    """Return the records of what a run left out."""
    path = folder / SKIPPED
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, without secrets: a run that has one is finished."""
    write_text(folder / MANIFEST, json.dumps(masked(manifest), indent=2, default=str) + "\n")
