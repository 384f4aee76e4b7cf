"""`blip`: BLIP describes frames of each video (SPEC section 3)."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

import maxi_core
from maxi_core import Captioner, Failed, Source, TextsOf, Video, hookimpl
from maxi_core.texts import tidy
from maxi_plugins.captioner import Precision, captioner_folder, captioner_identity, load_captioner
from maxi_plugins.degenerate import degenerate

if TYPE_CHECKING:
    from maxi_core.video.frames import Frames
    from maxi_plugins.captioner import BlipCaptioner

logger = logging.getLogger("maxi")

CONSUMER = "blip"


class Blip(Captioner):
    """Caption eight frames of each video by themselves, evenly spread from the first to the last.

    A caption that says nothing (a word or phrase over and over) is left out; a video without any other is Failed.
    """

    name = "blip"

    class Options(maxi_core.Options):
        """Which captioner, what it looks at, and how it chooses its words."""

        model: str = Field(
            "Salesforce/blip-image-captioning-large",
            description="name on the Hugging Face hub, a folder (/, ./ or ~ first), or sandbox",
        )
        revision: str | None = Field(None, description="branch, tag or commit of a name on the hub; none: its newest")
        frames: int = Field(8, ge=1, description="frames of each video, one caption each")
        beams: int = Field(1, ge=1, description="sentences followed at once; 1 takes the likeliest word each time")
        max_new_tokens: int = Field(20, ge=1, description="tokens of a caption at most")
        min_new_tokens: int = Field(0, ge=0, description="tokens of a caption at least")
        repetition_penalty: float = Field(1.0, gt=0, description="above 1, words that were said become less likely")
        precision: Precision = Field("fp32", description="of the weights; bf16 is for GPUs and CPUs that compute in it")
        device: str = Field("auto", description="cpu, cuda, mps, or auto: the fastest that is there")
        batch: int = Field(16, ge=1, description="frames described at once, of several videos; fewer need less memory")

        EFFORT = ("device", "batch")

        @field_validator("model")
        @classmethod
        def _absolute(cls, model: str) -> str:
            return str(Path(model).expanduser().absolute()) if model.startswith((".", "/", "~")) else model

    options: Options

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        """Yield the captions of each video's frames in order of time, the same ones kept as often as they are said.

        Nothing is loaded before there is a video. Raises UsageError for a model, device or decoder that is not right,
        MaxiError for a model that cannot be fetched.
        """
        rest = iter(videos)
        first = next(rest, None)
        if first is None:
            return
        said = dropped = 0
        for group in self._groups(chain([first], rest)):
            for (video, _), texts in zip(group, self._texts([answer for _, answer in group]), strict=True):
                if isinstance(texts, Failed):
                    yield texts
                    continue
                kept = [text for text in texts if not degenerate(text)]
                said, dropped = said + len(texts), dropped + len(texts) - len(kept)
                yield TextsOf(video, kept) if kept else Failed(_nothing_said(texts))
        if dropped:
            logger.warning("blip: %d of %d captions say nothing and are left out", dropped, said)

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the captioner's files and the version of transformers.

        Loads no model; fetches it if it is not here. Raises as `caption` does.
        """
        return {"weights": captioner_identity(self._folder), "transformers": version("transformers")}

    @cached_property
    def _folder(self) -> Path:
        return captioner_folder(self.options.model, self.options.revision)

    @cached_property
    def _captioner(self) -> "BlipCaptioner":
        return load_captioner(self._folder, self.options.device, self.options.precision)

    def _groups(self, videos: Iterable[Video]) -> Iterator[Sequence[tuple[Video, "Frames | Failed"]]]:
        """Yield the frames of as many videos as fill a batch, decoded ahead by the reader."""
        from maxi_core.video.reader import read_videos
        from maxi_core.video.sampling import Sampling

        wanted = {CONSUMER: Sampling("uniform", self.options.frames)}
        reading = self.video.model_copy(update={"short_side": self._captioner.size})
        stream = read_videos(videos, wanted, reading)
        size = max(1, self.options.batch // self.options.frames)
        while group := list(islice(stream, size)):
            yield group

    def _texts(self, group: Sequence["Frames | Failed"]) -> Iterator[list[str] | Failed]:
        """Yield what is said of each video of a group, one text per frame, all described together."""
        frames = [frame for answer in group if not isinstance(answer, Failed) for frame in answer[CONSUMER]]
        options = self.options
        decoding = {
            "num_beams": options.beams,
            "max_new_tokens": options.max_new_tokens,
            "min_new_tokens": options.min_new_tokens,
            "repetition_penalty": options.repetition_penalty,
        }
        texts = iter(self._captioner.describe(frames, decoding, options.batch))
        for answer in group:
            yield answer if isinstance(answer, Failed) else [tidy(text) for text in islice(texts, options.frames)]


def _nothing_said(texts: list[str]) -> str:
    example = next((text for text in texts if text), "")
    return f"all {len(texts)} captions say nothing, such as '{example}'; try -o blip.repetition_penalty=1.2"


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `blip`."""
    return [Blip]
