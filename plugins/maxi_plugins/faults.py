"""What comes of a request to an endpoint: a reply, or a fault, and whether that may pass, is final or ends the run."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeAlias

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_plugins.exchanges import Request
from maxi_plugins.replies import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai import APIStatusError, OpenAIError

KEY_FIX = "set OPENAI_API_KEY, or name a file that holds the key: -o gpt3.api_key_file=FILE"
GOES_ON = "the same command goes on from here"
SHORTEST_SECRET = 8  # letters; servers that want no key are given words such as `none`, which replies may hold
DROPPABLE = ("temperature", "max_tokens")
SPENT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
PASSING = (408, 409, 425, 429)


@dataclass(frozen=True)
class Reply:
    """A response with status 200: decoded JSON, or text if it is none."""

    body: object


@dataclass(frozen=True)
class Again:
    """A fault that may pass: when to ask again, if the endpoint says so, and whether there were too many requests.

    `sent` says that the request has reached the endpoint and is not known to be refused, so it may have been paid.
    """

    reason: str
    after: float | None = None
    crowded: bool = False
    sent: bool = False


@dataclass(frozen=True)
class Refused:
    """The model does not take this parameter of the request, which can do without it."""

    parameter: str
    said: str


class UnknownModelError(MaxiError):
    """The endpoint does not know the model, and may say which ones it knows."""


Outcome: TypeAlias = Reply | Again | Refused | Failed | MaxiError


def scrubbed(text: str, key: str, longest: int | None = 200) -> str:
    """Return what an endpoint said without the key, which some echo, and as one short line for a message."""
    text = text.replace(key, "***") if len(key) >= SHORTEST_SECRET else text
    return text if longest is None else excerpt(text, longest)


def fault_of(error: "OpenAIError", request: Request, address: str, key: str, timeout: float) -> Outcome:
    """Return what an error of the client means; never the error itself, since that may quote the key."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        sent = type(error.__cause__).__name__ != "ConnectTimeout"
        return Again(f"no answer from {address} within {timeout:g} s", sent=sent)
    if isinstance(error, APIConnectionError):
        sent = type(error.__cause__).__name__ != "ConnectError"
        return Again(f"cannot reach {address}: {scrubbed(str(error.__cause__ or error), key)}", sent=sent)
    if isinstance(error, APIStatusError):
        return _refusal(error, request, address, key)
    return Failed(f"the request failed: {scrubbed(str(error), key)}")


def _refusal(error: "APIStatusError", request: Request, address: str, key: str) -> Outcome:
    status, said = error.status_code, _said(error, key)
    if final := _final(error, request.get("model"), address, said):
        return final
    if status in (400, 422):
        return _bad_request(error, request, said, address)
    asks_again = error.response.headers.get("x-should-retry")
    if asks_again != "false" and (status in PASSING or status >= 500):
        return Again(f"{address} answered {status}: {said}", _retry_after(error.response.headers), status == 429)
    return Failed(f"{address} answered {status}: {said}")


def _final(error: "APIStatusError", model: object, address: str, said: str) -> MaxiError | None:
    """Return the fault that every further request would meet too, or None if it is no such fault."""
    status = error.status_code
    if status == 402 or {str(error.code), str(error.type)} & set(SPENT):
        return MaxiError(f"{address} says that the quota is used up: {said}", f"raise it there; {GOES_ON}")
    if status == 401:
        return MaxiError(f"{address} refuses the API key (401)", KEY_FIX)
    if status == 403:
        return MaxiError(f"{address} refuses access to model '{model}' (403): {said}", "choose another gpt3.model")
    if status == 404:
        return UnknownModelError(f"{address} knows no model '{model}', or has no such address (404)")
    return None


def _said(error: "APIStatusError", key: str) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return scrubbed(str(body.get("message") or error.message or "nothing"), key)


def _bad_request(error: "APIStatusError", request: Request, said: str, address: str) -> Outcome:
    parameter = error.param
    if parameter is None and "support" in f"{error.code} {said}":  # some only name it in their message
        parameter = next((name for name in DROPPABLE if name in said), None)
    if parameter in DROPPABLE and parameter in request:
        return Refused(parameter, said)
    if parameter in request:
        return MaxiError(
            f"model '{request['model']}' refuses {parameter}: {said}", "choose another gpt3.model or value"
        )
    return Failed(f"{address} answered {error.status_code}: {said}")


def _retry_after(headers: "Mapping[str, str]") -> float | None:
    """Return the seconds of a Retry-After header, in any of its forms; a date counts from the response's own."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if seconds >= 0:  # no NaN
            return seconds
    try:
        wanted, now = (parsedate_to_datetime(headers[name]) for name in ("retry-after", "date"))
        return max(0.0, (wanted - now).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
