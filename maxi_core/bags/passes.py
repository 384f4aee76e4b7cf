"""Whether videos are matched and captioned in one pass over them, with one decoding, or in two.

One pass captions videos that are not kept; two decode those that are a second time. One pass is cheaper where
decode x keep > caption x (1 - keep), in seconds a video.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from maxi_core.bags.askers import Askers, Sources
from maxi_core.bags.clip_loader import Asked, ClipAsker, clips_for, frames_of
from maxi_core.bags.codecs import video_key
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video

log = logging.getLogger("maxi")

LEAST = 32  # videos of which nothing is known
MEASURED = 5  # videos that are decoded and captioned to see what each costs; the answers are kept


def one_pass(videos: Iterable[Video], askers: Askers, sources: Sources, keep: float) -> bool:
    """Return whether to caption while matching; `keep` is the share of videos that need captions.

    Never where a captioner costs money. What each costs is measured on the first videos of which nothing is known; if
    there are fewer than `LEAST` of them, what is left to do is too little to matter.
    """
    if not sources.captioners:
        return True
    if any(source.costs_money for source in sources.captioners):
        return False
    if keep == 1:
        return True
    every: list[ClipAsker] = [askers.matcher, *askers.captioners]
    new = (video for video in videos if all(asker.wanted(video_key(video)) for asker in every))
    sample = list(islice(new, LEAST))
    if len(sample) < LEAST or not _share_frames(askers):
        return False
    decode, caption = _seconds(sample[:MEASURED], askers, sources.reading)
    log.info("a video takes %.3f s to decode and %.3f s to caption", decode, caption)
    return decode * keep > caption * (1 - keep)


def _share_frames(askers: Askers) -> bool:
    """Whether the matcher and a captioner both look at decoded frames, so that one decoding serves two."""
    captioners = [frames_of(captioner) is not None for captioner in askers.captioners]
    return frames_of(askers.matcher) is not None and any(captioners)


def _seconds(sample: list[Video], askers: Askers, reading: VideoOptions) -> tuple[float, float]:
    """Return the seconds that one video takes to decode, by as many workers as there are, and to caption."""
    workers = max(1, reading.processes())
    alone = reading.model_copy(update={"workers": min(1, reading.processes())})
    decoded = list(_timed(clips_for([askers.matcher, *askers.captioners], sample, alone)))
    decode = sum(seconds for seconds, _ in decoded[1:]) / (len(decoded) - 1) / workers  # the first starts the worker
    began = time.perf_counter()
    for place, captioner in enumerate(askers.captioners, 1):
        for _, (video, key, items) in decoded:
            captioner.take(video, key, items[place])
        for _, (_, key, _) in decoded:
            captioner.settle(key)
    return decode, (time.perf_counter() - began) / len(decoded)


def _timed(clips: Iterator[Asked[Video]]) -> Iterator[tuple[float, Asked[Video]]]:
    began = time.perf_counter()
    for one in clips:
        yield time.perf_counter() - began, one
        began = time.perf_counter()
