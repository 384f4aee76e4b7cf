"""`dictionary`: each video gets the entry that the original CLIP finds nearest to it (SPEC section 2, paper eq. 1)."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxi_core import Dictionary, Failed, Match, Matcher, Options, Source, Video, hookimpl
from maxi_core.errors import UsageError
from maxi_core.prompts import MATCHING

if TYPE_CHECKING:
    from torch import Tensor

    from maxi_core.clip.models import Clip
    from maxi_core.video.frames import Pixels

CONSUMER = "dictionary"


class DictionaryMatcher(Matcher):
    """Match a video to the entry whose text feature has the highest cosine with the mean feature of its frames.

    An entry's feature is the mean over the 28 Kinetics templates. Of entries that are equally near the first one wins.
    Each video goes through the model by itself, so what else is asked does not change the last bit of an answer.
    """

    name = "dictionary"

    class Options(Options):
        """What is matched with what, and where it is computed."""

        EFFORT: ClassVar[tuple[str, ...]] = ("device", "batch")

        model: str = Field(
            "ViT-B-16-quickgelu/openai", description="ARCH/TAG as open_clip names them, an export folder, or sandbox"
        )
        frames: int = Field(16, ge=1, description="frames of each video, the middles of as many equal segments")
        top: int = Field(5, ge=1, description="best entries that are kept with their cosines")
        normalisation: Literal["model", "imagenet"] = Field(
            "model", description="mean and deviation of the pixels: the model's own, or ImageNet's as the authors' code"
        )
        device: str = Field("auto", description="cpu, cuda, mps, or auto: the fastest that is there")
        precision: Literal["fp32", "amp_bf16"] = Field(
            "fp32",
            description="of the frames; amp_bf16 is faster where the device computes in bf16, and rounds the scores",
        )
        batch: int = Field(16, ge=1, description="frames that go through the model at once; fewer need less memory")

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        """Yield the best entry, its cosine and the best `top` entries of each video, in order.

        The model is loaded and the dictionary encoded before the first video is read. Raises UsageError for a model,
        device or decoder that is not right, and for a dictionary without entries.
        """
        from maxi_core.clip.text_features import entry_features
        from maxi_core.clip.visual import short_side
        from maxi_core.video.reader import read_videos
        from maxi_core.video.sampling import Sampling

        if not dictionary.entries:
            raise UsageError(f"the dictionary '{dictionary.name}' is empty: there is nothing to match videos to")
        texts = entry_features(self._clip, dictionary.entries)  # (C, D)
        wanted = {CONSUMER: Sampling("middles", self.options.frames)}
        reading = self.video.model_copy(update={"short_side": short_side(self._clip.image_size)})
        for video, answer in read_videos(videos, wanted, reading):
            if isinstance(answer, Failed):
                yield answer
            else:
                yield self._nearest(video, answer[CONSUMER], texts, dictionary)

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the model's weights and the prompt templates."""
        templates = sha256("\n".join(MATCHING).encode()).hexdigest()
        return {"model": self._clip.identity, "templates": templates}

    @cached_property
    def _clip(self) -> "Clip":
        from maxi_core.clip.models import load_model

        return load_model(self.options.model, self.options.device)

    def _nearest(self, video: Video, frames: "Pixels", texts: "Tensor", dictionary: Dictionary) -> Match | Failed:
        from maxi_core.clip.visual import centre_crop, encode_video

        feature = encode_video(
            self._clip,
            centre_crop(frames, self._clip.image_size),
            normalisation=self.options.normalisation,
            precision=self.options.precision,
            batch=self.options.batch,
        )
        # Rounded, because the order of a sum shows in the seventh digit: entries that are one text to CLIP must tie.
        scores = (texts @ feature).cpu().double().round(decimals=6)  # (C,)
        cosines, places = scores.sort(descending=True, stable=True)  # ties keep their order
        if not cosines[0].isfinite():  # NaN sorts first
            return Failed("the model's feature of this video is not a finite number; look at the model's weights")
        best = zip(places[: self.options.top].tolist(), cosines[: self.options.top].tolist(), strict=True)
        top = tuple((dictionary.entries[place], cosine) for place, cosine in best)
        return Match(video, *top[0], top)


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `dictionary`."""
    return [DictionaryMatcher]
