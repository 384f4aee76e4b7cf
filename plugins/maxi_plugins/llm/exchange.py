"""One exchange with a language model in OpenAI's format: the request, the response, and the text in both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from maxi_core import Failed
from maxi_core.texts import tidy

Request: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Exchange:
    """A request as it was sent, and the response as decoded JSON, or as text if it was none."""

    request: Request
    response: object


class Client(Protocol):
    """Whoever answers requests: an endpoint, or a file of what one has said."""

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the exchange, or Failed; raises MaxiError if no request can be answered.

        `turn` is 1 where the same is asked once more since the first answer was poor.
        """
        ...


def reply_text(response: object) -> str | Failed:
    """Return what the model says in a response, chat or completions, or Failed with the reason why it says nothing."""
    match response:
        case {"choices": [{"message": {"content": str(text)}}, *_]} | {"choices": [{"text": str(text)}, *_]} if (
            text.strip()
        ):
            return text
    return response if isinstance(response, Failed) else Failed(_why_silent(response))


def _why_silent(response: object) -> str:
    match response:
        case {"choices": [{"message": {"refusal": str(why)}}, *_]} if why.strip():
            return f"the model refuses: {excerpt(why)}"
        case {"choices": [{"finish_reason": "content_filter"}, *_]}:
            return "the endpoint's content filter held the answer back"
        case {"error": {"message": str(why)}}:
            return f"the endpoint answered with an error: {excerpt(why)}"
        case str(text):
            return f"the endpoint answered with something that is no JSON: {excerpt(text)!r}"
    return "the endpoint's answer holds no text"


def prompt_of(request: object) -> str | None:
    """Return the prompt of a request, chat or completions, or None if it has none."""
    match request:
        case {"messages": [*_, {"content": str(text)}]} | {"prompt": str(text)}:
            return text
    return None


def excerpt(text: str, longest: int = 60) -> str:
    """Return the beginning of a reply on one line, for a message."""
    line = tidy(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
