"""What comes of one request: a reply, a fault that may pass, one that is final; and what the errors of servers mean."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_core.system.secrets import blotter_of
from maxi_plugins.llm.deadline import UnreadableError
from maxi_plugins.llm.exchange import SYSTEM, Request, error_of, excerpt
from maxi_plugins.llm.pictures import pictures_of

if TYPE_CHECKING:
    from openai import OpenAIError

OPENAI = "https://api.openai.com/v1"
RESUME = "the same command goes on from here"
DROPPABLE = ("temperature", "max_tokens")  # a refusal names one of these and says that it is not supported
NAMED = {  # further ones, and how servers call what they do not take
    "response_format": re.compile(
        r"(?:response|output)[_ ]?(?:format|schema)|json[_ ]?(?:schema|object|mode)|structured[_ ]?output|grammar|"
        r"guided|additionalProperties",
        re.IGNORECASE,
    ),
    SYSTEM: re.compile(
        r"system[\W_]*(?:role|message|prompt|instruction)|roles?\b.{0,40}\balternat|only user", re.IGNORECASE
    ),
}
NO_PICTURES = re.compile(
    r"(?=.*(?:image|vision|multi-?modal|mmproj))"
    r"(?=.*(?:support|mmproj|missing|not an?\b|unknown variant|(?:not|n't) (?:accept|take|process|see|read|handle)))"
    r"(?!.*(?:size|dimension|resolution|large|bytes|decod|corrupt))",
    re.IGNORECASE | re.DOTALL,
)
TOO_MUCH = re.compile(
    r"too (?:large|big|long|many)|exceed|at most \d+ (?:image|picture)|context.length|request entity", re.IGNORECASE
)
QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
RETRYABLE = (408, 409, 425, 429)
STATUS_OF = {  # what codes and types of errors inside a 200 have in them
    402: QUOTA,
    401: ("api_key", "apikey", "authentication", "unauthorized"),
    403: ("permission", "forbidden", "access_denied"),
    404: ("model_not_found", "not_found"),
    429: ("rate_limit", "ratelimit", "too_many_requests", "throttl"),
    503: ("server_error", "internal", "overloaded", "unavailable", "timeout"),
    400: ("invalid_request", "bad_request", "context_length"),
}


@dataclass(frozen=True)
class Reply:
    """A response with status 200: decoded JSON, or text if it is none."""

    body: object


@dataclass(frozen=True)
class Transient:
    """A fault that may pass: when to ask again, if the endpoint says so, and whether there were too many requests.

    `sent` says that the request has reached the endpoint and is not known to be refused, so it may have been paid.
    """

    reason: str
    retry_after: float | None = None
    rate_limited: bool = False
    sent: bool = False


@dataclass(frozen=True)
class RefusedParameter:
    """The model does not take this parameter of the request, which can do without it."""

    parameter: str
    said: str


class UnknownModelError(MaxiError):
    """The endpoint does not know the model, and may say which ones it knows."""


Outcome: TypeAlias = Reply | Transient | RefusedParameter | Failed | MaxiError


def address() -> str:
    """Return the endpoint's address without credentials and query: what may be shown."""
    parts = urlsplit(os.environ.get("OPENAI_BASE_URL") or OPENAI)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


def key_fix(label: str) -> str:
    """Return where a key comes from."""
    return f"set OPENAI_API_KEY, or name a file that holds the key: -o {label}.api_key_file=FILE"


def decoded(text: str) -> object:
    """Return a response as decoded JSON, or as the text it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def redacted(text: str, key: str, longest: int | None = 200) -> str:
    """Return what an endpoint said without the key, which some echo in some form, as one short line for a message."""
    text = blotter_of(frozenset({key})).blotted(text)
    return text if longest is None else excerpt(text, longest)


@dataclass(frozen=True)
class Refusal:
    """An error that an endpoint answered with, as a status of its own or inside a 200."""

    status: int
    said: str
    headers: Mapping[str, str] = field(default_factory=dict)
    code: object = None
    type: object = None
    param: str | None = None


@dataclass(frozen=True)
class ErrorReader:
    """What errors of the client mean, in words that name the source's options by its label."""

    label: str
    key: str = field(repr=False)
    timeout: float

    def read(self, data: bytes, request: Request) -> Outcome:
        """Return what a response with status 200 is: a reply, or the error that it holds instead of one."""
        body = decoded(redacted(data.decode("utf-8-sig", "replace"), self.key, longest=None))
        error = error_of(body)
        status = None if error is None else _status_of(error)
        if error is None or status is None:
            return Reply(body)
        said = excerpt(str(error.get("message") or "nothing"), 200)
        return self._meaning(Refusal(status, said, code=error.get("code"), type=error.get("type")), request)

    def late(self, *, sent: bool) -> Transient:
        """Return the fault of a request that had no whole answer in time."""
        return Transient(f"no answer from {address()} within {self.timeout:g} s", sent=sent)

    def broken(self, error: BaseException) -> Transient:
        """Return the fault of a response that ended or cannot be read while it came."""
        said = redacted(str(error) or type(error).__name__, self.key)
        how = "answered with" if isinstance(error, UnreadableError) else "broke off:"
        return Transient(f"{address()} {how} {said}", sent=True)

    def outcome(self, error: "OpenAIError", request: Request) -> Outcome:
        """Return what an error means; never the error itself, since that may quote the key."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        cause = error.__cause__
        if isinstance(cause, UnreadableError):
            return self.broken(cause)
        if isinstance(error, APITimeoutError):
            return self.late(sent=type(cause).__name__ != "ConnectTimeout")
        if isinstance(error, APIConnectionError):
            why = redacted(str(cause or error), self.key)
            return Transient(f"cannot reach {address()}: {why}", sent=type(cause).__name__ != "ConnectError")
        if isinstance(error, APIStatusError):
            said = redacted(_words_of(error.body) or error.message or "nothing", self.key)
            refusal = Refusal(error.status_code, said, error.response.headers, error.code, error.type, error.param)
            return self._meaning(refusal, request)
        return Failed(f"the request failed: {redacted(str(error), self.key)}")

    def _meaning(self, refusal: Refusal, request: Request) -> Outcome:
        status, said = refusal.status, refusal.said
        if (parameter := _refused_by_name(refusal, request)) is not None:
            return RefusedParameter(parameter, said)
        busy = status in (*RETRYABLE, 502, 503, 504)
        blind = not busy and NO_PICTURES.match(said) is not None and next(pictures_of(request), None) is not None
        if final := self._final(refusal, request.get("model"), blind=blind):
            return final
        if status in (400, 422):
            return self._bad_request(refusal, request)
        if refusal.headers.get("x-should-retry") != "false" and (status in RETRYABLE or status >= 500):
            return Transient(f"{address()} answered {status}: {said}", _retry_after(refusal.headers), status == 429)
        return self._failed(refusal, request)

    def _failed(self, refusal: Refusal, request: Request) -> Failed:
        """Return the fault of one question, and how it could be less where its pictures are too much."""
        reason = f"{address()} answered {refusal.status}: {refusal.said}"
        too_much = refusal.status == 413 or TOO_MUCH.search(refusal.said)
        if too_much and next(pictures_of(request), None) is not None:
            reason += f"; show less: -o {self.label}.frames=N, -o {self.label}.side=N"
        return Failed(reason)

    def _final(self, refusal: Refusal, model: object, *, blind: bool) -> MaxiError | None:
        """Return the fault that every further request would meet too, or None if it is no such fault.

        `blind` says that the refusal is one of all pictures.
        """
        status, said = refusal.status, refusal.said
        if status == 402 or {str(refusal.code), str(refusal.type)} & set(QUOTA):
            return MaxiError(f"{address()} says that the quota is used up: {said}", f"raise it there; {RESUME}")
        if status == 401:
            return MaxiError(f"{address()} refuses the API key (401)", key_fix(self.label))
        if status == 403:
            problem = f"{address()} refuses access to model '{model}' (403): {said}"
            return MaxiError(problem, f"choose another {self.label}.model")
        if status == 404 and not blind:
            return UnknownModelError(f"{address()} knows no model '{model}', or has no such address (404)")
        if blind:
            problem = f"model '{model}' of {address()} takes no pictures ({status}): {said}"
            return MaxiError(problem, f"name one that does: -o {self.label}.model=NAME")
        return None

    def _bad_request(self, refusal: Refusal, request: Request) -> Outcome:
        parameter, said = refusal.param, refusal.said
        if parameter is None and "support" in f"{refusal.code} {said}":  # some only name it in their message
            parameter = next((name for name in DROPPABLE if name in said), None)
        if parameter in DROPPABLE and parameter in request:
            return RefusedParameter(parameter, said)
        if parameter in request:
            problem = f"model '{request['model']}' refuses {parameter}: {said}"
            return MaxiError(problem, f"choose another {self.label}.model or value")
        return self._failed(refusal, request)


def _words_of(body: object) -> str:
    """Return what the body of an error says, in the forms that servers give it beside OpenAI's."""
    if isinstance(body, dict):
        return next((str(body[name]) for name in ("message", "detail", "error") if body.get(name)), "")
    return body if isinstance(body, str) else ""


def _refused_by_name(refusal: Refusal, request: Request) -> str | None:
    """Return the field of `NAMED` that a refusal is about and the request has, None if it is about none.

    Servers say so with almost any status: a template that knows no system message is an error of their own.
    """
    if refusal.status in (401, 402, 403, 404, *RETRYABLE):
        return None
    words = f"{refusal.param or ''} {refusal.said}"
    for name, pattern in NAMED.items():
        if name in (request if name != SYSTEM else _roles(request)) and pattern.search(words):
            return name
    return None


def _roles(request: Request) -> list[object]:
    messages = request.get("messages")
    return [message.get("role") for message in messages] if isinstance(messages, list) else []


def _status_of(error: Mapping[str, object]) -> int | None:
    """Return the status that an error inside a 200 stands for, None if it does not say."""
    for name in ("code", "status", "status_code", "type"):
        said = str(error.get(name, "")).casefold()
        if len(said) == 3 and said.isdecimal() and said >= "400":
            return int(said)
        if status := next((status for status, words in STATUS_OF.items() if any(word in said for word in words)), None):
            return status
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
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
