"""Exchanges with a language model in OpenAI's format: what was said in one, and files of them to replay and record."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol, TypeAlias, cast

from maxi_core import Failed
from maxi_core.errors import MaxiError, UsageError
from maxi_plugins.replies import excerpt

logger = logging.getLogger("maxi")

Request: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Exchange:
    """A request as it was sent, and the response as decoded JSON, or as text if it was none."""

    request: Request
    response: object


class Answerer(Protocol):
    """Whoever answers requests: an endpoint, or a file of what one has said."""

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the exchange, or Failed; raises MaxiError if no request can be answered.

        `turn` is 1 where the same is asked once more since the first answer was poor.
        """
        ...


def spoken(response: object) -> str | Failed:
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


class Replay:
    """Answers from a file of exchanges, JSON lines {request, response}, by the prompt; of two answers the later one.

    An exchange with a `turn` is the one that was asked once more, after the line before it. Raises UsageError if the
    file cannot be read or holds no exchange. A line that is torn or no exchange is passed over, with a warning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path)
        self.identity = sha256(data).hexdigest()
        self._responses: dict[tuple[str, int], object] = {}
        bad = []
        for number, line in enumerate(data.split(b"\n"), 1):
            exchange = _exchange(line)
            if exchange is not None:
                prompt, turn, response = exchange
                self._responses[prompt, turn] = response
                if turn == 0:  # what was asked once more after an earlier answer is no longer of use
                    self._responses.pop((prompt, 1), None)
            elif line.strip():
                bad.append(number)
        if not self._responses:
            raise UsageError(f"{path} holds no exchange to replay", "name a file that was written by -o gpt3.record")
        if bad:
            logger.warning("%s: %d lines are no exchange, the first is line %d", path, len(bad), bad[0])

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return the recorded exchange with the same prompt, or Failed if there is none."""
        prompt = prompt_of(request)
        if prompt is not None and (prompt, turn) in self._responses:
            return Exchange(request, self._responses[prompt, turn])
        return Failed(f"{self.path.name} holds no answer to '{excerpt(prompt or '', 120)}'")


def read_bytes(path: Path) -> bytes:
    """Return what a file of exchanges holds; raises UsageError with the path."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot replay {path}: {error.strerror or error}", "name a file of JSON lines") from None


def _exchange(line: bytes) -> tuple[str, int, object] | None:
    """Return (prompt, turn, response) of a line, None if it is no exchange."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or "response" not in row or row.get("turn", 0) not in (0, 1):
        return None
    prompt = prompt_of(row.get("request"))
    return None if prompt is None else (prompt, int(row.get("turn", 0)), row["response"])


class Recorded:
    """Another answerer whose exchanges are appended to a file, each one as soon as it is there."""

    def __init__(self, inner: Answerer, path: Path) -> None:
        self._inner, self._path = inner, path
        self._lock = Lock()

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Ask the other one and append what it says, unless it failed; raises MaxiError if that cannot be written."""
        with self._opened() as file:  # before asking: what cannot be recorded is not paid for
            exchange = self._inner.ask(request, turn)
            if isinstance(exchange, Failed):
                return exchange
            row = {"request": exchange.request, "response": exchange.response} | ({"turn": turn} if turn else {})
            with self._lock:
                start = b"" if _at_line_start(file) else b"\n"
                try:
                    file.write(start + json.dumps(row).encode() + b"\n")
                except OSError as error:
                    raise self._unwritable(error) from error
        return exchange

    def _opened(self) -> BinaryIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return cast(BinaryIO, self._path.open("a+b", buffering=0))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> MaxiError:
        return MaxiError(f"cannot record into {self._path}: {error.strerror or error}", "choose another gpt3.record")


def _at_line_start(file: BinaryIO) -> bool:
    """Whether the file ends with a whole line: a process that was killed may leave a torn one."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
