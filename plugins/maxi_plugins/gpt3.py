"""`gpt3`: a language model says each action name in other words (paper Table 6)."""

from collections.abc import Iterable

from pydantic import Field

from maxi_core import Expander, Failed, Source, hookimpl
from maxi_core.texts import tidy
from maxi_plugins.llm.asking import AsksModel
from maxi_plugins.llm.exchange import Request
from maxi_plugins.llm.options import ModelOptions

PROMPT = "Generate {count} phrases to describe the action of {action} in simple words."
MOST_TOKENS = 256  # of a completion, whose default is 16; five phrases take about 50
TOKENS = (25, 8)  # of a question in a chat's frame, and of each phrase of a reply, numbered


class Gpt3(AsksModel, Expander):
    """Ask a language model for five phrases that describe an action, with the paper's prompt.

    The model is any behind an OpenAI-compatible endpoint: `OPENAI_API_KEY`, `OPENAI_BASE_URL`.
    """

    name = "gpt3"
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

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        """Return the phrases for each action name; Failed if the model's reply holds none.

        Raises MaxiError for a refused key, model or parameter, a used-up quota and an endpoint that is silent, and
        BudgetError (exit code 4) before a cap is crossed: no further name is asked then, and other calls under way end
        with the same error. What was answered by then is kept.
        """
        actions = [tidy(entry) for entry in entries]
        blank = Failed("a blank action name cannot be described")
        return [self._answer(self._request(action), action) if action else blank for action in actions]

    def tokens_each(self) -> int:
        """Return about how many tokens one action name takes."""
        question, phrase = TOKENS
        return question + phrase * self.options.phrases

    @property
    def _most(self) -> int:
        return self.options.phrases

    @property
    def _least(self) -> int:
        return min(self.options.least or self.options.phrases, self.options.phrases)

    def _template(self) -> Request:
        return self._request("{action}")

    def _request(self, action: str) -> Request:
        prompt = PROMPT.format(count=self.options.phrases, action=action)
        asked = {"model": self.options.model, "temperature": self.options.temperature, **self.options.extra}
        if self.options.provider == "completions":
            return {**asked, "prompt": prompt, "max_tokens": self.options.max_tokens or MOST_TOKENS}
        if self.options.max_tokens is not None:
            asked["max_tokens"] = self.options.max_tokens
        return {**asked, "messages": [{"role": "user", "content": prompt}]}


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `gpt3`."""
    return [Gpt3]
