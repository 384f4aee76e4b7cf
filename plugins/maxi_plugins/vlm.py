"""`vlm`: a vision-language model behind chat completions sees several frames of a video in one question."""

from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from io import BytesIO
from math import ceil
from typing import Any, Literal

from pydantic import Field

from maxi_core import Captioner, Clip, Failed, Pixels, Sampling, Source, hookimpl
from maxi_plugins.llm.actions import ASKED, FORMAT, PROMPT, question
from maxi_plugins.llm.asking import AsksModel
from maxi_plugins.llm.exchange import Request
from maxi_plugins.llm.options import ModelOptions, model_fix
from maxi_plugins.llm.pictures import Picture

PATCH = 28  # pixels of a side that are one token for the Qwen-VL models; others take more or less
WIDE = 16 / 9  # how much longer the longer side of a frame is, for estimates


class Vlm(AsksModel, Captioner):
    """Show several frames of a video to a vision-language model at once, and ask what people do in it.

    The model is any that takes pictures behind chat completions (vLLM, SGLang, llama.cpp, Ollama, hosted ones):
    `OPENAI_API_KEY`, `OPENAI_BASE_URL`.
    """

    name = "vlm"
    concurrency = 32
    costs_money = True
    may_be_none = True  # nobody may do anything

    class Options(ModelOptions):
        """Which model is asked, what it is shown, how much may be asked, and what is kept of it."""

        frames: int = Field(8, ge=1, le=256, description="frames of each video, evenly spread, all in one question")
        side: int = Field(224, ge=32, description="shorter side of a frame in pixels; smaller videos stay as they are")
        quality: int = Field(80, ge=1, le=95, description="of the JPEGs that are sent")
        phrases: int = Field(5, ge=1, le=50, description="actions of a video that are asked for and kept at most")
        prompt: str = Field(PROMPT, description="the question, a system message; {phrases} stands for their number")
        structured: bool = Field(True, description="whether JSON by a schema is asked for, where the model can")
        temperature: float = Field(0, ge=0, le=2, description="how freely the model chooses its words")
        max_tokens: int = Field(100, ge=1, description="longest reply; a model that thinks needs more")
        provider: Literal["chat"] = Field("chat", description="the one form in which pictures can be sent")
        timeout: float = Field(120, gt=0, description="seconds to wait for one answer")
        patience: float = Field(
            300, ge=0, description="seconds after which one question is given up, all tries together"
        )

    options: Options

    @property
    def frames(self) -> Sampling:
        """Frames evenly spread from the first to the last."""
        return Sampling("uniform", self.options.frames, side=self.options.side)

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the actions in each clip, [] where the model says that there is none; Failed if a reply holds nothing.

        Raises MaxiError for a refused key, model or parameter, a model that takes no pictures, a used-up quota and an
        endpoint that is silent, and BudgetError (exit code 4) before a cap is crossed: no further video is asked then.
        """
        return [self._answer(self._request(clip.frames), clip.video.id) for clip in clips]

    def probe(self) -> dict[str, str]:
        """Return what the endpoint says of itself and of the model; nobody is asked where no model is named.

        Raises MaxiError if it cannot be asked or does not list the model.
        """
        named = self.options.model is not None or self.options.replay is not None
        return super().probe() if named else {"model": f"none: {model_fix(self.label)}"}

    def tokens_each(self) -> int:
        """Return about how many tokens one video takes: its frames in the patches of Qwen-VL, the question, a reply."""
        from maxi_plugins.llm.budget import LETTERS

        side = self.options.side
        frames = self.options.frames * _tokens(side, ceil(side * WIDE))
        return frames + len(self.options.prompt) // LETTERS + self.options.max_tokens

    @property
    def _most(self) -> int:
        return self.options.phrases

    @property
    def _least(self) -> int:
        return 1

    def _template(self) -> dict[str, Any]:
        options = self.options
        prompt = question(options.prompt, options.phrases)
        asked: dict[str, Any] = {
            "model": options.model,
            "temperature": options.temperature,
            "max_tokens": options.max_tokens,
            **({"response_format": FORMAT} if options.structured else {}),
            **options.extra,
        }
        return {**asked, "messages": [{"role": "system", "content": prompt}]}

    def _request(self, frames: Pixels) -> Request:
        """Return the question about the frames (T, H, W, 3) of one video: what all have in common comes first."""
        quality, template = self.options.quality, self._template()
        shown = [{"type": "image_url", "image_url": {"url": picture(frame, quality)}} for frame in frames]
        asked = {"role": "user", "content": [*shown, {"type": "text", "text": ASKED}]}
        return template | {"messages": [*template["messages"], asked]}


def picture(frame: Pixels, quality: int) -> Picture:
    """Return a frame (H, W, 3) of RGB as a JPEG that is made when it is sent; it is known by its pixels and quality."""
    import numpy as np

    height, width = frame.shape[:2]
    pixels = np.ascontiguousarray(frame)
    made_from = f"sha256:{sha256(pixels.data).hexdigest()[:32]} {width}x{height} q{quality}"
    return Picture(made_from, _tokens(height, width), partial(_jpeg, pixels, quality))


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    from PIL import Image

    file = BytesIO()
    size = (pixels.shape[1], pixels.shape[0])  # `fromarray` would copy the pixels once more
    Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _tokens(height: int, width: int) -> int:
    return ceil(height / PATCH) * ceil(width / PATCH)


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `vlm`."""
    return [Vlm]
