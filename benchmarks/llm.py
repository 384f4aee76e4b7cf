"""What `gpt3` does with a hostile endpoint, and how fast it is, against a real server on the loopback interface.

    python -m benchmarks.llm [--table]

Prints how long 400 action names take at 0.2 seconds a reply, asked one after the other and at once, in turns, and at
once where every fiftieth reply takes 4 seconds; with `--table` the table of misbehaviours of docs/sources.md instead,
each row from a run. Exits with 1 if 400 names take 10 seconds or more, or with the slow replies 12. No real endpoint is
asked.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import judge
from maxi_core import Failed
from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import TEXTS_OF_ENTRY
from maxi_core.bags.in_order import ask_texts
from maxi_core.errors import MaxiError
from maxi_core.system.store import Store
from maxi_plugins.gpt3 import Gpt3
from tests.plugins.loopback import LIST, Reply, Server, chat, entry_of, serving
from tests.plugins.misbehaviour import CASES, KEY, Case, requests_for

NAMES = 400
SECONDS = 0.2  # of a reply
GOAL = 10.0
SLOW, SLOW_SECONDS, SLOW_GOAL = 50, 4.0, 12.0  # every fiftieth reply takes so long
ROUNDS = 3
ALONE = 20  # names that are asked one after the other, scaled up


@contextmanager
def endpoint() -> Iterator[Server]:
    """Run a server that the environment names, with a MAXI_HOME of its own."""
    with tempfile.TemporaryDirectory() as home, serving(Server()) as server:
        os.environ |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url, "MAXI_HOME": home}
        yield server


def gpt3(**options: Any) -> Gpt3:
    """Return the source with a model."""
    return Gpt3(Gpt3.Options(**{"model": "m", **options}))


def answers(source: Gpt3, names: Sequence[str]) -> list[list[str] | Failed]:
    """Ask the source as `maxi bags` does, with a store of its own."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), {}, costly=True) as store:
        asker = Asker(source, source.expand, Answers(source.label, TEXTS_OF_ENTRY, store), strict=False)
        try:
            return [answer for _, answer in ask_texts(asker, names)]
        finally:
            asker.close()


class Heard(logging.Handler):
    """Keeps the warnings of a run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(record.getMessage())


def row(case: Case) -> str:
    """Run one misbehaviour and return its row: what the server says, requests sent, what the user sees."""
    heard = Heard()
    logger = logging.getLogger("maxi")
    logger.addHandler(heard)
    with endpoint() as server:
        server.answer = case.answer()
        try:
            _, odd, _ = answers(gpt3(**case.options), ["bowing", "waving", "running"])
        except MaxiError as error:
            seen = f"the run ends, exit {int(error.exit_code)}: {error}"
        else:
            seen = f"skipped: {odd.reason}" if isinstance(odd, Failed) else "; ".join(["phrases", *heard.lines])
        asked = len(requests_for(server, "waving"))
        seen = seen.replace(server.url, "ENDPOINT")
    logger.removeHandler(heard)
    cells = [case.says, str(asked), seen]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def seconds_for(names: int, concurrency: int, slow: int = 0) -> float:
    """Return the seconds that this many names take; each `slow`-th reply is a slow one."""

    def reply(prompt: str) -> Reply:
        entry = entry_of(prompt)
        late = slow and (int(entry.split()[-1]) + 1) % slow == 0
        return Reply(chat(LIST.format(entry)).body, delay=SLOW_SECONDS if late else SECONDS)

    with endpoint() as server:
        server.answer = reply
        source = gpt3()
        source.concurrency = concurrency
        began = time.perf_counter()
        said = answers(source, [f"action {place}" for place in range(names)])
        took = time.perf_counter() - began
    assert all(isinstance(answer, list) and len(answer) == 5 for answer in said)
    assert len(said) == names == sum(server.received.values())
    return took


def main(arguments: Sequence[str]) -> int:
    """Print the table, or the times; return 1 if a goal is missed."""
    if "--table" in arguments:
        print("| the server says | requests | the user sees |\n|---|---|---|")
        for case in CASES:
            print(row(case))
        return 0
    alone, at_once, with_slow = [], [], []
    default = Gpt3.concurrency
    for _ in range(ROUNDS):
        alone.append(seconds_for(ALONE, 1) * NAMES / ALONE)
        at_once.append(seconds_for(NAMES, default))
        with_slow.append(seconds_for(NAMES, default, SLOW))
    for name, times in (
        (f"one after the other (from {ALONE})", alone),
        (f"{default} at once", at_once),
        (f"{default} at once, every {SLOW}th reply {SLOW_SECONDS:g} s", with_slow),
    ):
        print(f"{NAMES} names, {name}: {median(times):.1f} s ({min(times):.1f} to {max(times):.1f})")
    print(f"{median(alone) / median(at_once):.1f} times as fast; ideal {default}")
    return judge(
        {
            f"seconds for {NAMES} names at {SECONDS} s a reply": (median(at_once), "<=", GOAL),
            f"seconds for {NAMES} names, every {SLOW}th {SLOW_SECONDS:g} s": (median(with_slow), "<=", SLOW_GOAL),
        }
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
