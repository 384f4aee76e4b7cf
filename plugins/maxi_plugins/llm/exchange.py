"""One exchange with a language model in OpenAI's format: the request, the response, and the text in both."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from maxi_core import Failed
from maxi_core.texts import tidy
from maxi_plugins.llm.pictures import Picture

Request: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Exchange:
    """A request as it was sent (see `kept`), and the response as decoded JSON, or as text if it was none."""

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
    """Return what the model says in a response, chat or completions, or Failed with the reason why it says nothing.

    Content may be a text or a list of parts, of which those of text count: thoughts are none. What a reply that was cut
    at its longest (`finish_reason: length`) began last is left out, since it may be half a phrase.
    """
    if text := _said(response):
        return text
    return response if isinstance(response, Failed) else Failed(_why_silent(response))


def is_cut(response: object) -> bool:
    """Return whether the model had more to say than its longest reply."""
    match response:
        case {"choices": [{"finish_reason": "length" | "max_tokens" | "MAX_TOKENS"}, *_]}:
            return True
    return False


def error_of(response: object) -> Mapping[str, object] | None:
    """Return the error that a response holds instead of a reply, None if it holds none."""
    match response:
        case {"choices": [{"error": error}, *_]} if error:
            return _as_error(error)
        case {"error": error} | {"errors": [error, *_]} if error and not _said(response):
            return _as_error(error)
        case dict(found) if found.get("object") == "error":
            return found
    return None


def _as_error(error: object) -> Mapping[str, object]:
    return error if isinstance(error, Mapping) else {"message": str(error)}


def _said(response: object) -> str:
    """Return what the model says, "" if that is blank."""
    match response:
        case {"choices": [{"message": {"content": content}}, *_]} | {"choices": [{"text": content}, *_]}:
            text = _whole_items(_text_of(content)) if is_cut(response) else _text_of(content)
            return text if text.strip() else ""
    return ""


def _text_of(content: object) -> str:
    match content:
        case str(text):
            return text
        case [*parts]:
            return "\n".join(filter(None, map(_text_of, parts)))
        case {"type": str(kind)} if "text" not in kind:  # thinking, reasoning, image, tool call
            return ""
        case {"text": str(text)} | {"text": {"value": str(text)}}:
            return text
    return ""


def _whole_items(text: str) -> str:
    """Return a text without what follows its last separator: lines where there are several, else commas."""
    last = text.rstrip().rfind("\n")
    return text[: max(last, 0) or max(text.rfind(","), text.rfind(";"), 0)]


def _why_silent(response: object) -> str:
    why = "the endpoint's answer holds no text"
    if error := error_of(response):
        return f"the endpoint answered with an error: {excerpt(str(error.get('message') or dict(error)))}"
    match response:
        case {"choices": [{"message": {"refusal": str(said)}}, *_]} if said.strip():
            why = f"the model refuses: {excerpt(said)}"
        case {"choices": [{"finish_reason": "content_filter"}, *_]}:
            why = "the endpoint's content filter held the answer back"
        case {"choices": [{"message": {"reasoning_content": str(said)} | {"reasoning": str(said)}}, *_]} if (
            said.strip() and not is_cut(response)
        ):
            why = "the model has thought and said nothing after it"
        case {"message": str(said)} | {"detail": str(said)}:
            why = f"the endpoint answered without a reply: {excerpt(said)}"
        case str(said):
            why = f"the endpoint answered with something that is no JSON: {excerpt(said)!r}"
        case _ if is_cut(response):
            why = "the reply was cut at its longest before it said anything (finish_reason: length)"
    return why


def prompt_of(request: object) -> str | None:
    """Return the prompt of a request, chat or completions, or None if it has none.

    Where a question has pictures, it is all that is said, with what the pictures were made from.
    """
    match request:
        case {"messages": [*_, {"content": str(text)}]} | {"prompt": str(text)}:
            return text
        case {"messages": [*messages]} if texts := [text for message in messages for text in _shown(message)]:
            return "\n".join(texts)
    return None


def _shown(message: object) -> Iterator[str]:
    match message:
        case {"content": str(text)}:
            yield text
        case {"content": [*parts]}:
            for part in parts:
                match part:
                    case {"text": str(text)}:
                        yield text
                    case {"image_url": {"url": str(url)}} | {"image_url": {"url": Picture(of=url)}}:
                        yield url


SYSTEM = "system"  # its message, among the fields that a request can do without


def without(request: Request, fields: Collection[str]) -> dict[str, Any]:
    """Return a request without some of its fields; without `SYSTEM`, the user says what stood in that message."""
    left: dict[str, Any] = {name: value for name, value in request.items() if name not in fields}
    match left:
        case {"messages": [{"role": "system", "content": str(text)}, {"content": [*parts]}]} if SYSTEM in fields:
            left["messages"] = [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]
    return left


def excerpt(text: str, longest: int = 60) -> str:
    """Return the beginning of a reply on one line, for a message."""
    line = tidy(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
