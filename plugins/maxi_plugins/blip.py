"""`blip`: BLIP describes frames of each video (paper Table 6)."""

import logging
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, field_validator

import maxi_core
from maxi_core import Captioner, Clip, Failed, Sampling, Source, Video, WorldPath, hookimpl
from maxi_core.texts import counted, tidy
from maxi_core.video.sampling import MOST_FRAMES
from maxi_plugins.captioner_files import Precision, absolute, captioner_folder, captioner_identity
from maxi_plugins.degenerate import degenerate

if TYPE_CHECKING:
    from maxi_plugins.blip_model import BlipCaptioner

logger = logging.getLogger("maxi")

FRAMES = 8  # of each video, evenly spread (method.md, sources)
LARGE = "Salesforce/blip-image-captioning-large"  # a ViT-L/16 that looks at 384 pixels; `size` is what a model says
FRAMES_AT_ONCE = 16  # of a clip that is described by itself, so that `frames` costs time and no memory


class Blip(Captioner):
    """Caption eight frames of each video by themselves, evenly spread from the first to the last.

    A caption that says nothing (a word or phrase over and over) is left out; a video without any other is Failed.
    """

    name = "blip"
    batch = 2

    class Options(maxi_core.Options):
        """Which captioner, what it looks at, and how it chooses its words."""

        model: Annotated[str, WorldPath("captioner")] = Field(
            LARGE,
            description="name on the Hugging Face hub, a folder (/, ./ or ~ first), or the name of a world",
        )
        revision: str | None = Field(None, description="branch, tag or commit of a name on the hub; none: its newest")
        frames: int = Field(FRAMES, ge=1, le=MOST_FRAMES, description="frames of each video, one caption each")
        beams: int = Field(1, ge=1, description="sentences followed at once; 1 takes the likeliest word each time")
        max_new_tokens: int = Field(20, ge=1, description="tokens of a caption at most")
        min_new_tokens: int = Field(0, ge=0, description="tokens of a caption at least")
        repetition_penalty: float = Field(1.0, gt=0, description="above 1, words that were said become less likely")
        precision: Precision = Field("fp32", description="of the weights; bf16 is for GPUs and CPUs that compute in it")
        device: str = Field("auto", description="device: cpu, cuda, mps, or auto, the fastest that is there")

        EFFORT = ("device",)

        @field_validator("model")
        @classmethod
        def _absolute(cls, model: str) -> str:
            return absolute(model)

    options: Options

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._left_out: dict[Video, int] = {}  # captions that say nothing, by video

    @property
    def frames(self) -> Sampling:
        """Frames evenly spread from the first to the last, their shorter side that of the picture BLIP looks at."""
        return Sampling("uniform", self.options.frames, side=self._captioner.size)

    def open(self) -> None:
        """Load the captioner.

        Raises UsageError for a model or device that is not right, MaxiError for a model that cannot be fetched.
        """
        _ = self._captioner

    def close(self) -> None:
        """Let go of the captioner, and warn of the captions that were left out."""
        self.__dict__.pop("_captioner", None)
        if self._left_out:
            count = counted(sum(self._left_out.values()), "caption")
            videos = counted(len(self._left_out), "video")
            logger.warning("blip: left out %s of %s, since they say nothing", count, videos)
        self._left_out = {}

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the captions of each clip's frames in order of time, the same ones kept as often as they are said.

        All frames of a call are described together.
        """
        said = iter(self._said(clips))
        return [self._kept(clip.video, list(islice(said, len(clip.frames)))) for clip in clips]

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the captioner's files and the version of transformers.

        Loads no model; fetches it if it is not here. Raises as `open` does.
        """
        return {"weights": captioner_identity(self._folder), "transformers": version("transformers")}

    @cached_property
    def _folder(self) -> Path:
        return captioner_folder(self.label, self.options.model, self.options.revision)

    @cached_property
    def _captioner(self) -> "BlipCaptioner":
        from maxi_plugins.blip_model import load_captioner

        return load_captioner(self._folder, self.options.device, self.options.precision)

    def _said(self, clips: list[Clip]) -> list[str]:
        """Return what is said of each frame of each clip."""
        frames = [frame for clip in clips for frame in clip.frames]
        options = self.options
        decoding = {
            "num_beams": options.beams,
            "max_new_tokens": options.max_new_tokens,
            "min_new_tokens": options.min_new_tokens,
            "repetition_penalty": options.repetition_penalty,
        }
        at_once = max(FRAMES_AT_ONCE, len(frames)) if len(clips) > 1 else FRAMES_AT_ONCE
        return [tidy(text) for text in self._captioner.describe(frames, decoding, at_once)]

    def _kept(self, video: Video, texts: list[str]) -> list[str] | Failed:
        """Return what says something of what was said of a video."""
        kept = [text for text in texts if not degenerate(text)]
        if len(kept) < len(texts):
            self._left_out[video] = len(texts) - len(kept)
        return kept or Failed(_nothing_said(texts))


def _nothing_said(texts: list[str]) -> str:
    example = next((text for text in texts if text), "")
    return (
        f"all {counted(len(texts), 'caption', 'say')} nothing, such as '{example}'; try -o blip.repetition_penalty=1.2"
    )


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `blip`."""
    return [Blip]
