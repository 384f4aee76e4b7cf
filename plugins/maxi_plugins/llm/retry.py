"""Asking an endpoint until it answers: an adaptive rate limit, when to ask again, and when to stop asking at all."""

import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import SystemRandom
from threading import Condition, Lock

from maxi_core import Failed
from maxi_core.errors import MaxiError
from maxi_plugins.llm.budget import Budget, count_tokens
from maxi_plugins.llm.endpoint import Endpoint
from maxi_plugins.llm.exchange import Exchange, Request, reply_text, without
from maxi_plugins.llm.outcome import RESUME, Outcome, RefusedParameter, Reply, Transient, UnknownModelError, address
from maxi_plugins.llm.pictures import kept

logger = logging.getLogger("maxi")

FIRST_PAUSE = 0.5  # seconds; each further one is twice as long
LONGEST_PAUSE = 30.0
LONGEST_RETRY_AFTER = 120.0  # seconds that are waited; an endpoint that wants more is taken at its word
SAID_EVERY = 10.0  # seconds of asking one question again after which that is said, and again after as long
FILTERED = re.compile(
    "filter|policy|moderat|safety|model refuses", re.IGNORECASE
)  # what is refused for its content alone
GIVEN_UP = 3  # questions given up with no answer between them, or refused alike: then nobody is asked any more


class RateLimiter:
    """Lets requests go: one until the first is answered, then up to `most`; half as many after "too many requests".

    So a wrong key is refused once, and a limit of three requests a minute is met without a storm of refusals. Whoever
    waits here is woken by `stop`, whose error everybody gets from then on, until `open`.
    """

    def __init__(self) -> None:
        self._most = 1
        self._limit = 1.0
        self._throttled = False  # then the limit grows by one for each round of answers, before by each answer
        self._under_way = 0
        self._not_before = 0.0
        self._error: BaseException | None = None
        self._changed = Condition()

    def open(self, most: int) -> None:
        """Let up to `most` requests go at once, also after a stop."""
        with self._changed:
            self._most, self._error = most, None
            self._limit = min(self._limit, most)

    def stop(self, error: BaseException) -> None:
        """Let no further request go: everybody who waits or comes gets `error`, the first one if there are several."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a turn and hold it; raises what `stop` was given."""
        with self._changed:
            while self._check() or self._under_way >= int(self._limit) or time.monotonic() < self._not_before:
                pause = self._not_before - time.monotonic()
                self._changed.wait(pause if pause > 0 else None)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answered(self) -> None:
        """Let more requests go at once: one was answered."""
        with self._changed:
            self._limit = min(self._most, self._limit + (1 / self._limit if self._throttled else 1))
            self._changed.notify_all()

    def throttled(self, pause: float) -> None:
        """Let fewer go at once, and none for `pause` seconds: there were too many."""
        with self._changed:
            self._limit, self._throttled = max(1.0, self._limit / 2), True
            self._not_before = max(self._not_before, time.monotonic() + pause)

    def sleep(self, seconds: float) -> None:
        """Wait, without a turn; raises what `stop` was given, at once."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._check() and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _check(self) -> bool:
        if self._error is not None:
            raise self._error
        return False


class Retrying:
    """Sends requests until they are answered, refused for good, or have taken `stop_after` seconds.

    What is refused for good and for every question (key, access, model, quota) ends all: MaxiError, and no further
    request is sent. A question that is given up is Failed; after `GIVEN_UP` of them in a row the endpoint is.
    """

    def __init__(
        self,
        label: str,
        endpoint: Endpoint,
        stop_after: float,
        limiter: RateLimiter,
        budget: Budget,
        note_refusal: Callable[[str, str], None],
    ) -> None:
        self._label = label
        self.refused: dict[str, str] = {}  # parameters that the model does not take, and its words
        self._endpoint, self._stop_after, self._budget = endpoint, stop_after, budget
        self._limiter, self._note_refusal = limiter, note_refusal
        self._given_up = 0
        self._alike: tuple[str, int] = ("", 0)  # the last refusal of a question, and how often in a row
        self._said = -math.inf  # when it was last said that questions wait
        self._lock = Lock()

    def ask(self, request: Request, turn: int = 0) -> Exchange | Failed:
        """Return what was sent and answered, or Failed; raises MaxiError if no request can be answered.

        `stop_after` counts the seconds of a request and those until it is sent again, not those until it has its turn.
        """
        spent, tries = 0.0, 0
        while True:
            with self._limiter.slot():  # what is learned is noted before another one has its turn
                sent = without(request, self.refused)
                began = time.monotonic()
                outcome = self._send(sent)
                spent += time.monotonic() - began
                if isinstance(outcome, MaxiError):
                    raise outcome
                if not isinstance(outcome, Transient):
                    self._given_up = 0
                else:
                    tries += 1
                    pause = _pause(tries, outcome)
                    if spent + pause > self._stop_after or (outcome.retry_after or 0) > LONGEST_RETRY_AFTER:
                        return self._give_up(outcome, tries, spent)
            if isinstance(outcome, Reply):
                return Exchange(kept(sent), outcome.body)
            if isinstance(outcome, Failed):
                return self._refused_alike(outcome)
            if isinstance(outcome, Transient):
                level = logging.WARNING if self._long(spent + pause) else logging.INFO
                logger.log(level, "%s: %s; asking again in %.1f s", self._label, outcome.reason, pause)
                self._limiter.sleep(pause)
                spent += pause

    def _long(self, spent: float) -> bool:
        """Whether a question has waited so long that it is time to say so, once for all questions in a while."""
        now = time.monotonic()
        with self._lock:
            if spent < SAID_EVERY or now - self._said < SAID_EVERY:
                return False
            self._said = now
            return True

    def _send(self, request: Request) -> Outcome:
        """Send a request once, within the caps; a fault that is final stops all others before our turn is over."""
        try:
            reserved = self._budget.reserve(request)
        except MaxiError as error:
            return self._end(error)
        outcome = self._endpoint.send(request)
        if isinstance(outcome, Reply):
            self._budget.settle(reserved, count_tokens(request, outcome.body))
            if isinstance(reply_text(outcome.body), str):  # a web page lets nobody else go
                self._limiter.answered()
        elif not (isinstance(outcome, Transient) and outcome.sent):
            self._budget.release(reserved)
        if isinstance(outcome, Transient) and outcome.rate_limited:
            waits = (outcome.retry_after or 0.0) <= min(LONGEST_RETRY_AFTER, self._stop_after)
            self._limiter.throttled((outcome.retry_after or 0.0) if waits else 0.0)  # what nobody waits holds nobody up
        if isinstance(outcome, RefusedParameter):
            self._drop(outcome)
        if isinstance(outcome, UnknownModelError):
            fix = f"type -o {self._label}.model=NAME{self._endpoint.offer()}, or correct OPENAI_BASE_URL"
            return self._end(MaxiError(outcome.problem, fix))
        return self._end(outcome) if isinstance(outcome, MaxiError) else outcome

    def _refused_alike(self, failed: Failed) -> Failed:
        """Return why a question is refused; raises MaxiError if an endpoint that never answered says so of each."""
        with self._lock:
            reason, times = self._alike
            self._alike = (failed.reason, times + 1 if reason == failed.reason else 1)
            over = self._alike[1] >= GIVEN_UP and not self._budget.answered and not FILTERED.search(failed.reason)
        if over:
            problem = f"{address()} has answered no question so far and refused {GIVEN_UP} in the same words"
            raise self._end(
                MaxiError(f"{problem}: {failed.reason}", f"see {self._label}.model and the server; {RESUME}")
            )
        return failed

    def _drop(self, refused: RefusedParameter) -> None:
        with self._lock:
            if refused.parameter not in self.refused:
                self.refused = {**self.refused, refused.parameter: refused.said}
                self._note_refusal(refused.parameter, refused.said)

    def _give_up(self, fault: Transient, tries: int, spent: float) -> Failed:
        times = f"asked {tries} times in {spent:.1f} s" if tries > 1 else "asked once"
        if fault.retry_after is not None and fault.retry_after > LONGEST_RETRY_AFTER:
            times = f"it wants to be asked again in {fault.retry_after:.0f} s"
        with self._lock:
            self._given_up += 1
            silent = self._given_up >= GIVEN_UP
        if silent:
            raise self._end(
                MaxiError(
                    f"{address()} answered none of the last {GIVEN_UP} questions: {fault.reason} ({times})", RESUME
                )
            )
        return Failed(f"{fault.reason} ({times})")

    def _end(self, error: MaxiError) -> MaxiError:
        self._limiter.stop(error)
        return error


def _pause(tries: int, fault: Transient) -> float:
    """Return the seconds until a request is sent again: what the endpoint says, or twice as long each time, varied."""
    if fault.retry_after is not None:
        return fault.retry_after * SystemRandom().uniform(1.0, 1.1)
    return min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE) * SystemRandom().uniform(0.5, 1.0)
