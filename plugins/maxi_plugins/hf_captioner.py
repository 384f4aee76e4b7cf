"""`hf-captioner`: any image-text-to-text model of transformers describes frames of each video, in this process."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

import maxi_core
from maxi_core import Captioner, Clip, Failed, Sampling, Source, UsageError, hookimpl
from maxi_core.texts import tidy
from maxi_plugins.captioner_files import Precision, absolute, captioner_folder, captioner_identity
from maxi_plugins.degenerate import degenerate
from maxi_plugins.llm.actions import PROMPT, question
from maxi_plugins.llm.asking import digest_of_reading

if TYPE_CHECKING:
    from maxi_core import Pixels
    from maxi_plugins.hf_model import VisionLanguageModel

FRAMES_AT_ONCE = 16  # of a clip that is described by itself, so that `frames` costs time and no memory


class HfCaptioner(Captioner):
    """Ask a vision-language model of transformers what people do in each video.

    A model that takes questions sees all frames in one; any other (BLIP-2, GIT) describes each frame by itself.
    """

    name = "hf-captioner"
    batch = 2

    class Options(maxi_core.Options):
        """Which model, what it sees, and how it chooses its words."""

        model: str | None = Field(
            None, description="name on the Hugging Face hub, or a folder (/, ./ or ~ first); none: an error"
        )
        revision: str | None = Field(None, description="branch, tag or commit of a name on the hub; none: its newest")
        frames: int = Field(8, ge=1, le=256, description="frames of each video, evenly spread")
        together: bool = Field(
            True, description="whether one question is about all frames, where the model takes questions"
        )
        side: int = Field(
            336, ge=32, description="shorter side of a frame in pixels; the model's processor does the rest"
        )
        phrases: int = Field(5, ge=1, le=50, description="actions that are asked for in a question and kept at most")
        prompt: str | None = Field(
            None,
            description="the question, where {phrases} stands for their number; none: that of vlm, or no words at all "
            "for a model that takes no questions",
        )
        beams: int = Field(1, ge=1, description="sentences followed at once; 1 takes the likeliest word each time")
        max_new_tokens: int = Field(100, ge=1, description="tokens of an answer at most")
        repetition_penalty: float = Field(1.0, gt=0, description="above 1, words that were said become less likely")
        precision: Precision = Field("fp32", description="of the weights; bf16 is for GPUs and CPUs that compute in it")
        device: str = Field("auto", description="device: cpu, cuda, mps, or auto, the fastest that is there")

        EFFORT = ("device",)

        @field_validator("model")
        @classmethod
        def _absolute(cls, model: str | None) -> str | None:
            return model and absolute(model)

    options: Options

    @property
    def frames(self) -> Sampling:
        """Frames evenly spread from the first to the last."""
        return Sampling("uniform", self.options.frames, side=self.options.side)

    def open(self) -> None:
        """Load the model.

        Raises UsageError for a model or device that is not right, MaxiError for a model that cannot be fetched.
        """
        _ = self._model

    def close(self) -> None:
        """Let go of the model."""
        self.__dict__.pop("_model", None)

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return what is said of each clip, [] where the model says that there is no action; Failed if it is nothing.

        All questions of a call go through the model together.
        """
        together = self._model.chats and self.options.together
        questions = [[list(clip.frames)] if together else [[frame] for frame in clip.frames] for clip in clips]
        frames = max(FRAMES_AT_ONCE, sum(len(clip.frames) for clip in clips)) if len(clips) > 1 else FRAMES_AT_ONCE
        said = iter(self._said([shown for of_clip in questions for shown in of_clip], frames))
        return [self._kept(list(islice(said, len(of_clip)))) for of_clip in questions]

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the model's files, transformers, how a reply is read.

        Loads no model; fetches it if it is not here. Raises as `open` does.
        """
        identity = {"weights": captioner_identity(self._folder), "transformers": version("transformers")}
        return identity | {"replies": digest_of_reading()}

    @cached_property
    def _folder(self) -> Path:
        if self.options.model is None:
            fix = f"type -o {self.label}.model=NAME, such as Qwen/Qwen2.5-VL-3B-Instruct"
            raise UsageError(f"{self.label} has no model, and none is built in", fix)
        return captioner_folder(self.label, self.options.model, self.options.revision)

    @cached_property
    def _model(self) -> "VisionLanguageModel":
        from maxi_plugins.hf_model import load_model

        return load_model(self._folder, self.options.device, self.options.precision)

    def _said(self, shown: Sequence[Sequence["Pixels"]], at_once: int) -> list[str]:
        """Return what is said of each group of frames."""
        options = self.options
        prompt = options.prompt if options.prompt is not None else PROMPT if self._model.chats else ""
        decoding = {
            "num_beams": options.beams,
            "max_new_tokens": options.max_new_tokens,
            "repetition_penalty": options.repetition_penalty,
        }
        return self._model.answers(shown, question(prompt, options.phrases), decoding, at_once)

    def _kept(self, replies: list[str]) -> list[str] | Failed:
        """Return what says something of the replies to the questions about one video."""
        from maxi_plugins.llm.phrases import phrases, says_none

        if not self._model.chats:
            texts = [tidy(reply) for reply in replies]
        elif all(map(says_none, replies)):
            return []
        else:
            texts = [phrase for reply in replies for phrase in phrases(reply, self.options.phrases)]
        if kept := [text for text in texts if not degenerate(text)]:
            return kept
        example = next((text for text in map(tidy, replies) if text), "")
        return Failed(f"the model says nothing of it, such as '{example[:60]}'; try another {self.label}.prompt")


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `hf-captioner`."""
    return [HfCaptioner]
