"""Asking an endpoint until it answers: when to ask again, for how long, and when to stop asking at all."""

import logging
import time
from collections.abc import Callable
from random import SystemRandom
from threading import Lock

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_plugins.endpoint import Endpoint, address
from maxi_plugins.exchanges import Exchange, Request
from maxi_plugins.faults import GOES_ON, Again, Outcome, Refused, Reply, UnknownModelError
from maxi_plugins.spending import Spending, tokens_of
from maxi_plugins.traffic import Traffic

logger = logging.getLogger("maxi")

FIRST_PAUSE = 0.5  # seconds; each further one is twice as long
LONGEST_PAUSE = 30.0
LONGEST_ASKED = 120.0  # seconds of a Retry-After that are waited; an endpoint that wants more is taken at its word
GIVEN_UP = 3  # questions given up with no answer between them: then nobody is asked any more


class Patient:
    """Sends requests until they are answered, refused for good, or have taken `patience` seconds.

    What is refused for good and for every question (key, access, model, quota) ends all: MaxiError, and no further
    request is sent. A question that is given up is Failed; after `GIVEN_UP` of them in a row the endpoint is.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        patience: float,
        traffic: Traffic,
        spending: Spending,
        note_refusal: Callable[[str, str], None],
    ) -> None:
        self.refused: dict[str, str] = {}  # parameters that the model does not take, and its words
        self._endpoint, self._patience, self._spending = endpoint, patience, spending
        self._traffic, self._note_refusal = traffic, note_refusal
        self._given_up = 0
        self._lock = Lock()

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return what was sent and answered, or Failed; raises MaxiError if no request can be answered.

        `patience` counts the seconds of a request and those until it is sent again, not those until it has its turn.
        """
        spent, tries = 0.0, 0
        while True:
            with self._traffic.slot():  # what is learned is noted before another one has its turn
                sent = {name: value for name, value in request.items() if name not in self.refused}
                began = time.monotonic()
                outcome = self._send(sent)
                spent += time.monotonic() - began
                if isinstance(outcome, MaxiError):
                    raise outcome
                if not isinstance(outcome, Again):
                    self._given_up = 0
                else:
                    tries += 1
                    pause = _pause(tries, outcome)
                    if spent + pause > self._patience or (outcome.after or 0) > LONGEST_ASKED:
                        return self._give_up(outcome, tries, spent)
            if isinstance(outcome, Reply):
                return Exchange(sent, outcome.body)
            if isinstance(outcome, Failed):
                return outcome
            if isinstance(outcome, Again):
                logger.info("gpt3: %s; asking again in %.1f s", outcome.reason, pause)
                self._traffic.sleep(pause)
                spent += pause

    def _send(self, request: Request) -> Outcome:
        """Send a request once, within the caps; a fault that is final stops all others before our turn is over."""
        try:
            reserved = self._spending.reserve(request)
        except MaxiError as error:
            return self._end(error)
        outcome = self._endpoint.send(request)
        if isinstance(outcome, Reply):
            self._spending.settle(reserved, tokens_of(request, outcome.body))
            self._traffic.answered()
        elif not (isinstance(outcome, Again) and outcome.sent):
            self._spending.release(reserved)
        if isinstance(outcome, Again) and outcome.crowded:
            self._traffic.refused(min(outcome.after or 0.0, LONGEST_ASKED))
        if isinstance(outcome, Refused):
            self._drop(outcome)
        if isinstance(outcome, UnknownModelError):
            fix = f"type -o gpt3.model=NAME{self._endpoint.offer()}, or correct OPENAI_BASE_URL"
            return self._end(MaxiError(outcome.problem, fix))
        return self._end(outcome) if isinstance(outcome, MaxiError) else outcome

    def _drop(self, refused: Refused) -> None:
        with self._lock:
            if refused.parameter not in self.refused:
                self.refused = {**self.refused, refused.parameter: refused.said}
                self._note_refusal(refused.parameter, refused.said)

    def _give_up(self, fault: Again, tries: int, spent: float) -> Failed:
        times = f"asked {tries} times in {spent:.1f} s" if tries > 1 else "asked once"
        if fault.after is not None and fault.after > LONGEST_ASKED:
            times = f"it wants to be asked again in {fault.after:.0f} s"
        with self._lock:
            self._given_up += 1
            silent = self._given_up >= GIVEN_UP
        if silent:
            raise self._end(
                MaxiError(
                    f"{address()} answered none of the last {GIVEN_UP} questions: {fault.reason} ({times})", GOES_ON
                )
            )
        return Failed(f"{fault.reason} ({times})")

    def _end(self, error: MaxiError) -> MaxiError:
        self._traffic.stop(error)
        return error


def _pause(tries: int, fault: Again) -> float:
    """Return the seconds until a request is sent again: what the endpoint says, or twice as long each time, varied."""
    if fault.after is not None:
        return fault.after * SystemRandom().uniform(1.0, 1.1)
    return min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE) * SystemRandom().uniform(0.5, 1.0)
