"""What hostile endpoints do: what the server says, how often it is asked, and what becomes of the action name.

`python -m benchmarks.llm` prints this table from real runs into docs/sources.md.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.plugins.loopback import LIST, Reply, Server, chat, entry_of, fault, in_turn

KEY = "sk-canary-0123456789abcdef"
GOOD = chat(LIST.format("waving"))
ESSAY = "Applying cream is an activity in which a person, using the tips of the fingers, spreads a soft substance. "


@dataclass(frozen=True)
class Case:
    """A misbehaviour: the replies to one action name in turn, what is wanted of `gpt3`, and what comes of it.

    `requests` are those sent for that name. `sees` is part of what the user sees: of the skip record (`failed`), of
    the error that ends the run (`stopped`), or of nothing but the log.
    """

    says: str
    replies: tuple[Reply, ...]
    requests: int
    end: str = "answered"
    sees: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    at_least: float = 0.0  # seconds that it takes

    def answer(self) -> Callable[[str], Reply]:
        turns = in_turn(*self.replies)
        return lambda prompt: turns(prompt) if entry_of(prompt) == "waving" else chat(LIST.format(entry_of(prompt)))


BOMB, GZIP = gzip.compress(bytes(64 << 20)), {"content-encoding": "gzip"}
PARTS = [{"type": "text", "text": LIST.format("waving")}]


def in_a_200(message: str, **more: Any) -> Reply:
    """Return an error with status 200."""
    return Reply({"error": {"message": message, **more}})


def cut(text: str | None) -> Reply:
    """Return a chat completion that ended at its longest."""
    return Reply({"choices": [{"message": {"content": text}, "finish_reason": "length"}]})


NO_PATIENCE = {"patience": 0}
QUICK = {"timeout": 1, "patience": 1}  # long enough for the good answers on a busy machine

PASSING = [
    Case("429 with `Retry-After: 1`, then an answer", (fault(429, "slow down", {"retry-after": "1"}), GOOD), 2,
         at_least=1.0),
    Case("429 with `retry-after-ms: 300`, then an answer", (fault(429, "slow", {"retry-after-ms": "300"}), GOOD), 2,
         at_least=0.3),
    Case("429 with a Retry-After that is a date one second later",
         (fault(429, "slow", {"retry-after": "Thu, 01 Jan 2032 00:00:01 GMT", "date": "Thu, 01 Jan 2032 00:00:00 GMT"}),
          GOOD), 2, at_least=1.0),
    Case("429 without Retry-After, then an answer", (fault(429, "slow down"), GOOD), 2, at_least=0.25),
    Case("429 with `Retry-After: soon`, then an answer", (fault(429, "x", {"retry-after": "soon"}), GOOD), 2),
    Case("429 with `Retry-After: 3600`", (fault(429, "slow down", {"retry-after": "3600"}),), 1, "failed",
         "answered 429: slow down (it wants to be asked again in 3600 s)"),
    Case("500, then an answer", (fault(500, "oops"), GOOD), 2),
    Case("503 with `Retry-After: 1`, for ever", (fault(503, "overloaded", {"retry-after": "1"}),), 2, "failed",
         "answered 503: overloaded (asked 2 times in", {"patience": 1.9}),
    Case("500 with `x-should-retry: false`", (fault(500, "never", {"x-should-retry": "false"}),), 1, "failed",
         "answered 500: never"),
    Case("no answer in time, then an answer", (Reply({}, delay=1.6), GOOD), 2, options={"timeout": 1}),
    Case("no answer in time, for ever", (Reply({}, delay=1.6),), 1, "failed", "within 1 s (asked once)", QUICK),
    Case("a byte every 20 ms, for ever", (Reply("x" * 200, way="drip"),), 1, "failed", "within 1 s (asked once)",
         QUICK),
    Case("the connection closed, then an answer", (Reply({}, way="closed"), GOOD), 2),
    Case("the connection closed, for ever", (Reply({}, way="closed"),), 1, "failed", "cannot reach", NO_PATIENCE),
    Case("half a response, then an answer", (Reply(GOOD.body, way="cut"), GOOD), 2),
    Case("headers of a byte every 20 ms, for ever", (Reply("", way="drip headers"),), 1, "failed",
         "within 1 s (asked once)", QUICK),
    Case("500 whose body is a byte every 20 ms, for ever", (Reply("x" * 200, 500, way="drip"),), 1, "failed",
         "within 1 s (asked once)", QUICK),
    Case("64 MiB in a few bytes of gzip", (Reply(BOMB, headers=GZIP),), 1, "failed", "answered with more than 4 MiB",
         NO_PATIENCE),
    Case("500 with 64 MiB in a few bytes of gzip", (Reply(BOMB, 500, headers=GZIP),), 1, "failed",
         "answered with more than 4 MiB", NO_PATIENCE),
    Case("an answer in gzip", (Reply(gzip.compress(GOOD.encoded()), headers=GZIP),), 1),
    Case("gzip that is none", (Reply("x" * 99, headers=GZIP),), 1, "failed", "answered with gzip that is broken",
         NO_PATIENCE),
    Case("a packing that nobody asked for", (Reply("x", headers={"content-encoding": "br"}),), 1, "failed",
         "answered with data packed as 'br', which nobody asked for", NO_PATIENCE),
    Case("429 with a Retry-After of a day", (fault(429, "slow down", {"retry-after": "86400"}),), 1, "failed",
         "it wants to be asked again in 86400 s"),
    Case("five megabytes", (Reply("x" * (5 << 20)),), 1, "failed", "answered with more than 4 MiB", NO_PATIENCE),
]  # fmt: skip

FINAL = [
    Case("429 `insufficient_quota`", (fault(429, "no credit", code="insufficient_quota"),), 1, "stopped",
         "says that the quota is used up: no credit; raise it there; the same command goes on from here"),
    Case("401 that echoes the key", (fault(401, f"Incorrect API key provided: {KEY}"),), 1, "stopped",
         "refuses the API key (401); set OPENAI_API_KEY, or name a file that holds the key"),
    Case("403", (fault(403, f"not for {KEY}"),), 1, "stopped", "refuses access to model 'm' (403): not for ***"),
    Case("404 for a model that is gone", (fault(404, "The model `m` does not exist"),), 1, "stopped",
         "knows no model 'm', or has no such address (404); type -o gpt3.model=NAME (it offers large-model, "
         "small-model), or correct OPENAI_BASE_URL"),
    Case("400: the model itself is refused", (fault(400, "bad name", param="model"),), 1, "stopped",
         "model 'm' refuses model: bad name"),
]  # fmt: skip

REFUSED = [
    Case("400 `unsupported_value` for temperature",
         (fault(400, "Only 1 is supported", code="unsupported_value", param="temperature"), GOOD), 2),
    Case("400 `unsupported_parameter` for max_tokens",
         (fault(400, "Use 'max_completion_tokens'", code="unsupported_parameter", param="max_tokens"), GOOD), 2,
         options={"max_tokens": 256}),
    Case("400 that names temperature only in its message",
         (fault(400, "this model does not support ['temperature']"), GOOD), 2),
    Case("400: the question is too long", (fault(400, "too long", code="context_length_exceeded"),), 1, "failed",
         "answered 400: too long"),
]  # fmt: skip

MALFORMED = [
    Case("200 with cut JSON", (Reply('{"choices": [{"mess'),), 2, "failed", "something that is no JSON"),
    Case("200 with a web page", (Reply("<html>Sign in</html>", type="text/html"),), 2, "failed",
         "no JSON: '<html>Sign in</html>'"),
    Case("200 with a web page, then an answer", (Reply("<html>Sign in</html>", type="text/html"), GOOD), 2),
    Case("200 with `choices: []`", (Reply({"choices": []}),), 2, "failed", "the endpoint's answer holds no text"),
    Case("200 with `choices: null`", (Reply({"choices": None}),), 2, "failed", "holds no text"),
    Case('200 with `{"error": ...}`', (Reply({"error": {"message": "overloaded"}}),), 2, "failed",
         "the endpoint answered with an error: overloaded"),
    Case("200 with an error of code 429, then an answer", (in_a_200("slow down", code=429), GOOD), 2),
    Case("200 with an error of code 401", (in_a_200(f"bad key {KEY}", code=401),), 1, "stopped",
         "refuses the API key (401)"),
    Case("200 with `insufficient_quota`", (in_a_200("no credit", code="insufficient_quota"),), 1, "stopped",
         "says that the quota is used up: no credit"),
    Case("200 with `model_not_found`", (in_a_200("gone", code="model_not_found"),), 1, "stopped", "knows no model 'm'"),
    Case("200 with an error that is a text", (Reply({"error": "out of memory"}),), 2, "failed",
         "the endpoint answered with an error: out of memory"),
    Case("200 with an error in the choice", (Reply({"choices": [{"error": {"message": "no luck"}}]}),), 2, "failed",
         "the endpoint answered with an error: no luck"),
    Case("content as a list of parts", (chat([{"type": "thinking", "thinking": "1. hm"}, *PARTS]),), 1),
    Case("`finish_reason: length` before a word", (cut(None),), 2, "failed",
         "the reply was cut at its longest before it said anything (finish_reason: length)"),
    Case("`finish_reason: length` in the third phrase", (cut("1. one hand\n2. two hands\n3. a fl"),), 2,
         sees="2 of 5 phrases for 'waving', it was cut at its longest (finish_reason: length)"),
    Case("`finish_reason: length` in the thoughts", (cut("<think>\n1. one hand\n2. two"),), 2, "failed",
         "the reply holds no phrases, it was cut at its longest (finish_reason: length): '<think> 1. one hand'"),
    Case("200 with a list", (Reply([1, 2]),), 2, "failed", "holds no text"),
    Case("`content: null`", (chat(None),), 2, "failed", "holds no text"),
    Case("a blank answer", (chat("  "),), 2, "failed", "holds no text"),
    Case("`content_filter`", (Reply({"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}),),
         2, "failed", "content filter held the answer back"),
    Case("a refusal", (chat(None, refusal="I will not"),), 2, "failed", "the model refuses: I will not"),
    Case("a refusal in words", (chat("I'm sorry, I can't do that."),), 2, "failed",
         'the reply holds no phrases: "I\'m sorry'),
    Case("an essay", (chat(ESSAY * 5),), 2, "failed", "the reply holds no phrases: 'Applying cream is an"),
    Case("three of five phrases, then the same three", (chat("1. waving\n2. greeting\n3. saluting"),), 2,
         sees="3 of 5 phrases for 'waving'"),
    Case("three of five phrases, then five", (chat("1. one hand\n2. two hands\n3. a flag"), GOOD), 2),
    Case("one phrase five times", (chat("1. waving\n" * 5),), 2, sees="1 of 5 phrases for 'waving'"),
]  # fmt: skip

CASES = [*PASSING, *FINAL, *REFUSED, *MALFORMED]


def requests_for(server: Server, entry: str) -> list[dict[str, Any]]:
    """Return the requests that asked for an entry."""
    return [request for request in server.requests if f"of {entry} in" in str(request)]
