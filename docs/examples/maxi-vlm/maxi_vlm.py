"""`vlm`: a vision-language model describes each video from several frames in one question."""

import base64
import io
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field

import maxi_core
from maxi_core import Captioner, Clip, Failed, MaxiError, Pixels, Sampling, UsageError, hookimpl
from maxi_core.texts import tidy

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

MAXI_API = 1

PROMPT = (
    "These are {frames} frames of one video, in order of time. Say what people do in it, in {sentences} short "
    "sentences, one a line, each with a verb. Say only what can be seen."
)
OPENAI = "https://api.openai.com/v1"
FATAL = (401, 403, 404)  # every further question would meet them, too

_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)])\s+")


def address() -> str:
    """Return the endpoint's address without credentials and query: what may be shown and kept."""
    parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def sentences(reply: str, most: int) -> list[str]:
    """Return the lines of a reply without list marks, at most so many, each once."""
    found = [tidy(_MARK.sub("", line)) for line in reply.splitlines()]
    return [line for line in dict.fromkeys(found) if line][:most]


def key() -> str:
    """Return the key; raises UsageError if there is none."""
    found = os.environ.get("OPENAI_API_KEY", "").strip()
    if not found:
        raise UsageError("there is no API key", "set OPENAI_API_KEY; for a server that wants none any word will do")
    return found


def as_url(frame: Pixels, quality: int) -> str:
    """Return a frame (H, W, 3) of RGB as a JPEG in a data URL."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


class Vlm(Captioner):
    """Show several frames of a video to a vision-language model at once and ask what people do in it.

    The model is any behind an OpenAI-compatible endpoint that takes images: `OPENAI_API_KEY`, `OPENAI_BASE_URL`.
    """

    name = "vlm"
    batch = 1  # so that each answer is kept as soon as it is paid for
    concurrency = 24
    costs_money = True

    class Options(maxi_core.Options):
        """Which model is asked, what it is shown, and how."""

        model: str | None = Field(None, description="model of the endpoint, such as Qwen/Qwen2.5-VL-7B-Instruct")
        frames: int = Field(8, ge=1, description="frames of each video, all in one question")
        side: int = Field(256, ge=32, description="shorter side of a frame in pixels, never enlarged")
        quality: int = Field(85, ge=1, le=95, description="of the JPEGs that are sent")
        sentences: int = Field(4, ge=1, le=20, description="sentences that are asked for and kept at most")
        temperature: float = Field(0, ge=0, le=2, description="how freely the model chooses its words")
        prompt: str = Field(PROMPT, description="the question, with {frames} and {sentences} for the two numbers")
        max_tokens: int = Field(300, ge=1, description="longest reply")
        timeout: float = Field(120, gt=0, description="seconds to wait for one reply")

        EFFORT = ("timeout",)

    options: Options

    _client: "OpenAI"

    def fingerprint(self) -> dict[str, str]:
        """Return the endpoint; raises UsageError, before any work, if there is no model or no key."""
        if self.options.model is None:
            raise UsageError("vlm has no model, and none is built in", "type -o vlm.model=NAME")
        key()
        return {"endpoint": address()}

    def open(self) -> None:
        """Make the client, which all threads share."""
        from openai import OpenAI

        self._client = OpenAI(api_key=key(), timeout=self.options.timeout)

    @property
    def frames(self) -> Sampling:
        """The frames that the model is shown, from the first to the last."""
        return Sampling("uniform", self.options.frames, side=self.options.side)

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        """Return the sentences for each clip.

        Raises MaxiError for a refused key, an unknown model or address, and a used-up quota: no further video is asked.
        """
        return [self._describe(clip.frames) for clip in clips]

    def _describe(self, frames: Pixels) -> list[str] | Failed:
        """Ask about the frames (T, H, W, 3) of one video."""
        from openai import APIStatusError, OpenAIError

        try:
            reply: Any = self._client.chat.completions.create(**self._request(frames))
        except APIStatusError as error:
            return self._refused(error)
        except (OpenAIError, ValueError) as error:  # a reply that is cut off is no OpenAIError
            return Failed(f"{address()} gave no usable reply: {self._shown(error)}")
        choices = getattr(reply, "choices", None)
        said = choices[0].message.content if choices else None
        if not said:
            return Failed(f"{address()} said nothing of it")
        return sentences(said, self.options.sentences) or Failed(f"the reply holds no sentence: {tidy(said, 60)!r}")

    def _request(self, frames: Pixels) -> dict[str, Any]:
        options = self.options
        question = options.prompt.replace("{frames}", str(len(frames)))
        text = {"type": "text", "text": question.replace("{sentences}", str(options.sentences))}
        images = [{"type": "image_url", "image_url": {"url": as_url(frame, options.quality)}} for frame in frames]
        return {
            "model": options.model,
            "temperature": options.temperature,
            "max_tokens": options.max_tokens,
            "messages": [{"role": "user", "content": [text, *images]}],
        }

    def _refused(self, error: "APIStatusError") -> Failed:
        """Return Failed for a refusal of this question; raises MaxiError for one that all others would meet, too."""
        if error.status_code == 401:
            raise MaxiError(f"{address()} refuses the API key (401)", "set OPENAI_API_KEY")
        what = f"{address()} answered {error.status_code} for model '{self.options.model}': {self._shown(error)}"
        if error.status_code in FATAL or error.code == "insufficient_quota":
            raise MaxiError(
                what, "correct OPENAI_BASE_URL, vlm.model or the account; the same command goes on from here"
            )
        return Failed(what)

    def _shown(self, error: Exception) -> str:
        """Return an error for a message: the client's own may quote the key."""
        return tidy(str(error).replace(self._client.api_key, "***"), 200)


@hookimpl
def maxi_register_sources() -> Iterable[type[Captioner]]:
    """Offer `vlm`."""
    return [Vlm]
