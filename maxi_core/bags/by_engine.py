"""A run by an engine: shares of the videos go to its workers, what they answer goes into the store, the bags are made.

Only this process writes. A share whose worker died is asked again; after three times it is halved, until the one video
that ends its workers is alone, and left out.
"""

import json
import logging
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product, repeat
from typing import Any

from maxi_core.bags.answering import Answering, failed_of
from maxi_core.bags.asker import Asker
from maxi_core.bags.askers import Askers, open_askers
from maxi_core.bags.clip_loader import ClipAsker
from maxi_core.bags.codecs import text_key, video_key
from maxi_core.bags.filtering import kept_best
from maxi_core.bags.progress import NewProgress
from maxi_core.bags.run import Job, Outcome
from maxi_core.errors import ExitCode, MaxiError, PluginError
from maxi_core.plugin.engine import Engine
from maxi_core.plugin.engine_calls import closed, results
from maxi_core.texts import counted
from maxi_core.types import Failed, Video
from maxi_core.video.inputs import VideoList
from maxi_core.video.skips import AGAIN, SkipLog, VideoFailed

log = logging.getLogger("maxi.bags")

SHARE = 64  # videos
ANSWER = ("keys", "stores", "failed", "asked")  # of a worker to a share
TRIES = 3  # workers that a share may end


@dataclass(frozen=True)
class ByEngine:
    """Answers the videos of a job by the workers of an engine."""

    engine: Engine
    work: Answering

    def __call__(self, job: Job, progress: NewProgress) -> Outcome:
        """Have everything answered that is asked of videos, and their captions, and is not in the store yet.

        With a captioner that costs money only videos that are kept are captioned. Raises what a worker raises, in its
        words, and TooManySkippedError.
        """
        with (
            closed(self.engine),
            open_askers(job.sources, job.dictionary, job.store, strict=job.strict) as askers,
        ):
            run = _Run(self.engine, self.work, job, askers)
            matched_first = job.keep < 1 and any(source.costs_money for source in job.sources.captioners)
            run.answer(job.videos, progress, captions=not matched_first)
            if matched_first:
                run.answer(run.kept(), progress, captions=True)
            return Outcome(run.asked, {one.name: one.answers.failed for one in run.every})


@dataclass(frozen=True)
class _Share:
    """Videos that are answered together, with the keys that they had when they were handed out."""

    videos: tuple[Video, ...]
    keys: tuple[str, ...]
    lost: int = 0  # how many workers it ended

    def again(self) -> list["_Share"]:
        """Return how it is asked again, [] if it is not; halves are halved at once, a video alone is tried as often."""
        half = len(self.videos) // 2
        if self.lost + 1 < TRIES:
            return [_Share(self.videos, self.keys, self.lost + 1)]
        parts = (slice(half), slice(half, None)) if half else ()
        halves = [_Share(self.videos[part], self.keys[part]) for part in parts]
        return [replace(one, lost=TRIES - 1 if len(one.keys) > 1 else 0) for one in halves]


class _Run:
    """One run: what is asked of which videos, and what has come of it."""

    def __init__(self, engine: Engine, work: Answering, job: Job, askers: Askers) -> None:
        self._engine, self._work, self._job = engine, work, job
        self._matcher, self._captioners, self._augmenter = askers.matcher, askers.captioners, askers.augmenter
        of_texts = (askers.augmenter,) if askers.augmenter else ()
        self.every: tuple[Asker[Any, Any], ...] = (askers.matcher, *askers.captioners, *of_texts)
        self._skips = SkipLog(None, job.max_skipped, "bags")
        self._said: set[str] = set()
        self._passed = 0  # videos of which all is known, since the last answer
        self.asked: Counter[str] = Counter()

    def answer(self, videos: VideoList, progress: NewProgress, *, captions: bool) -> None:
        """Have all videos answered, those last whose worker died."""
        asking: tuple[ClipAsker, ...] = (self._matcher, *(self._captioners if captions else ()))
        queue = _Queue(_shares(self._new(videos, asking)))
        if not queue.more:
            return
        self._matcher.before()
        bar = progress("matching and captioning" if len(asking) > 1 else "matching", len(videos))
        for video, key in bar.follow(self._answered(queue, asking)):
            if (why := self._matcher.answers.failed.get(key)) is not None:
                bar.skip()
                self._skips.skip(video.id, why, self._matcher.name)
            elif video is not None:
                self._skips.use()

    def kept(self) -> VideoList:
        """Return the videos whose match is kept; all have been matched."""
        keys = ((video, video_key(video)) for video in self._job.videos)
        answers = (
            (video, self._matcher.answers.of(video, key)) for video, key in keys if not self._matcher.wanted(key)
        )
        found = [(video, match.score) for video, match in answers if not isinstance(match, Failed)]
        kept = kept_best(array("d", (score for _, score in found)), self._job.keep)
        videos = [video for (video, _), keep in zip(found, kept, strict=True) if keep]
        return VideoList(len(videos), lambda: iter(videos))

    def _new(self, videos: VideoList, asking: Sequence[ClipAsker]) -> Iterator[tuple[Video, str]]:
        """Yield the videos of which, or of whose captions, anything has to be asked, with their keys."""
        for video in videos:
            if self._is_new(video, key := video_key(video), asking):
                yield video, key
            else:
                self._passed += 1

    def _is_new(self, video: Video, key: str, asking: Sequence[ClipAsker]) -> bool:
        if any(asker.wanted(key) for asker in asking):
            return True
        said = [answer for one in asking[1:] if not isinstance(answer := one.answers.of(video, key), Failed)]
        forms = self._augmenter
        return forms is not None and any(forms.wanted(text_key(text)) for texts in said for text in texts)

    def _answered(self, queue: "_Queue", asking: Sequence[ClipAsker]) -> Iterator[tuple[Video | None, str]]:
        """Yield each video with its key when it is answered or given up, and (None, "") for one that was known."""
        while queue.more:
            for place, result in results(self._engine, self._work, queue.items(lambda one: self._text(one, asking))):
                share = queue.out.pop(place)
                yield from repeat((None, ""), self._passed)
                self._passed = 0
                if not isinstance(result, Failed):
                    self._take(share, _answer_to(share, result, self._engine.label, queue))
                elif again := share.again():
                    many = counted(len(share.videos), "video")
                    log.warning("%s at a share of %s; it is tried again", result.reason, many)
                    queue.again.extend(again)
                    continue
                else:
                    self._give_up(share, result, asking)
                yield from zip(share.videos, share.keys, strict=True)
            if queue.more and not queue.taken:
                raise PluginError(f"engine '{self._engine.label}' ended without taking any item")

    def _text(self, share: _Share, asking: Sequence[ClipAsker]) -> str:
        """Return a share as a worker gets it: the videos, and what of them is known."""
        known: dict[str, object] = {}
        for asker in self.every:
            store = asker.answers.store
            rows = {key: store.get(key) for key in share.keys if asker in asking and key in store}
            known[asker.name] = {"rows": rows, "checked": store.checked}
        videos = [[video.id, str(video.path), video.start, video.end] for video in share.videos]
        return json.dumps({"videos": videos, "known": known, "captions": len(asking) > 1})

    def _take(self, share: _Share, answer: dict[str, Any]) -> None:
        """Put the answers of a share into the store; raises what the worker raised."""
        for level, text in answer["said"]:
            if text not in self._said:
                self._said.add(text)
                log.log(level, "%s", text)
        _raise_what_it_raised(answer)
        for video, key, there in zip(share.videos, share.keys, answer["keys"], strict=True):
            if key != there:
                raise MaxiError(
                    f"{video.id} is not the same file where it was answered as here: size or time of change differ",
                    "give all machines the same files (rsync -t); if it was changed just now, run the same command",
                )
        for asker in reversed(self.every):  # the match last: a video with one has all
            name, checked, rows = answer["stores"][asker.name]
            store = asker.answers.store
            if name != store.folder.name:
                raise MaxiError(
                    f"source '{asker.name}' is another one where it was asked than here ({name}, {store.folder.name})",
                    "install the same versions there, with the same models",
                )
            for key, question, said in rows:
                if key not in store:
                    store.put(key, question, said)
            if checked and rows:
                store.mark_checked()
            asker.answers.failed |= {key: failed_of(texts) for key, texts in answer["failed"][asker.name].items()}
        self.asked.update(answer["asked"])

    def _give_up(self, share: _Share, why: Failed, asking: Sequence[ClipAsker]) -> None:
        reason = f"it ended its worker {TRIES} times ({why.reason}); {AGAIN}"
        for asker, key in product(asking, share.keys):
            if asker.wanted(key):
                asker.answers.failed[key] = VideoFailed(reason, "crash", AGAIN)


def _answer_to(share: _Share, text: str, engine: str, queue: "_Queue") -> dict[str, Any]:
    """Return the answer of a worker to a share; raises PluginError for a text that is none, or is to another one."""
    try:
        answer: dict[str, Any] | None = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    told = isinstance(answer, dict) and answer.keys()
    if not told or answer is None or "said" not in told or not (told & {"error", "bug"} or told >= set(ANSWER)):
        raise PluginError(
            f"engine '{engine}' gave {text!r:.80} for the result of an item, which the work has not given"
        )
    keys = answer.get("keys")
    if keys is not None and keys != list(share.keys) and any(keys == list(one.keys) for one in queue.out.values()):
        raise PluginError(f"engine '{engine}' gave the result of one item at the place of another")
    return answer


def _raise_what_it_raised(answer: dict[str, Any]) -> None:
    if "error" in answer:
        error = MaxiError(*answer["error"])
        error.exit_code = ExitCode(answer["code"])
        raise error
    if "bug" in answer:
        raise RuntimeError(f"a worker ended with {answer['bug']}") from _RemoteError(answer["at"])


class _RemoteError(Exception):
    """Shows the traceback of a worker below that of this process."""


class _Queue:
    """Shares in the order in which they are handed out, and by their places those that are out."""

    def __init__(self, fresh: Iterator[_Share]) -> None:
        self._fresh = fresh
        self._next = next(fresh, None)
        self.again: deque[_Share] = deque()
        self.out: dict[int, _Share] = {}
        self.taken = 0  # since `items` was called last

    @property
    def more(self) -> bool:
        """Whether any share is left to be handed out."""
        return self._next is not None or bool(self.again)

    def items(self, text: Callable[[_Share], str]) -> Iterator[str]:
        """Yield the shares that are left as `text` makes them, those that are asked again at the end."""
        self.taken = 0
        while self.more:
            if self._next is not None:
                share, self._next = self._next, next(self._fresh, None)
            else:
                share = self.again.popleft()
            self.out[self.taken] = share
            self.taken += 1
            yield text(share)


def _shares(videos: Iterator[tuple[Video, str]]) -> Iterator[_Share]:
    while found := list(islice(videos, SHARE)):
        yield _Share(tuple(video for video, _ in found), tuple(key for _, key in found))
