"""`gpt3`: a language model says each action name in other words (SPEC section 3)."""

import logging
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

import maxi_core
from maxi_core import Expander, Failed, Source, hookimpl
from maxi_core.errors import UsageError
from maxi_core.texts import tidy
from maxi_plugins.endpoint import address, api_key, connect, offer
from maxi_plugins.exchanges import Answerer, Recorded, Replay, Request, spoken
from maxi_plugins.replies import excerpt, phrases

logger = logging.getLogger("maxi")

PROMPT = "Generate {count} phrases to describe the action of {action} in simple words."
MOST_TOKENS = 256  # of a completion, whose default is 16; five phrases take about 50


class Gpt3(Expander):
    """Ask a language model for five phrases that describe an action, with the paper's prompt.

    The model is any behind an OpenAI-compatible endpoint: `OPENAI_API_KEY`, `OPENAI_BASE_URL`.
    """

    name = "gpt3"

    class Options(maxi_core.Options):
        """Which model is asked, how, and what is kept of it."""

        model: str | None = Field(None, description="model of the endpoint; none: an error that lists what it offers")
        provider: Literal["chat", "completions"] = Field(
            "chat", description="chat, or completions: the original form, for endpoints that still have it"
        )
        temperature: float = Field(0.4, ge=0, le=2, description="how freely the model chooses its words")
        phrases: int = Field(5, ge=1, le=50, description="phrases for each action; their number is part of the prompt")
        replay: Path | Literal["sandbox"] | None = Field(
            None, description="answer from this file of JSON lines {request, response}, without model, key and network"
        )
        record: Path | None = Field(None, description="append each exchange to this file, for replay; never the key")
        api_key_file: Path | None = Field(None, description="file that holds the key; none: OPENAI_API_KEY")
        timeout: float = Field(60, gt=0, description="seconds to wait for one answer")

        EFFORT = ("record", "api_key_file", "timeout")

    options: Options

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        """Yield the phrases for each action name; Failed if the model's reply holds none.

        Raises UsageError for a missing model, key or file, and MaxiError for a refused key, model or parameter and a
        used-up quota: no further entry is asked then.
        """
        for entry in entries:
            yield self._phrases(tidy(entry))

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the prompt, and the endpoint or the replayed file.

        Raises UsageError, before anything is asked, if there is no model, no key or no file.
        """
        if isinstance(self._answerer, Replay):
            return {"prompt": PROMPT, "replay": self._answerer.identity}
        return {"prompt": PROMPT, "endpoint": address()}

    def _phrases(self, entry: str) -> list[str] | Failed:
        if not entry:
            return Failed("a blank action name cannot be described")
        said = spoken(self._answerer.ask(self._request(entry)))
        if isinstance(said, Failed):
            return said
        found = phrases(said, self.options.phrases)
        if len(found) < self.options.phrases:
            logger.info("gpt3: %d of %d phrases for '%s'", len(found), self.options.phrases, entry)
        return found or Failed(f"the reply holds no phrases: {excerpt(said)!r}")

    def _request(self, entry: str) -> Request:
        prompt = PROMPT.format(count=self.options.phrases, action=entry)
        asked = {"model": self.options.model, "temperature": self.options.temperature}
        if self.options.provider == "completions":
            return {**asked, "prompt": prompt, "max_tokens": MOST_TOKENS}
        return {**asked, "messages": [{"role": "user", "content": prompt}]}

    @cached_property
    def _answerer(self) -> Answerer:
        options = self.options
        if options.replay is not None:
            if options.record is not None:
                raise UsageError("gpt3.replay asks nobody, so there is nothing to record", "leave one of the two out")
            return Replay(_replay_file(options.replay))
        endpoint = connect(options.provider, options.api_key_file, options.timeout)
        if options.model is None:
            raise UsageError(
                f"gpt3 has no model, and none is built in{offer(endpoint.models())}",
                "type -o gpt3.model=NAME or set MAXI_GPT3_MODEL",
            )
        if options.record is not None:
            return Recorded(endpoint, options.record, api_key(options.api_key_file))
        return endpoint


def _replay_file(replay: Path | Literal["sandbox"]) -> Path:
    if isinstance(replay, Path):
        return replay
    from maxi_core import sandbox

    return sandbox.replies_file()


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `gpt3`."""
    return [Gpt3]
