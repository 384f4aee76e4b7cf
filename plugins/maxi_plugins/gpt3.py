"""`gpt3`: a language model says each action name in other words (paper Table 6)."""

import json
import logging
from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, Field

from maxi_core import Expander, Failed, Source, hookimpl
from maxi_core.texts import name_key, tidy
from maxi_plugins.llm import exchange as saying
from maxi_plugins.llm import marks
from maxi_plugins.llm import phrases as reading
from maxi_plugins.llm.cache import Replay
from maxi_plugins.llm.exchange import Exchange, Request, excerpt, is_cut, reply_text
from maxi_plugins.llm.model import LanguageModel, ModelOptions, client_of, language_model
from maxi_plugins.llm.phrases import phrases

logger = logging.getLogger("maxi")

PROMPT = "Generate {count} phrases to describe the action of {action} in simple words."
CUT = ", it was cut at its longest (finish_reason: length)"
MOST_TOKENS = 256  # of a completion, whose default is 16; five phrases take about 50


class Gpt3(Expander):
    """Ask a language model for five phrases that describe an action, with the paper's prompt.

    The model is any behind an OpenAI-compatible endpoint: `OPENAI_API_KEY`, `OPENAI_BASE_URL`.
    """

    name = "gpt3"
    batch = 1  # each answer is given on as soon as it is there
    concurrency = 24

    class Options(ModelOptions):
        """Which model is asked, how, how much, and what is kept of it."""

        temperature: float = Field(0.4, ge=0, le=2, description="how freely the model chooses its words")
        phrases: int = Field(5, ge=1, le=50, description="phrases for each action; their number is part of the prompt")
        least: int | None = Field(
            None, ge=1, le=50, description="fewer phrases than this are asked for once more; none: fewer than `phrases`"
        )
        max_tokens: int | None = Field(
            None, ge=1, description=f"longest reply; none: the endpoint's own limit, {MOST_TOKENS} for completions"
        )

    options: Options

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._short: dict[str, str] = {}  # what is said of the names that got fewer phrases than wanted

    def open(self) -> None:
        """Let questions go, up to `concurrency` at once; asks nothing, and may follow on `close`.

        Raises UsageError for a missing model, key or file.
        """
        if isinstance(self._client, LanguageModel):
            self._client.open(self.concurrency)

    def close(self) -> None:
        """Let no further question go and wake those that wait; what is under way is finished and kept."""
        if isinstance(client := vars(self).get("_client"), LanguageModel):  # there is none if `open` raised
            client.close()

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the phrases for each action name; Failed if the model's reply holds none.

        Raises MaxiError for a refused key, model or parameter, a used-up quota and an endpoint that is silent, and
        BudgetError (exit code 4) before a cap is crossed: no further name is asked then, and other calls under way end
        with the same error. What was answered by then is kept.
        """
        return [self._answer(entry) for entry in entries]

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the request, how a reply is read, the replayed file.

        The endpoint's address is no part of it: a model is known by its name. Raises UsageError, before anything is
        asked, if there is no model, no key or no file.
        """
        identity = {"request": json.dumps(self._request("{action}")), "replies": _digest_of_reading()}
        if isinstance(self._client, Replay):
            return identity | {"replay": self._client.identity}
        return identity

    def notes(self) -> list[str]:
        """Return what a reader of the results should know: parameters that the model refused, and short answers."""
        client = self._client
        refused = {} if isinstance(client, Replay) else client.refused()
        found = [f"asked without {name}, which the model refuses: {said}" for name, said in refused.items()]
        return found + [short for _, short in sorted(self._short.items())]

    def probe(self) -> dict[str, str]:
        """Return what the endpoint says of itself and of the model, asking only for the list of its models.

        Raises MaxiError if it cannot be asked or does not list the model.
        """
        if self.options.replay is not None:
            return {"replay": str(self.options.replay), "network": "none is needed"}
        return language_model(self, self._request("{action}"), self._useful).probe(self.options.model)

    @property
    def _wanted(self) -> int:
        """The phrases below which an answer is short."""
        return min(self.options.least or self.options.phrases, self.options.phrases)

    def _answer(self, entry: str) -> list[str] | Failed:
        action = tidy(entry)
        if not action:
            return Failed("a blank action name cannot be described")
        request = self._request(action)
        found: dict[str, str] = {}
        faults: list[str] = []
        cut = False
        for turn in (0, 1):
            exchange = self._client.ask(request, turn)
            cut = isinstance(exchange, Exchange) and is_cut(exchange.response)
            said = exchange if isinstance(exchange, Failed) else reply_text(exchange.response)
            if isinstance(said, Failed):
                faults.append(said.reason)
            else:
                for phrase in phrases(said, self.options.phrases):
                    found.setdefault(name_key(phrase), phrase)
                faults.append(f"the reply holds no phrases{CUT if cut else ''}: {excerpt(said)!r}")
            if isinstance(exchange, Failed) or len(found) >= self._wanted:
                break
        if not found:
            return Failed(faults[0])
        if len(found) < self._wanted:
            self._short[action] = f"{len(found)} of {self._wanted} phrases for '{action}'{CUT if cut else ''}"
            logger.warning("%s: %s", self.label, self._short[action])
        return list(found.values())[: self.options.phrases]

    def _request(self, action: str) -> Request:
        prompt = PROMPT.format(count=self.options.phrases, action=action)
        asked = {"model": self.options.model, "temperature": self.options.temperature, **self.options.extra}
        if self.options.provider == "completions":
            return {**asked, "prompt": prompt, "max_tokens": self.options.max_tokens or MOST_TOKENS}
        if self.options.max_tokens is not None:
            asked["max_tokens"] = self.options.max_tokens
        return {**asked, "messages": [{"role": "user", "content": prompt}]}

    def _useful(self, response: object) -> bool:
        said = reply_text(response)
        return isinstance(said, str) and bool(phrases(said, self.options.phrases))

    @cached_property
    def _client(self) -> LanguageModel | Replay:
        return client_of(self, self._request("{action}"), self._useful)


def _digest_of_reading() -> str:
    """Return a digest of how a reply is read: after a change of it, what was paid for is read again."""
    files = (part.__file__ for part in (saying, marks, reading))
    return sha256(b"".join(Path(file).read_bytes() for file in files if file)).hexdigest()[:16]


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `gpt3`."""
    return [Gpt3]
