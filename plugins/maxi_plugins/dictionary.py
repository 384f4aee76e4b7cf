"""`dictionary`: each video gets the entry that the original CLIP finds nearest to it (paper Eq. 1)."""

from collections.abc import Iterable
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from maxi_core import Clip, Dictionary, Failed, Match, Matcher, Source, hookimpl
from maxi_core.errors import UsageError
from maxi_core.prompts import MATCHING
from maxi_plugins.by_clip import ByClip

if TYPE_CHECKING:
    from torch import Tensor


class DictionaryMatcher(ByClip, Matcher):
    """Match a video to the entry whose text feature has the highest cosine with the mean feature of its frames.

    An entry's feature is the mean over the 28 Kinetics templates. Of entries that are equally near the first one wins.
    Each video goes through the model by itself, so what else is asked does not change the last bit of an answer.
    """

    name = "dictionary"
    batch = 8

    class Options(ByClip.Options):
        """What is matched with what, and where it is computed."""

        top: int = Field(5, ge=1, description="best entries that are kept with their cosines")

    options: Options

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._encoding = Lock()
        self._encoded: tuple[Dictionary, Tensor] | None = None

    def close(self) -> None:
        """Let go of the model and the features of the dictionary."""
        super().close()
        self._encoded = None

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        """Return the best entry, its cosine and the best `top` entries of each clip.

        The dictionary is encoded at the first call. Raises UsageError for a dictionary without entries.
        """
        texts = self._features(dictionary)
        return [self._nearest(clip, texts, dictionary) for clip in clips]

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the model's weights and the prompt templates."""
        templates = sha256("\n".join(MATCHING).encode()).hexdigest()
        return {"model": self.identity, "templates": templates}

    def _features(self, dictionary: Dictionary) -> "Tensor":
        """Return the features of the dictionary's entries, (C, D); those of the last dictionary are held."""
        from maxi_core.clip.text_features import entry_features

        if not dictionary.entries:
            raise UsageError(f"the dictionary '{dictionary.name}' is empty: there is nothing to match videos to")
        with self._encoding:  # two calls at once do not both encode it
            if self._encoded is None or self._encoded[0] != dictionary:
                self._encoded = dictionary, entry_features(self.model, dictionary.entries)
            return self._encoded[1]

    def _nearest(self, clip: Clip, texts: "Tensor", dictionary: Dictionary) -> Match | Failed:
        # Rounded, because the order of a sum shows in the seventh digit: entries that are one text to CLIP must tie.
        scores = (texts @ self.see(clip)).cpu().double().round(decimals=6)  # (C,)
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
