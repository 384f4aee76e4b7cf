"""From videos to what each source is handed for them: one decoding for all the frames that several sources want.

A filter is asked of a bag and handed that too: then a question is a bag, of its video.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any, TypeVar

from maxi_core.bags.asker import Asker
from maxi_core.plugin.calls import sampling_of
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Clip, Failed, TextBag, Video
from maxi_core.video.jobs import Job
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoError, VideoFailed, check_file

Question = TypeVar("Question", bound=Video | TextBag)
ClipAsker = Asker[Video, Any]
Asked = tuple[Question, str, list[Any]]  # a question, its key, what each asker is handed for it


def clips_for(
    askers: Sequence[Asker[Question, Any]], questions: Iterable[Question], reading: VideoOptions
) -> Iterator[Asked[Question]]:
    """Yield each question with what each asker is handed for it, None where that need not be asked; decoded ahead.

    For a video that is its clip, for a bag its clip and itself; Failed where the video cannot be read.
    """
    from maxi_core.video.reader import read_jobs

    ahead: deque[tuple[Question, str, list[bool]]] = deque()  # that are being decoded: key, who is to be asked
    sampling = [cache(partial(frames_of, asker)) for asker in askers]  # asked once, when there is something to ask

    def jobs() -> Iterator[Job]:
        for question in questions:
            key = askers[0].answers.codec.key(question)
            ahead.append((question, key, needed := [asker.wanted(key) for asker in askers]))
            asked = [place for place, asker in enumerate(askers) if needed[place] and not asker.off]
            video = question if isinstance(question, Video) else question.match.video
            yield Job(video, {str(place): found for place in asked if (found := sampling[place]()) is not None})

    for job, frames in read_jobs(jobs(), reading, 2 * max(asker.source.batch for asker in askers)):
        question, key, needed = ahead.popleft()
        unread = cache(partial(_unread, job.video))  # the file is looked at once for all that read it themselves
        clips = [(job.clip(str(place), frames) or unread()) if use else None for place, use in enumerate(needed)]
        of_bag = isinstance(question, TextBag)
        yield question, key, [(one, question) if of_bag and isinstance(one, Clip) else one for one in clips]


def frames_of(asker: Asker[Any, Any]) -> Sampling | None:
    """Return the frames that a source wants, None if it reads the file itself or is off; it is opened first."""
    asker.open()  # which frames a model wants may be known only when it is there
    return None if asker.off else sampling_of(asker.source)


def _unread(video: Video) -> Clip | Failed:
    import numpy as np

    try:
        check_file(video.path)
    except VideoError as error:
        return VideoFailed(str(error), error.kind, error.fix)
    return Clip(video, np.empty((0, 1, 1, 3), np.uint8))
