"""An OpenAI-compatible endpoint (`OPENAI_API_KEY`, `OPENAI_BASE_URL`): one request, sent once, and what comes of it."""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from maxi_core.errors import UsageError
from maxi_plugins.exchanges import Request
from maxi_plugins.faults import KEY_FIX, Again, Outcome, Reply, fault_of, scrubbed

if TYPE_CHECKING:
    from openai import OpenAI

Provider = Literal["chat", "completions"]

OPENAI = "https://api.openai.com/v1"
OFFERED = 8  # models that an error names
MOST_BYTES = 4 << 20  # of a response; five phrases take about 1000
MOST_MODELS = 10_000


def address() -> str:
    """Return the endpoint's address without credentials and query: what may be shown."""
    parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


class Endpoint:
    """Answers requests over the network; its key is shown nowhere, and what comes back does not hold it either."""

    def __init__(self, provider: Provider, key: str, timeout: float) -> None:
        self._provider, self._key, self._timeout = provider, key, timeout
        self._client: OpenAI | None = None
        self._under_way, self._closing = 0, False
        self._lock = Lock()

    @contextmanager
    def _connected(self) -> Iterator["OpenAI"]:
        """Hold the client for one request."""
        from openai import OpenAI

        with self._lock:
            if self._client is None:  # we ask again ourselves: the client asks again what cannot be answered
                self._client = OpenAI(api_key=self._key, timeout=self._timeout, max_retries=0)
                self._closing = False
            client = self._client
            self._under_way += 1
        try:
            yield client
        finally:
            with self._lock:
                self._under_way -= 1
            if self._closing:
                self.close()

    def close(self) -> None:
        """Close all connections, once no request is under way, since those are paid for; the next opens new ones."""
        with self._lock:
            self._closing = True
            if self._client is not None and not self._under_way:
                self._client.close()
                self._client = None

    def send(self, request: Request) -> Outcome:
        """Send a request once and return what comes of it; never raises.

        The whole response has `timeout` seconds and `MOST_BYTES` bytes, however slowly it drips.
        """
        from openai import OpenAIError

        until = time.monotonic() + self._timeout
        with self._connected() as client:
            chat, form = client.chat.completions, client.completions
            streaming = chat.with_streaming_response if self._provider == "chat" else form.with_streaming_response
            try:
                with streaming.create(**request) as response:  # type: ignore[call-overload]
                    return self._read(response.iter_bytes(), until)
            except OpenAIError as error:
                return fault_of(error, request, address(), self._key, self._timeout)
            except Exception as error:  # of the HTTP library, while the response is read
                said = scrubbed(str(error) or type(error).__name__, self._key)
                return Again(f"{address()} broke off: {said}", sent=True)

    def _read(self, chunks: Iterable[bytes], until: float) -> Outcome:
        data = b""
        for chunk in chunks:
            data += chunk
            if len(data) > MOST_BYTES:
                return Again(f"{address()} answered with more than {MOST_BYTES >> 20} MiB", sent=True)
            if time.monotonic() > until:
                return Again(f"no answer from {address()} within {self._timeout:g} s", sent=True)
        return Reply(decoded(scrubbed(data.decode("utf-8", "replace"), self._key, longest=None)))

    def models(self) -> dict[str, str | None]:
        """Return the models on offer and the day on which each is shut down, if the endpoint says so.

        Raises LookupError with the reason if it does not tell.
        """
        from openai import OpenAIError

        with self._connected() as client:
            try:
                return self._listed(client)
            except OpenAIError as error:
                fault = fault_of(error, {}, address(), self._key, self._timeout)
                reason = str(getattr(fault, "reason", fault))
            except Exception:  # no JSON, or JSON of another form
                reason = "it answered with something that is no list of models"
        raise LookupError(reason)

    def _listed(self, client: "OpenAI") -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for model in islice(client.models.list(), MOST_MODELS):
            day = getattr(model, "shutdown_date", None)
            found[scrubbed(str(model.id), self._key)] = None if day is None else scrubbed(str(day), self._key)
        return found

    def offer(self) -> str:
        """Return ` (it offers a, b and 3 more)`, or an empty text if the endpoint does not tell."""
        try:
            return offer(self.models())
        except LookupError:
            return ""


def offer(models: Iterable[str]) -> str:
    """Return ` (it offers a, b and 3 more)`, or an empty text if there are none."""
    names = sorted(models)
    more = f" and {len(names) - OFFERED} more" if len(names) > OFFERED else ""
    return f" (it offers {', '.join(names[:OFFERED])}{more})" if names else ""


def connect(provider: Provider, api_key_file: Path | None, timeout: float) -> Endpoint:
    """Return the endpoint that the environment names; asks nothing yet.

    Raises UsageError if there is no key, or an address that is none.
    """
    key = api_key(api_key_file)
    try:
        parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError("OPENAI_BASE_URL is no address", "it begins with http:// or https:// and often ends with /v1")
    return Endpoint(provider, key, timeout)


def api_key(file: Path | None) -> str:
    """Return the key from `file`, or from the environment; raises UsageError if there is none."""
    if file is None:
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not key:
            raise UsageError("there is no API key", f"{KEY_FIX}; for a server that wants none any word will do")
        if not key.isascii() or len(key.split()) != 1:
            raise UsageError("OPENAI_API_KEY holds no API key", KEY_FIX)
        return key
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the API key from {file}: {why}", "name a text file with nothing else") from None
    if not key or not key.isascii() or len(key.split()) != 1:
        raise UsageError(f"{file} holds no API key", "put the key into it and nothing else")
    return key


def decoded(text: str) -> object:
    """Return a response as decoded JSON, or as the text it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
