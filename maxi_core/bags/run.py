"""A run folder: one writer at a time, files that are whole or not there, and what it was made of (method.md, files)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from maxi_core.bags.records import BAGS, read_bags
from maxi_core.errors import UsageError
from maxi_core.files import write_text
from maxi_core.locks import locked
from maxi_core.secrets import masked
from maxi_core.types import Video

MANIFEST = "manifest.json"
RECIPE = "recipe.toml"
SKIPPED = "skipped.jsonl"
SHOWN = 3

__all__ = ["locked"]


def read_manifest(folder: Path) -> dict[str, object]:
    """Return the manifest of a run, or {} if none was begun; see `finished`."""
    try:
        manifest: dict[str, object] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UsageError(f"{folder / MANIFEST} is not JSON: {error}", "delete it and run maxi bags again") from None
    return manifest


def finished(manifest: Mapping[str, object]) -> bool:
    """Whether a manifest is of a run that has made its bags, and not of one that was begun."""
    return bool(manifest.get("finished"))


def differences(
    folder: Path, manifest: Mapping[str, object], made_of: Mapping[str, str], videos: Iterable[Video]
) -> list[str]:
    """Return how a run differs from the one that made the folder, one line for each part of what it is made of."""
    before = manifest.get("made_of", {})
    if not isinstance(before, dict):
        raise UsageError(f"{folder / MANIFEST} does not say what the run was made of", "delete it")
    found = []
    for part, value in made_of.items():
        if part in before and before[part] != value:
            words = _videos(folder, videos) if part == "videos" else ""
            found.append(f"{part}: {words or f'was {before[part]}, is {value}'}")
    return found


def _videos(folder: Path, videos: Iterable[Video]) -> str:
    """Return in what the videos differ from those of the bags that are there, "" if that cannot be seen."""
    if not (folder / BAGS).is_file():
        return ""
    old = {bag.match.video.id: bag.match.video for bag in read_bags(folder)}
    skipped = {str(record["video"]) for record in read_skipped(folder) if record["stage"] == "match"}
    new = {video.id: video for video in videos}
    added, gone = sorted(new.keys() - old.keys() - skipped), sorted((old.keys() | skipped) - new.keys())
    if added or gone:
        return f"{_some(added)} added, {_some(gone)} gone"
    for name, video in new.items():
        if name in old and (was := _window(old[name])) != _window(video):
            return f"the window of {name} was {was}, is {_window(video)}"
    kept = [name for name in new if name in old]
    moved = next(((was, now) for was, now in zip(old, kept, strict=True) if was != now), None)
    return f"the same {len(new)} in another order ({moved[1]} where {moved[0]} was)" if moved else ""


def _window(video: Video) -> str:
    if video.start is None and video.end is None:
        return "the whole"
    return f"{video.start or 0:g} to {'the end' if video.end is None else f'{video.end:g}'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} ({shown})" if names else "none"


def read_skipped(folder: Path) -> list[dict[str, object]]:
    """Return the records of what a run left out."""
    path = folder / SKIPPED
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, without secrets."""
    write_text(folder / MANIFEST, json.dumps(masked(manifest), indent=2, default=str) + "\n")
