"""Asking the built-in sources as the core does: clips with the frames that a source wants, several calls at once."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from maxi_core import Captioner, Clip, Expander, Failed, Matcher, Sampling, Source, Video
from maxi_core.settings.sections import VideoOptions
from maxi_core.video.reader import read_videos

AnySource = TypeVar("AnySource", bound=Source)


@contextmanager
def opened(source: AnySource) -> Iterator[AnySource]:
    """Open a source, and close it however the work ends."""
    source.open()
    try:
        yield source
    finally:
        source.close()


def clips_for(source: Matcher | Captioner, videos: Iterable[Video]) -> list[Clip]:
    """Return videos with the frames that a source asks for."""
    assert source.frames is not None
    return clips_of(videos, source.frames)


def clips_of(videos: Iterable[Video], wanted: Sampling) -> list[Clip]:
    """Return videos with their frames, decoded in this process."""
    options = VideoOptions(workers=0) if wanted.side is None else VideoOptions(workers=0, short_side=wanted.side)
    clips = []
    for video, frames in read_videos(videos, {"test": wanted}, options):
        assert not isinstance(frames, Failed), f"{video.id}: {frames.reason}"
        clips.append(Clip(video, frames["test"]))
    return clips


def expanded(source: Expander, entries: Iterable[str]) -> list[list[str] | Failed]:
    """Return what a source says of entries, one in each call and `source.concurrency` calls at once.

    Raises what the first of them raises that does not answer.
    """
    found: list[list[str] | Failed] = []
    expand_into(found, source, entries)
    return found


def expand_into(found: list[list[str] | Failed], source: Expander, entries: Iterable[str]) -> None:
    """Add what a source says to a list, up to the first entry for which it raises, as `expanded` does."""
    with opened(source), ThreadPoolExecutor(source.concurrency) as pool:
        for answers in pool.map(lambda entry: source.expand([entry]), entries):
            found.extend(answers)
