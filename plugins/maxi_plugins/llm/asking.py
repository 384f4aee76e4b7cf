"""What the sources have in common that ask a language model for phrases: one question for each item, read and kept."""

import json
import logging
from abc import abstractmethod
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from maxi_core import Failed, Source
from maxi_core.errors import MaxiError
from maxi_core.texts import counted, name_key
from maxi_plugins.llm.exchange import Exchange, Request, excerpt, is_cut, reply_text
from maxi_plugins.llm.options import ModelOptions

if TYPE_CHECKING:
    from maxi_plugins.llm.cache import Replay
    from maxi_plugins.llm.model import LanguageModel

logger = logging.getLogger("maxi")

ALIKE = 10  # replies that hold nothing, for the same reason and none before them: then nobody is asked any more
CUT = ", it was cut at its longest (finish_reason: length)"


class AsksModel(Source):
    """A source that asks a language model; among the bases of a class it stands before the role.

    A class says how many phrases are wanted, and what its request is without what is asked.
    """

    batch = 1  # each answer is given on, and kept, as soon as it is there
    may_be_none: ClassVar[bool] = False  # whether a reply with an empty list is an answer

    options: ModelOptions

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._short: dict[str, str] = {}  # what is said of the items that got fewer phrases than wanted
        self._silent: tuple[str, int] | None = ("", 0)  # why a reply held nothing, how often in a row; None: one did
        self._lock = Lock()

    @property
    @abstractmethod
    def _most(self) -> int:
        """The phrases that are kept of an answer."""

    @property
    @abstractmethod
    def _least(self) -> int:
        """The phrases below which an answer is short, and is asked for once more."""

    @abstractmethod
    def _template(self) -> Request:
        """Return the request without what is asked: all with the same one share a cache and a budget."""

    def open(self) -> None:
        """Let questions go, up to `concurrency` at once; asks nothing, and may follow on `close`.

        Raises UsageError for a missing model, key or file.
        """
        self._client.open(self.concurrency)

    def close(self) -> None:
        """Let no further question go and wake those that wait; what is under way is finished and kept."""
        if (client := vars(self).get("_client")) is not None:  # there is none if `open` raised
            client.close()

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the request, how a reply is read, the replayed file.

        The endpoint's address is no part of it: a model is known by its name. Raises UsageError, before anything is
        asked, if there is no model, no key or no file.
        """
        identity = {"request": json.dumps(self._template()), "replies": digest_of_reading()}
        return identity | ({"replay": replayed} if (replayed := self._client.identity) else {})

    def notes(self) -> list[str]:
        """Return what a reader of the results should know: parameters that the model refused, and short answers."""
        refused = self._client.refused().items()
        found = [f"asked without {name}, which the model refuses: {said}" for name, said in refused]
        return found + [short for _, short in sorted(self._short.items())]

    def probe(self) -> dict[str, str]:
        """Return what the endpoint says of itself and of the model, asking only for the list of its models.

        Raises MaxiError if it cannot be asked or does not list the model.
        """
        if self.options.replay is not None:
            return {"replay": str(self.options.replay), "network": "none is needed"}
        from maxi_plugins.llm.model import language_model

        return language_model(self, self._template(), self._useful).probe(self.options.model)

    def _answer(self, request: Request, item: str) -> list[str] | Failed:
        """Return the phrases of the reply to a request, which is sent once more if they are too few."""
        from maxi_plugins.llm.phrases import phrases, says_none

        found: dict[str, str] = {}
        faults: list[str] = []
        cut = False
        for turn in (0, 1):
            exchange = self._client.ask(request, turn)
            cut = isinstance(exchange, Exchange) and is_cut(exchange.response)
            said = exchange if isinstance(exchange, Failed) else reply_text(exchange.response)
            if isinstance(said, Failed):
                faults.append(said.reason)
            elif self.may_be_none and says_none(said):
                self._silent = None
                return []
            else:
                for phrase in phrases(said, self._most):
                    found.setdefault(name_key(phrase), phrase)
                faults.append(f"the reply holds no phrases{CUT if cut else ''}: {excerpt(said)!r}")
            if isinstance(exchange, Failed) or len(found) >= self._least:
                break
            if not found:
                self._count_silence(faults[-1], cut=cut)
        if not found:
            return Failed(faults[0])
        self._silent = None
        if len(found) < self._least:
            self._short[item] = f"{len(found)} of {counted(self._least, 'phrase')} for '{item}'{CUT if cut else ''}"
            logger.warning("%s: %s", self.label, self._short[item])
        return list(found.values())[: self._most]

    def _count_silence(self, reason: str, *, cut: bool) -> None:
        """Count a reply that holds nothing; raises MaxiError if none ever held anything, for the same reason."""
        from maxi_plugins.llm.cache import Replay
        from maxi_plugins.llm.outcome import RESUME, address
        from maxi_plugins.llm.retry import FILTERED

        with self._lock:
            client = self._client
            if self._silent is None or FILTERED.search(reason) or isinstance(client, Replay):
                return
            kind, times = reason.partition(":")[0], self._silent[1]
            self._silent = (kind, times + 1 if kind == self._silent[0] else 1)
            if self._silent[1] < ALIKE:
                return
        what = f"raise {self.label}.max_tokens" if cut else f"see {self.label}.model and the server"
        problem = f"{address()} has answered {ALIKE} times so far and said nothing: {reason}"
        raise client.stopped(MaxiError(problem, f"{what}; {RESUME}"))

    def _useful(self, response: object) -> bool:
        from maxi_plugins.llm.phrases import phrases, says_none

        said = reply_text(response)
        return isinstance(said, str) and (bool(phrases(said, self._most)) or (self.may_be_none and says_none(said)))

    @cached_property
    def _client(self) -> "LanguageModel | Replay":
        from maxi_plugins.llm.model import client_of

        return client_of(self, self._template(), self._useful)


def digest_of_reading() -> str:
    """Return a digest of how a reply is read: after a change of it, what was paid for is read again."""
    from maxi_plugins.llm import exchange, marks, phrases

    files = (part.__file__ for part in (exchange, marks, phrases))
    return sha256(b"".join(Path(file).read_bytes() for file in files if file)).hexdigest()[:16]
