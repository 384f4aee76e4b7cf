"""What sources that see a video by CLIP have in common: which model, which frames, and a video's feature."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

import maxi_core
from maxi_core import Clip, Sampling, Source, WorldPath
from maxi_core.video.sampling import MOST_FRAMES

if TYPE_CHECKING:
    from torch import Tensor

    from maxi_core.clip.model import VideoCLIP


class ByClip(Source):
    """A source that sees a video as the mean feature of its frames.

    Each video goes through the model by itself, so what else is asked does not change the last bit of an answer.
    """

    class Options(maxi_core.Options):
        """Which model sees what, and where it is computed."""

        EFFORT: ClassVar[tuple[str, ...]] = ("device",)

        model: Annotated[str, WorldPath("clip")] = Field(
            "ViT-B-16-quickgelu/openai",
            description="ARCH/TAG as open_clip names them, an export folder, or the name of a world",
        )
        frames: int = Field(
            16, ge=1, le=MOST_FRAMES, description="frames of each video, the middles of as many equal segments"
        )
        normalisation: Literal["model", "imagenet"] = Field(
            "model", description="mean and deviation of the pixels: the model's own, or ImageNet's as the authors' code"
        )
        device: str = Field("auto", description="device: cpu, cuda, mps, or auto, the fastest that is there")
        precision: Literal["fp32", "amp_bf16"] = Field(
            "fp32",
            description="of the frames; amp_bf16 is faster where the device computes in bf16, and rounds the scores",
        )

    options: Options

    @property
    def frames(self) -> Sampling:
        """The middle frames of as many equal segments, their shorter side as the model's centre crop wants it."""
        from maxi_core.clip.image_tower import short_side

        return Sampling("middles", self.options.frames, side=short_side(self.model.image_size))

    def open(self) -> None:
        """Load the model; raises UsageError for a model or device that is not right."""
        _ = self.model

    def close(self) -> None:
        """Let go of the model."""
        self.__dict__.pop("model", None)

    @cached_property
    def model(self) -> "VideoCLIP":
        """The model."""
        import torch

        from maxi_core.clip.loading import load_model

        with torch.random.fork_rng(devices=[]):  # weights are drawn before those of the file take their place
            return load_model(self.options.model, self.options.device, normalisation=self.options.normalisation)

    @cached_property
    def identity(self) -> str:
        """The identity of the model's weights."""
        return self.model.identity

    def see(self, clip: Clip) -> "Tensor":
        """Return the feature of a clip, (D,) of length 1."""
        import torch

        from maxi_core.clip.device import autocast
        from maxi_core.clip.image_tower import centre_crop

        with torch.no_grad(), autocast(self.model.device, self.options.precision):
            return self.model.encode_video(centre_crop(clip.frames, self.model.image_size)[None])[0]
