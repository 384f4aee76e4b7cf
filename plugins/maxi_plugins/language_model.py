"""A language model behind an endpoint, with everything around it: retries, caps, what was answered before, a record."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_core.files import write_text
from maxi_plugins.crew import Crew
from maxi_plugins.endpoint import Endpoint, address, offer
from maxi_plugins.exchanges import Answerer, Exchange, Recorded, Request
from maxi_plugins.keeping import Kept
from maxi_plugins.patience import Patient
from maxi_plugins.spending import Spending
from maxi_plugins.traffic import Traffic

logger = logging.getLogger("maxi")

Question = TypeVar("Question")
Answer = TypeVar("Answer")

REFUSED = "refused.json"  # parameters that the model does not take, and its words
AHEAD = 30  # questions taken before the first of them is answered; the core lets 32 be unanswered


class LanguageModel:
    """Answers requests from `folder` or over the network, several at once; nothing is written before it is asked."""

    def __init__(
        self,
        endpoint: Endpoint,
        folder: Path,
        useful: Callable[[object], bool],
        *,
        concurrency: int,
        patience: float,
        cap_calls: int | None,
        cap_tokens: int | None,
        record: Path | None,
    ) -> None:
        self.endpoint, self._folder, self._concurrency = endpoint, folder, concurrency
        self._traffic = Traffic(concurrency)
        spending = Spending(folder, cap_calls, cap_tokens)
        self._patient = Patient(endpoint, patience, self._traffic, spending, self._note_refusal)
        kept = Kept(self._patient, folder, useful, self._traffic.sleep)
        self._outermost: Answerer = kept if record is None else Recorded(kept, record)

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the exchange, or Failed; raises MaxiError if no request can be answered."""
        self._patient.refused = {**self._refused_before, **self._patient.refused}
        return self._outermost.ask(request, turn)

    def answers(self, ask: Callable[[Question], Answer], questions: Iterable[Question]) -> Iterator[Answer]:
        """Yield `ask(question)` for each question, in order, while several of them are under way."""
        self._traffic.open()
        crew = Crew(ask, self._concurrency, min(2 * self._concurrency, AHEAD), self._traffic.stop)
        try:
            yield from crew.answers(questions)
        finally:
            self.endpoint.close()

    def refused(self) -> dict[str, str]:
        """Return the parameters that the model refused, in this run or before, and its words."""
        return {**self._refused_before, **self._patient.refused}

    def _note_refusal(self, parameter: str, said: str) -> None:
        logger.warning("gpt3: the model refuses %s and is asked without it: %s", parameter, said)
        write_text(self._folder / REFUSED, json.dumps(self._patient.refused, indent=2) + "\n")

    @cached_property
    def _refused_before(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / REFUSED).read_bytes())
            return {str(name): str(said) for name, said in found.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            return {}

    def probe(self, model: str | None) -> dict[str, str]:
        """Return what the endpoint says of itself and of a model, asking only for the list of its models.

        Raises MaxiError if it cannot be asked or does not list the model.
        """
        try:
            models = self.endpoint.models()
        except LookupError as reason:
            raise MaxiError(str(reason), "see OPENAI_BASE_URL and OPENAI_API_KEY") from None
        finally:
            self.endpoint.close()
        offered = offer(models)
        if model is not None and model not in models:
            raise MaxiError(f"{address()} does not list the model '{model}'{offered}", "choose another gpt3.model")
        found = {
            "address": address(),
            "model": model or "none: type -o gpt3.model=NAME or set MAXI_GPT3_MODEL",
            "models": offered.strip(" ()").removeprefix("it offers ") or "none",
        }
        if model is not None and (day := models[model]):
            found["warning"] = f"the model is shut down on {day}: choose another gpt3.model in time"
        return found
