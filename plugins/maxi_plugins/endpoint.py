"""An OpenAI-compatible endpoint: `OPENAI_API_KEY` and `OPENAI_BASE_URL`, one request at a time, faults in one line."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from maxi_core import Failed
from maxi_core.errors import MaxiError, UsageError
from maxi_plugins.exchanges import Request
from maxi_plugins.replies import excerpt

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI, OpenAIError

Provider = Literal["chat", "completions"]

OPENAI = "https://api.openai.com/v1"
OFFERED = 8  # models that an error names


def address() -> str:
    """Return the endpoint's address without credentials and query: what may be shown and kept."""
    parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


@dataclass(frozen=True)
class Endpoint:
    """Answers requests over the network; its key is shown nowhere."""

    provider: Provider
    client: "OpenAI" = field(repr=False)
    key: str = field(repr=False)
    timeout: float

    def ask(self, request: Request) -> object:
        """Return the response as decoded JSON (text if it is none), or Failed for a fault of this one request.

        Raises MaxiError for what every further request would meet too: key, access, model, quota, refused parameters.
        """
        from openai import OpenAIError

        raw = self.client.with_raw_response
        create = raw.chat.completions.create if self.provider == "chat" else raw.completions.create
        try:
            text = create(**request).http_response.text  # type: ignore[call-overload]
        except OpenAIError as error:
            fault = self._fault(error, request)
        else:
            return _decoded(text)
        if isinstance(fault, MaxiError):
            raise fault  # outside the handler: the client's own error may quote the key
        return fault

    def models(self) -> list[str]:
        """Return the names of the models on offer, [] if the endpoint does not tell."""
        from openai import OpenAIError

        try:
            return sorted(model.id for model in self.client.models.list())
        except (OpenAIError, ValueError, AttributeError, TypeError):  # no JSON, or JSON of another form
            return []

    def _fault(self, error: "OpenAIError", request: Request) -> MaxiError | Failed:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APITimeoutError):
            return Failed(f"no answer from {address()} within {self.timeout:g} s")
        if isinstance(error, APIConnectionError):
            return Failed(f"cannot reach {address()}: {self._clean(str(error.__cause__ or error))}")
        if isinstance(error, APIStatusError):
            return self._refusal(error, request)
        return Failed(f"the request failed: {self._clean(str(error))}")

    def _refusal(self, error: "APIStatusError", request: Request) -> MaxiError | Failed:
        model, status = request["model"], error.status_code
        body = error.body if isinstance(error.body, dict) else {}
        said = self._clean(str(body.get("message") or error.message))
        if status == 401:
            return MaxiError(f"{address()} refuses the API key (401)", KEY_FIX)
        if status == 403:
            return MaxiError(
                f"{address()} refuses access to model '{model}' (403): {said}", "choose another gpt3.model"
            )
        if status == 404:
            fix = f"type -o gpt3.model=NAME{offer(self.models())}, or correct OPENAI_BASE_URL"
            return MaxiError(f"{address()} knows no model '{model}', or has no such address (404)", fix)
        if error.code == "insufficient_quota":
            return MaxiError(
                f"{address()} says that the quota is used up: {said}", "the same command goes on from here"
            )
        if status == 400 and error.param in request:
            return MaxiError(f"model '{model}' refuses {error.param}: {said}", "choose another gpt3.model or value")
        return Failed(f"{address()} answered {status}: {said}")

    def _clean(self, text: str) -> str:
        return excerpt(text.replace(self.key, "***"), 200)


KEY_FIX = "set OPENAI_API_KEY, or name a file that holds the key: -o gpt3.api_key_file=FILE"


def offer(models: list[str]) -> str:
    """Return ` (it offers a, b and 3 more)`, or an empty text if nothing is known."""
    if not models:
        return ""
    more = f" and {len(models) - OFFERED} more" if len(models) > OFFERED else ""
    return f" (it offers {', '.join(models[:OFFERED])}{more})"


def connect(provider: Provider, api_key_file: Path | None, timeout: float) -> Endpoint:
    """Return the endpoint that the environment names; asks nothing yet. Raises UsageError if there is no key."""
    from openai import OpenAI

    key = api_key(api_key_file)
    return Endpoint(provider, OpenAI(api_key=key, timeout=timeout), key, timeout)


def api_key(file: Path | None) -> str:
    """Return the key from `file`, or from the environment; raises UsageError if there is none."""
    if file is None:
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not key:
            raise UsageError("there is no API key", f"{KEY_FIX}; for a server that wants none any word will do")
        return key
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the API key from {file}: {why}", "name a text file with nothing else") from None
    if not key or not key.isascii() or len(key.split()) != 1:
        raise UsageError(f"{file} holds no API key", "put the key into it and nothing else")
    return key


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
