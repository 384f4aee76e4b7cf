"""A language model behind an endpoint, with its retries, rate limit, budget, cache and record."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from maxi_core import Failed, Source
from maxi_core.errors import CannotTellError, MaxiError, UsageError
from maxi_core.system.files import maxi_home, write_text
from maxi_core.system.store import digest
from maxi_plugins.llm.budget import Budget
from maxi_plugins.llm.cache import Recorder, Replay, ResponseCache
from maxi_plugins.llm.endpoint import Endpoint, connect, offer
from maxi_plugins.llm.exchange import Client, Exchange, Request
from maxi_plugins.llm.options import ModelOptions, model_fix
from maxi_plugins.llm.outcome import RESUME, address
from maxi_plugins.llm.retry import RateLimiter, Retrying

logger = logging.getLogger("maxi")

# of an endpoint that has no list, or no time for it: it may answer questions all the same
NO_LIST = ("(404)", "answered 405", "answered 429", "answered 5", "no list of models")
REFUSED = "refused.json"  # parameters that the model does not take, and its words


class LanguageModel:
    """Answers requests from `folder` or over the network, in any number of threads; writes nothing before it is asked.

    Between `close` and `open` no request is sent, and only what is in `folder` is answered. Messages name the source
    that asks, and its options, by its `label`.
    """

    identity = ""  # a model is known by its name, which is an option

    def __init__(
        self,
        label: str,
        endpoint: Endpoint,
        folder: Path,
        useful: Callable[[object], bool],
        *,
        stop_after: float,
        cap_calls: int | None,
        cap_tokens: int | None,
        record: Path | None,
    ) -> None:
        self.endpoint, self._label, self._folder = endpoint, label, folder
        self._limiter = RateLimiter()
        self._closed = MaxiError(f"{label} was closed before it had an answer", RESUME)  # no fault: it ends quietly
        budget = Budget(label, folder, cap_calls, cap_tokens)
        self._retrying = Retrying(label, endpoint, stop_after, self._limiter, budget, self._note_refusal)
        cache = ResponseCache(label, self._retrying, folder, useful, self._limiter.sleep)
        self._client: Client = cache if record is None else Recorder(label, cache, record)

    def open(self, concurrency: int) -> None:
        """Let up to `concurrency` requests go at once."""
        self._retrying.refused = self.refused()
        self._limiter.open(concurrency)

    def close(self) -> None:
        """Let no further request go and wake those that wait; requests under way are finished and kept."""
        self._limiter.stop(self._closed)
        self.endpoint.close()

    def stopped(self, error: MaxiError) -> MaxiError:
        """Let no further request go: everybody who waits gets this error, and so does the caller."""
        self._limiter.stop(error)
        return error

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the exchange, or Failed; raises MaxiError if no request can be answered, here and in other threads."""
        try:
            return self._client.ask(request, turn)
        except MaxiError as error:
            if error is not self._closed:
                self._limiter.stop(error)
            raise

    def refused(self) -> dict[str, str]:
        """Return the parameters that the model refused, in this run or before, and its words."""
        return {**self._refused_before(), **self._retrying.refused}

    def _note_refusal(self, parameter: str, said: str) -> None:
        logger.warning("%s: the model refuses %s and is asked without it: %s", self._label, parameter, said)
        write_text(self._folder / REFUSED, json.dumps(self._retrying.refused, indent=2) + "\n")

    def _refused_before(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / REFUSED).read_bytes())
            return {str(name): str(said) for name, said in found.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            return {}

    def probe(self, model: str | None) -> dict[str, str]:
        """Return what the endpoint says of itself and of a model, asking only for the list of its models.

        Raises MaxiError if it cannot be asked or does not list the model, CannotTellError if it has no list.
        """
        fix = "see OPENAI_BASE_URL and OPENAI_API_KEY"
        try:
            models = self.endpoint.models()
        except LookupError as reason:
            without = any(sign in str(reason) for sign in NO_LIST)
            raise (CannotTellError if without else MaxiError)(str(reason), fix) from None
        except Exception as error:  # of the HTTP library, for proxies and certificates
            why = f"{type(error).__name__}: {error}"
            raise MaxiError(f"no connection can be set up ({why})", "see HTTPS_PROXY and SSL_CERT_FILE") from None
        finally:
            self.endpoint.close()
        offered = offer(models)
        if model is not None and not any(_same(model, listed) for listed in models):
            fix = f"choose another {self._label}.model"
            kind = MaxiError if models else CannotTellError
            raise kind(f"{address()} does not list the model '{model}'{offered}", fix)
        found = {
            "address": address(),
            "model": model or f"none: {model_fix(self._label)}",
            "models": offered.strip(" ()").removeprefix("it offers ") or "none",
        }
        if model is not None and (day := models.get(model)):
            found["warning"] = f"the model is shut down on {day}: choose another {self._label}.model in time"
        return found


def _same(model: str, listed: str) -> bool:
    """Whether a name in the list is this model: some list `llama3:latest` or `models/llama3` and take `llama3`."""
    return listed == model or listed.startswith(f"{model}:") or listed.endswith(f"/{model}")


def language_model(source: Source, request: Request, useful: Callable[[object], bool]) -> LanguageModel:
    """Return the model that a source with `ModelOptions` asks, whether or not its name is known.

    `request` is the source's request without what is asked: all with the same one share a cache and a budget, whatever
    their labels. Only a response that is `useful` is kept. Raises UsageError if there is no key, or no address.
    """
    options: ModelOptions = source.options
    return LanguageModel(
        source.label,
        connect(source.label, options.provider, options.api_key_file, options.timeout),
        (options.exchanges or maxi_home() / "exchanges") / f"{source.name}-{digest(request)[:16]}",
        useful,
        stop_after=options.patience,
        cap_calls=options.cap_calls,
        cap_tokens=options.cap_tokens,
        record=options.record,
    )


def client_of(source: Source, request: Request, useful: Callable[[object], bool]) -> LanguageModel | Replay:
    """Return who answers a source with `ModelOptions`: its model (see `language_model`), or a file that is replayed.

    Raises UsageError for a missing model, key or file.
    """
    options: ModelOptions = source.options
    if options.replay is not None:
        if options.record is not None:
            problem = f"{source.label}.replay asks nobody, so there is nothing to record"
            raise UsageError(problem, "leave one of the two out")
        return Replay(source.label, options.replay)
    model = language_model(source, request, useful)
    if options.model is None:
        offered = model.endpoint.offer()
        model.endpoint.close()
        problem = f"{source.label} has no model, and none is built in{offered}"
        raise UsageError(problem, model_fix(source.label))
    return model
