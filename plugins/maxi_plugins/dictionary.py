"""`dictionary`: each video gets the entry that the original CLIP finds nearest to it (paper Eq. 1)."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

import maxi_core
from maxi_core import Clip, Dictionary, Failed, Match, Matcher, Sampling, Source, WorldPath, hookimpl
from maxi_core.errors import UsageError
from maxi_core.prompts import MATCHING

if TYPE_CHECKING:
    from torch import Tensor

    from maxi_core.clip.model import VideoCLIP


class DictionaryMatcher(Matcher):
    """Match a video to the entry whose text feature has the highest cosine with the mean feature of its frames.

    An entry's feature is the mean over the 28 Kinetics templates. Of entries that are equally near the first one wins.
    Each video goes through the model by itself, so what else is asked does not change the last bit of an answer.
    """

    name = "dictionary"
    batch = 8

    class Options(maxi_core.Options):
        """What is matched with what, and where it is computed."""

        EFFORT: ClassVar[tuple[str, ...]] = ("device",)

        model: Annotated[str, WorldPath("clip")] = Field(
            "ViT-B-16-quickgelu/openai",
            description="ARCH/TAG as open_clip names them, an export folder, or the name of a world",
        )
        frames: int = Field(16, ge=1, description="frames of each video, the middles of as many equal segments")
        top: int = Field(5, ge=1, description="best entries that are kept with their cosines")
        normalisation: Literal["model", "imagenet"] = Field(
            "model", description="mean and deviation of the pixels: the model's own, or ImageNet's as the authors' code"
        )
        device: str = Field("auto", description="device: cpu, cuda, mps, or auto, the fastest that is there")
        precision: Literal["fp32", "amp_bf16"] = Field(
            "fp32",
            description="of the frames; amp_bf16 is faster where the device computes in bf16, and rounds the scores",
        )

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._encoding = Lock()
        self._encoded: tuple[Dictionary, Tensor] | None = None

    @property
    def frames(self) -> Sampling:
        """The middle frames of as many equal segments, their shorter side as the model's centre crop wants it."""
        from maxi_core.clip.image_tower import short_side

        return Sampling("middles", self.options.frames, side=short_side(self._model.image_size))

    def open(self) -> None:
        """Load the model; raises UsageError for a model or device that is not right."""
        _ = self._model

    def close(self) -> None:
        """Let go of the model and the features of the dictionary."""
        self.__dict__.pop("_model", None)
        self._encoded = None

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        """Return the best entry, its cosine and the best `top` entries of each clip.

        The dictionary is encoded at the first call. Raises UsageError for a dictionary without entries.
        """
        model = self._model
        texts = self._features(model, dictionary)
        return [self._nearest(clip, model, texts, dictionary) for clip in clips]

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the model's weights and the prompt templates."""
        templates = sha256("\n".join(MATCHING).encode()).hexdigest()
        return {"model": self._identity, "templates": templates}

    @cached_property
    def _model(self) -> "VideoCLIP":
        import torch

        from maxi_core.clip.loading import load_model

        with torch.random.fork_rng(devices=[]):  # weights are drawn before those of the file take their place
            return load_model(self.options.model, self.options.device, normalisation=self.options.normalisation)

    @cached_property
    def _identity(self) -> str:
        return self._model.identity

    def _features(self, model: "VideoCLIP", dictionary: Dictionary) -> "Tensor":
        """Return the features of the dictionary's entries, (C, D); those of the last dictionary are held."""
        from maxi_core.clip.text_features import entry_features

        if not dictionary.entries:
            raise UsageError(f"the dictionary '{dictionary.name}' is empty: there is nothing to match videos to")
        with self._encoding:  # two calls at once do not both encode it
            if self._encoded is None or self._encoded[0] != dictionary:
                self._encoded = dictionary, entry_features(model, dictionary.entries)
            return self._encoded[1]

    def _nearest(self, clip: Clip, model: "VideoCLIP", texts: "Tensor", dictionary: Dictionary) -> Match | Failed:
        import torch

        from maxi_core.clip.device import autocast
        from maxi_core.clip.image_tower import centre_crop

        with torch.no_grad(), autocast(model.device, self.options.precision):
            (feature,) = model.encode_video(centre_crop(clip.frames, model.image_size)[None])
        # Rounded, because the order of a sum shows in the seventh digit: entries that are one text to CLIP must tie.
        scores = (texts @ feature).cpu().double().round(decimals=6)  # (C,)
        cosines, places = scores.sort(descending=True, stable=True)  # ties keep their order
        if not cosines[0].isfinite():  # NaN sorts first
            return Failed("the model's feature of this video is not a finite number; look at the model's weights")
        best = zip(places[: self.options.top].tolist(), cosines[: self.options.top].tolist(), strict=True)
        top = tuple((dictionary.entries[place], cosine) for place, cosine in best)
        return Match(clip.video, *top[0], top)


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `dictionary`."""
    return [DictionaryMatcher]
