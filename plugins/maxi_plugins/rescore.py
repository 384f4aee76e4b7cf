"""`rescore`: the texts of a bag that CLIP finds furthest from the bag's own video are dropped."""

import math
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from maxi_core import Clip, Failed, Filter, Source, TextBag, hookimpl
from maxi_core.prompts import EVALUATION, fill, templates_of
from maxi_plugins.by_clip import ByClip

if TYPE_CHECKING:
    from torch import Tensor


class Rescore(ByClip, Filter):
    """Keep the texts of a bag that have the highest cosines with its video, a share of them or all above a threshold.

    The cosine is that of the text in a prompt with the mean feature of the frames, as in matching (paper Eq. 1). Of
    texts that are equally near the first ones stay.
    """

    name = "rescore"
    batch = 8

    class Options(ByClip.Options):
        """Which texts stay, by which model."""

        share: float = Field(
            0.5, gt=0, le=1, description="share of the texts of each bag that stays, at least one text"
        )
        threshold: float | None = Field(
            None,
            ge=-1,
            le=1,
            description="lowest cosine of a text that stays, in the place of a share; none: the share",
        )
        prompt: str = Field(EVALUATION, description="prompt of a text; templates: the mean over 28")

    options: Options

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._encoding = Lock()
        self._encoded: dict[str, Tensor] = {}

    def close(self) -> None:
        """Let go of the model and the features of texts."""
        super().close()
        self._encoded.clear()

    def fingerprint(self) -> dict[str, str]:
        """Return the identity of the model's weights; raises UsageError for a prompt that is none."""
        templates_of(self.options.prompt)
        return {"model": self.identity}

    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        """Return each bag with the texts that stay, in their order."""
        self._encode({text.text for bag in bags for text in bag.texts})
        return [self._left(clip, bag) for clip, bag in zip(clips, bags, strict=True)]

    def _left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        import torch

        if not bag.texts:
            return bag
        features = torch.stack([self._encoded[text.text] for text in bag.texts])  # (N, D)
        # Rounded as in matching: texts that are one text to CLIP must tie.
        scores = (features @ self.see(clip).cpu().to(features)).double().round(decimals=6)  # (N,)
        if not scores.isfinite().all():
            return Failed("the model's feature of this video is not a finite number; look at the model's weights")
        if self.options.threshold is not None:
            stays = {place for place, score in enumerate(scores.tolist()) if score >= self.options.threshold}
        else:
            count = max(1, math.floor(self.options.share * len(scores) + 0.5))
            stays = set(scores.sort(descending=True, stable=True).indices[:count].tolist())
        return replace(bag, texts=tuple(text for place, text in enumerate(bag.texts) if place in stays))

    def _encode(self, texts: set[str]) -> None:
        """Encode the texts that were not seen yet."""
        from maxi_core.clip.text_features import mean_features

        templates = templates_of(self.options.prompt)
        with self._encoding:  # two calls at once do not both encode them
            if new := sorted(texts - self._encoded.keys()):
                prompts = [[fill(template, text) for template in templates] for text in new]
                self._encoded |= dict(zip(new, mean_features(self.model, prompts), strict=True))


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `rescore`."""
    return [Rescore]
