"""`shuffled`: says of each video what a captioner said of another, as a control; a plugin file of `maxi demo`.

`maxi bags ... --plugin THIS_FILE --sources shuffled -o shuffled.run=RUN` makes the bags of RUN anew, with captions
that tell nothing of their video: what a training on them gains, captions as such did not teach.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from random import Random

from pydantic import Field

import maxi_core
from maxi_core import Captioner, Clip, Failed, Source, UsageError, hookimpl


class Shuffled(Captioner):
    """Give each video the captions that a finished run has of another one, never its own."""

    name = "shuffled"
    frames = None  # it looks at no video

    class Options(maxi_core.Options):
        """Whose captions, and in which order."""

        run: Path | None = Field(None, description="run folder whose captions are given to other videos")
        source: str = Field("blip", description="captioner of that run")
        seed: int = Field(0, description="of the order in which the videos hand their captions on")

    options: Options

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the captions of another video of the run; Failed for a video of which the run has none.

        Raises UsageError for a run that is not named or is not there.
        """
        return [self._of(clip.video.id) for clip in clips]

    def _of(self, video: str) -> list[str] | Failed:
        texts = self._captions.get(video)
        return list(texts) if texts else Failed(f"{self.options.run} has no captions of it to exchange")

    def fingerprint(self) -> dict[str, str]:
        """Return the captions as they are given: an answer that is kept is asked again when they change."""
        said = json.dumps(self._captions, sort_keys=True)
        return {"captions": hashlib.sha256(said.encode()).hexdigest()}

    @cached_property
    def _captions(self) -> dict[str, tuple[str, ...]]:
        """By video; each takes those of the next in a circle of all videos in random order."""
        from maxi_core.bags.bag import read_bags

        if self.options.run is None:
            raise UsageError("whose captions? shuffled.run names no run", "type -o shuffled.run=RUN")
        said = {bag.match.video.id: dict(bag.said).get(self.options.source, ()) for bag in read_bags(self.options.run)}
        order = sorted(video for video, texts in said.items() if texts)
        Random(self.options.seed).shuffle(order)  # noqa: S311 - an order, not a secret
        return {video: said[other] for video, other in zip(order, [*order[1:], *order[:1]], strict=True)}


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `shuffled`."""
    return [Shuffled]
