"""What an endpoint was asked in all, on disk, and the caps on it that are never crossed."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from maxi_core.errors import ExitCode, MaxiError
from maxi_core.system.files import parsed_json
from maxi_core.system.locks import exclusive
from maxi_core.texts import counted
from maxi_plugins.llm.exchange import Request, prompt_of, reply_text
from maxi_plugins.llm.outcome import RESUME
from maxi_plugins.llm.pictures import pictures_of

LEDGER = "spent.jsonl"
UNKNOWN_REPLY = 500  # tokens, before any reply was seen
FRAME = 16  # tokens around a prompt, generously
LETTERS = 4  # of a token, where an endpoint does not count


class BudgetError(MaxiError):
    """The next request could cross a cap, so it is not sent; the run goes on with a higher one."""

    exit_code = ExitCode.CAPPED


class Budget:
    """Counts requests and tokens in a file, so that caps hold over runs that were stopped and processes at once.

    A request is counted before it is sent, so a process that is killed has counted it; what is refused is taken back.
    Tokens are estimated before a request as the most that one has taken so far, or exactly bounded if the request
    itself bounds its reply (`max_tokens`) and has no pictures: how many tokens these take is the model's secret.
    """

    def __init__(self, label: str, folder: Path, cap_calls: int | None = None, cap_tokens: int | None = None) -> None:
        self._label, self._path = label, folder / LEDGER
        self._cap_calls, self._cap_tokens = cap_calls, cap_tokens
        self._lock = Lock()
        self._place = 0
        self.calls = self.tokens = self._largest = 0

    def reserve(self, request: Request) -> int:
        """Count a request about to be sent and return its tokens; raises BudgetError instead of crossing a cap."""
        label = self._label
        with self._opened() as file:
            tokens = self._estimate(request)
            if self._cap_calls is not None and self.calls + 1 > self._cap_calls:
                raise BudgetError(
                    f"{label} has asked {counted(self.calls, 'time')} in all, and {label}.cap_calls is "
                    f"{self._cap_calls}",
                    f"type -o {label}.cap_calls=MORE; {RESUME}",
                )
            if self._cap_tokens is not None and self.tokens + tokens > self._cap_tokens:
                raise BudgetError(
                    f"{label} has used {counted(self.tokens, 'token')} in all, the next question may take "
                    f"{tokens}, and "
                    f"{label}.cap_tokens is {self._cap_tokens}",
                    f"type -o {label}.cap_tokens=MORE; {RESUME}",
                )
            self._count(file, 1, tokens)
        return tokens

    def settle(self, reserved: int, tokens: int) -> None:
        """Correct the tokens of a request that was answered."""
        with self._opened() as file:
            self._count(file, 0, tokens - reserved, tokens)

    def release(self, reserved: int) -> None:
        """Take back a request that was refused."""
        with self._opened() as file:
            self._count(file, -1, -reserved)

    def _estimate(self, request: Request) -> int:
        most = request.get("max_tokens", request.get("max_completion_tokens"))
        pictures = sum(picture.tokens for picture in pictures_of(request))
        if not isinstance(most, int):
            return self._largest or UNKNOWN_REPLY + pictures
        bound = len((prompt_of(request) or "").encode()) + FRAME + most  # a token has one byte at least
        return max(bound + pictures, self._largest) if pictures else bound

    @property
    def answered(self) -> bool:
        """Whether any request was ever answered, as far as this process has read the file."""
        return self._largest > 0

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Hold the file alone, and count what others have written; raises MaxiError if it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, self._path.open("a+b", buffering=0) as opened:
                file = cast(BinaryIO, opened)
                with exclusive(file):
                    self._catch_up(file)
                    yield file
        except OSError as error:
            raise MaxiError(
                f"cannot count what is spent in {self._path}: {error.strerror or error}",
                f"make room or choose another {self._label}.exchanges",
            ) from error

    def _catch_up(self, file: BinaryIO) -> None:
        file.seek(self._place)
        data = file.read()
        self._place += len(data)
        if data and not data.endswith(b"\n"):  # a process was killed while it wrote
            self._place += file.write(b"\n")
        for line in data.splitlines():
            try:
                row = parsed_json(line)
                calls, tokens, reply = int(row["calls"]), int(row["tokens"]), int(row.get("reply", 0))
            except (ValueError, KeyError, TypeError, AttributeError):
                calls, tokens, reply = 1, self._largest or UNKNOWN_REPLY, 0  # torn: somebody was about to ask
            self.calls, self.tokens = self.calls + calls, self.tokens + tokens
            self._largest = max(self._largest, reply)

    def _count(self, file: BinaryIO, calls: int, tokens: int, reply: int = 0) -> None:
        row = {"calls": calls, "tokens": tokens} | ({"reply": reply} if reply else {})
        line = json.dumps(row).encode() + b"\n"
        if file.write(line) != len(line):
            raise OSError(28, os.strerror(28))
        self.calls, self.tokens, self._largest = self.calls + calls, self.tokens + tokens, max(self._largest, reply)
        self._place += len(line)


def count_tokens(request: Request, response: object) -> int:
    """Return the tokens of an exchange: what the endpoint counts, or an estimate by letters."""
    match response:
        case {"usage": {"total_tokens": int(total)}} if total > 0:
            return total
    said = reply_text(response)
    letters = len(prompt_of(request) or "") + (len(said) if isinstance(said, str) else 0)
    return math.ceil(letters / LETTERS) + sum(picture.tokens for picture in pictures_of(request))
