"""A language model behind an endpoint, with everything around it: retries, caps, what was answered before, a record."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_core.files import write_text
from maxi_plugins.endpoint import Endpoint, address, offer
from maxi_plugins.exchanges import Answerer, Exchange, Recorded, Request
from maxi_plugins.faults import GOES_ON
from maxi_plugins.keeping import Kept
from maxi_plugins.patience import Patient
from maxi_plugins.spending import Spending
from maxi_plugins.traffic import Traffic

logger = logging.getLogger("maxi")

REFUSED = "refused.json"  # parameters that the model does not take, and its words


class LanguageModel:
    """Answers requests from `folder` or over the network, in any number of threads; writes nothing before it is asked.

    Between `close` and `open` no request is sent, and only what is in `folder` is answered.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        folder: Path,
        useful: Callable[[object], bool],
        *,
        patience: float,
        cap_calls: int | None,
        cap_tokens: int | None,
        record: Path | None,
    ) -> None:
        self.endpoint, self._folder = endpoint, folder
        self._traffic = Traffic()
        self._closed = MaxiError("gpt3 was closed before it had an answer", GOES_ON)  # no fault: it ends quietly
        spending = Spending(folder, cap_calls, cap_tokens)
        self._patient = Patient(endpoint, patience, self._traffic, spending, self._note_refusal)
        kept = Kept(self._patient, folder, useful, self._traffic.sleep)
        self._outermost: Answerer = kept if record is None else Recorded(kept, record)

    def open(self, concurrency: int) -> None:
        """Let up to `concurrency` requests go at once."""
        self._patient.refused = self.refused()
        self._traffic.open(concurrency)

    def close(self) -> None:
        """Let no further request go and wake those that wait; requests under way are finished and kept."""
        self._traffic.stop(self._closed)
        self.endpoint.close()

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the exchange, or Failed; raises MaxiError if no request can be answered, here and in other threads."""
        try:
            return self._outermost.ask(request, turn)
        except MaxiError as error:
            if error is not self._closed:
                self._traffic.stop(error)
            raise

    def refused(self) -> dict[str, str]:
        """Return the parameters that the model refused, in this run or before, and its words."""
        return {**self._refused_before(), **self._patient.refused}

    def _note_refusal(self, parameter: str, said: str) -> None:
        logger.warning("gpt3: the model refuses %s and is asked without it: %s", parameter, said)
        write_text(self._folder / REFUSED, json.dumps(self._patient.refused, indent=2) + "\n")

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
