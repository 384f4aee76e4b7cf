"""Frames that are kept on disk between runs, because decoding is what starves a GPU.

One file per video and sampling, whatever else was wanted with it: a digest, a line of JSON, and the pixels as they are,
since reading them back must cost less than decoding. Entries are written whole or not at all, checked when read, and
the oldest leave when it is full.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.errors import UsageError
from maxi_core.system.urls import refuse_remote
from maxi_core.video.archives import video_identity
from maxi_core.video.frames import Decoded
from maxi_core.video.sampling import union
from maxi_core.video.wire import pack, unpack

if TYPE_CHECKING:
    from maxi_core.video.frames import Frames, Pixels
    from maxi_core.video.jobs import Job
    from maxi_core.video.sampling import Sampling

SCHEMA = 4  # 1 had frames of one size, 2 turned mirrored videos and showed cover art, 3 kept all samplings together
SUFFIX = ".frames"
ROOM = 0.1  # share of the cap that is freed at once, and that all writers together may add between two looks
STALE = 3600.0  # seconds that a half-written file is older than the newest file, and then belongs to nobody


class FrameCache:
    """A folder of frames, at most `cap` bytes, shared by `writers` processes; `key` names the decoder.

    What one job has decoded serves every other that wants the same samplings, or some of them, of the same file.

    Random samplings are not kept: they differ in every epoch and would only fill the disk. Raises UsageError if the
    folder cannot be written.
    """

    def __init__(self, folder: Path, cap: int, key: str, writers: int = 1) -> None:
        refuse_remote(folder)
        self._folder, self._cap, self._key = folder, cap, key
        self._allowance = ROOM * cap / writers
        self._added = self._allowance  # so that the first `put` looks at what is there
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError("no permission to write")
        except OSError as error:
            raise UsageError(
                f"the frame cache {folder} cannot be used ({error})", "name another --frame-cache"
            ) from error

    # An entry may use one writer's allowance and no more, so the folder never exceeds the cap.

    def get(self, job: Job) -> Decoded | None:
        """Return what `put` kept for each sampling of the same, unchanged file; None if one has no whole entry."""
        parts: list[tuple[Sampling, Decoded, Frames]] = []
        for path, name in self._entries(job).items():
            if (part := _read(path)) is None:
                return None
            parts.append((job.wanted[name], part, replace(job, wanted={"": job.wanted[name]}).frames(part)))
        if len({(one.found, one.declared, one.damage, one.info) for _, one, _ in parts}) != 1:
            return None
        first = parts[0][1]
        places = job.choose(first.found, first.info.rate if first.info else None)
        sides = zip(job.sides(), places, strict=True)
        return replace(
            first,
            pixels=tuple(_at(chosen, [held for one, _, held in parts if one.side == side]) for side, chosen in sides),
        )

    def put(self, job: Job, decoded: Decoded) -> None:
        """Keep what a decoder answered, unless it is too large for the cache; a full disk is no error."""
        if not (entries := self._entries(job)):
            return
        frames = job.frames(decoded)
        parts = {path: frames.at(name, union([frames.indices[name]])) for path, name in entries.items()}
        if sum(part.nbytes for part in parts.values()) > self._allowance:
            return
        for path, part in parts.items():
            self._write(path, replace(decoded, pixels=(part,)))

    def _write(self, path: Path, decoded: Decoded) -> None:
        header, (pixels,) = pack(decoded)
        body = b"\n".join([json.dumps({"schema": SCHEMA, **header}).encode(), pixels.tobytes()])
        if self._added + len(body) > self._allowance:
            self._evict()
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            whole = path.with_suffix(f".{os.urandom(4).hex()}")
            try:
                with whole.open("xb") as file:  # readable by whom the umask lets, since caches are shared
                    file.write(_digest(body) + b"\n" + body)
                whole.replace(path)
            except BaseException:
                whole.unlink(missing_ok=True)
                raise
            self._added += len(body)

    def _entries(self, job: Job) -> dict[Path, str]:
        """Return where the frames of each consumer are kept, those of several with one name; none if they never are."""
        if any(one.kind == "random" for one in job.wanted.values()):
            return {}
        video = job.video
        try:
            file = video_identity(video.path)
        except (OSError, ValueError):
            return {}
        entries = {}
        for name, one in job.wanted.items():
            request = [SCHEMA, self._key, *file, video.start, video.end, one.kind, float(one.count), one.side or 0]
            digest = hashlib.sha256(json.dumps(request).encode()).hexdigest()
            entries[self._folder / digest[:2] / (digest + SUFFIX)] = name
        return entries

    def _evict(self) -> None:
        """Delete the oldest entries until there is room for what all the writers may add before they look again."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("??/*"):
            with suppress(OSError):  # another writer deleted it
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        newest = max((stamp for stamp, _, _ in files), default=0.0)
        for stamp, size, path in sorted(files):
            half_written = path.suffix != SUFFIX
            if (newest - stamp > STALE) if half_written else (total > (1 - ROOM) * self._cap):
                path.unlink(missing_ok=True)
                total -= size
        self._added = 0.0


def _at(places: tuple[int, ...], parts: list[Frames]) -> Pixels:
    """Return the frames at these places of the video out of several that were kept."""
    import numpy as np

    if len(parts) == 1:
        return parts[0].pixels[""]
    rows = {place: row for one in parts for place, row in zip(one.places[""], one.pixels[""], strict=True)}
    return np.stack([rows[place] for place in places])  # (N, H, W, 3)


def _read(path: Path) -> Decoded | None:
    try:
        with path.open("rb") as file:
            digest, body = file.readline().strip(), bytearray(file.read())
        os.utime(path)  # the oldest entries leave first: this one is in use
    except OSError:
        return None
    return _rebuild(body) if digest == _digest(body) else None


def _digest(body: bytes | bytearray) -> bytes:
    return hashlib.blake2b(body, digest_size=16).hexdigest().encode()


def _rebuild(body: bytearray) -> Decoded | None:
    header = json.loads(body[: (end := body.index(b"\n"))])
    if header.pop("schema") != SCHEMA:
        return None
    kept = unpack(header, memoryview(body)[end + 1 :])
    return kept if isinstance(kept, Decoded) else None
