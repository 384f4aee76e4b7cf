"""An OpenAI-compatible endpoint (`OPENAI_API_KEY`, `OPENAI_BASE_URL`): one request, sent once, and what comes of it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from maxi_core.errors import UsageError
from maxi_core.texts import AND_MORE, first_few
from maxi_plugins.llm.deadline import Deadline, UnreadableError, bounded_client
from maxi_plugins.llm.exchange import Request
from maxi_plugins.llm.lookup import UnresolvedError
from maxi_plugins.llm.options import Provider
from maxi_plugins.llm.outcome import OPENAI, ErrorReader, Outcome, Transient, address, key_fix, redacted
from maxi_plugins.llm.pictures import encoded

if TYPE_CHECKING:
    from openai import OpenAI

OFFERED = 8  # models that an error names
MOST_MODELS = 10_000


class Endpoint:
    """Answers requests over the network; its key is shown nowhere, and what comes back does not hold it either."""

    def __init__(self, label: str, provider: Provider, key: str, timeout: float) -> None:
        self._provider, self._key, self._timeout = provider, key, timeout
        self._errors = ErrorReader(label, key, timeout)
        self._openai: OpenAI | None = None
        self._under_way, self._closing = 0, False
        self._lock = Lock()

    @contextmanager
    def _connected(self) -> Iterator[tuple["OpenAI", Deadline]]:
        """Hold the client for one request, which has `timeout` seconds in all, however slowly anything drips."""
        from openai import OpenAI

        with self._lock:
            if self._openai is None:  # we ask again ourselves: the client asks again what cannot be answered
                self._openai = OpenAI(
                    api_key=self._key,
                    timeout=self._timeout,
                    max_retries=0,
                    http_client=bounded_client(self._timeout),
                )
                self._closing = False
            client = self._openai
            self._under_way += 1
        try:
            with Deadline(self._timeout).held() as deadline:
                yield client, deadline
        finally:
            with self._lock:
                self._under_way -= 1
            if self._closing:
                self.close()

    def close(self) -> None:
        """Close all connections, once no request is under way, since those are paid for; the next opens new ones."""
        with self._lock:
            self._closing = True
            if self._openai is not None and not self._under_way:
                self._openai.close()
                self._openai = None

    def send(self, request: Request) -> Outcome:
        """Send a request once and return what comes of it; never raises.

        The whole response has `timeout` seconds and `deadline.MOST_BYTES` bytes, that of an error, too.
        """
        path = "/chat/completions" if self._provider == "chat" else "/completions"
        body = encoded(request)
        with self._connected() as (client, deadline):
            try:
                return self._errors.read(client.post(path, cast_to=bytes, content=body), request)
            except Exception as error:  # of openai, or of the HTTP library while the response is read
                return self._fault(error, deadline, request)

    def _fault(self, error: Exception, deadline: Deadline, request: Request) -> Outcome:
        """Return what ended a request. Where its time is over, what was raised then is only how it ended."""
        from openai import OpenAIError

        for fault in (error, error.__cause__):
            if isinstance(fault, UnresolvedError):
                return Transient(f"cannot reach {address()}: {fault}")
        if deadline.over:
            return self._errors.late(sent=deadline.connected)
        return self._errors.outcome(error, request) if isinstance(error, OpenAIError) else self._errors.broken(error)

    def models(self) -> dict[str, str | None]:
        """Return the models on offer and the day on which each is shut down, if the endpoint says so.

        Raises LookupError with the reason if it does not tell.
        """
        from openai import OpenAIError

        with self._connected() as (client, deadline):
            try:
                return self._listed(client)
            except (OpenAIError, UnreadableError, UnresolvedError) as error:
                fault = self._fault(error, deadline, {})
                reason = str(getattr(fault, "reason", fault))
            except Exception:  # no JSON, or JSON of another form
                reason = "it answered with something that is no list of models"
        raise LookupError(reason)

    def _listed(self, client: "OpenAI") -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for model in islice(client.models.list(), MOST_MODELS):
            day = getattr(model, "shutdown_date", None)
            found[redacted(str(model.id), self._key)] = None if day is None else redacted(str(day), self._key)
        return found

    def offer(self) -> str:
        """Return ` (it offers a, b and 3 more)`, or an empty text if the endpoint does not tell."""
        try:
            return offer(self.models())
        except LookupError:
            return ""


def offer(models: Iterable[str]) -> str:
    """Return ` (it offers a, b and 3 more)`, or an empty text if there are none."""
    names = first_few(sorted(models), OFFERED, AND_MORE)
    return f" (it offers {names})" if names else ""


def connect(label: str, provider: Provider, api_key_file: Path | None, timeout: float) -> Endpoint:
    """Return the endpoint that the environment names; asks nothing yet; errors name options by `label`.

    Raises UsageError if there is no key, or an address that is none.
    """
    key = api_key(label, api_key_file)
    try:
        parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError("OPENAI_BASE_URL is no address", "it begins with http:// or https:// and often ends with /v1")
    return Endpoint(label, provider, key, timeout)


def api_key(label: str, file: Path | None) -> str:
    """Return the key from `file`, or from the environment; raises UsageError if there is none."""
    if file is None:
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not key:
            raise UsageError("there is no API key", f"{key_fix(label)}; for a server that wants none any word will do")
        if not key.isascii() or len(key.split()) != 1:
            raise UsageError("OPENAI_API_KEY holds no API key", key_fix(label))
        return key
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the API key from {file}: {why}", "name a text file with nothing else") from None
    if not key or not key.isascii() or len(key.split()) != 1:
        raise UsageError(f"{file} holds no API key", "put the key into it and nothing else")
    return key
