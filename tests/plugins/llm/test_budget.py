"""What `gpt3` spends: caps that are never crossed, over runs and processes, and a count that survives a kill."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maxi_core.errors import ExitCode, MaxiError
from maxi_plugins.gpt3 import Gpt3
from maxi_plugins.llm.budget import LEDGER, UNKNOWN_REPLY, Budget, BudgetError, count_tokens
from tests.plugins.asking import expand_into
from tests.plugins.loopback import LIST, Server, chat, entry_of, fault, in_turn, serving

KEY = "sk-canary-0123456789abcdef"
ENTRIES = [f"action {place}" for place in range(40)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def gpt3(concurrency: int = Gpt3.concurrency, **options: Any) -> Gpt3:
    source = Gpt3(Gpt3.Options(**({"model": "m"} | options)))
    source.concurrency = concurrency
    return source


def heard(source: Gpt3, entries: list[str]) -> tuple[list[Any], MaxiError | None]:
    """Return the answers up to the end, and what ended them."""
    found: list[Any] = []
    try:
        expand_into(found, source, entries)
    except MaxiError as error:
        return found, error
    return found, None


@pytest.mark.parametrize("concurrency", [1, 8, 24])
def test_a_cap_on_calls_is_reached_and_not_crossed_and_a_higher_one_costs_nothing_twice(
    server: Server, concurrency: int
) -> None:
    answers, error = heard(gpt3(cap_calls=10, concurrency=concurrency), ENTRIES)
    assert isinstance(error, BudgetError)
    assert error.exit_code == ExitCode.CAPPED == 4
    assert str(error) == (
        "gpt3 has asked 10 times in all, and gpt3.cap_calls is 10; "
        "type -o gpt3.cap_calls=MORE; the same command goes on from here"
    )
    assert len(server.requests) == 10
    assert len(answers) <= 10
    assert isinstance(heard(gpt3(cap_calls=10), ENTRIES)[1], BudgetError)
    assert len(server.requests) == 10
    answers, error = heard(gpt3(cap_calls=40), ENTRIES)
    assert error is None
    assert len(answers) == 40
    assert len(server.requests) == 40
    assert set(server.received.values()) == {1}


def test_a_cap_on_tokens_is_reached_and_not_crossed(server: Server) -> None:
    _, error = heard(gpt3(cap_tokens=1000), ENTRIES)  # each exchange takes 100
    assert isinstance(error, BudgetError)
    assert "gpt3 has used 1000 tokens in all, the next question may take 100, and gpt3.cap_tokens is 1000" in str(error)
    assert len(server.requests) == 10


def test_a_cap_below_the_first_estimate_asks_nothing(server: Server) -> None:
    assert isinstance(heard(gpt3(cap_tokens=UNKNOWN_REPLY - 1), ENTRIES)[1], BudgetError)
    assert isinstance(heard(gpt3(cap_calls=0), ENTRIES)[1], BudgetError)
    assert server.requests == []


def test_with_max_tokens_a_cap_is_not_crossed_whatever_the_replies_take(server: Server) -> None:
    sizes = iter(range(20, 101, 20))
    server.answer = lambda prompt: chat(LIST.format(entry_of(prompt)), tokens=70 + next(sizes))
    used = 0
    for cap in (300, 400, 500):
        heard(gpt3(max_tokens=100, cap_tokens=cap), ENTRIES)
        used = sum(json.loads(line)["tokens"] for line in spent().read_text().splitlines())
        assert used <= cap
    assert used > 200


def spent() -> Path:
    (path,) = Path(os.environ["MAXI_HOME"]).glob(f"exchanges/*/{LEDGER}")
    return path


def test_what_is_refused_is_not_counted_and_what_may_have_been_paid_is(server: Server) -> None:
    server.answer = in_turn(fault(500, "oops"), fault(429, "slow", {"retry-after": "0"}), chat(LIST.format("waving")))
    assert heard(gpt3(), ["waving"])[1] is None
    assert len(server.requests) == 3
    budget = Budget("gpt3", spent().parent, cap_calls=1)
    with pytest.raises(BudgetError, match="asked 1 time in all"):
        budget.reserve({})
    server.answer = lambda prompt: chat(LIST.format("x"))
    assert isinstance(heard(gpt3(cap_calls=1), ["bowing"])[1], BudgetError)


def test_replies_that_were_useless_count(server: Server) -> None:
    server.answer = lambda prompt: chat("I'm sorry")
    heard(gpt3(), ["waving"])
    assert len(server.requests) == 2
    with pytest.raises(BudgetError, match="asked 2 times"):
        Budget("gpt3", spent().parent, cap_calls=2).reserve({})


def test_two_processes_share_one_cap(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom maxi_plugins.llm.budget import Budget\n"
        "budget, count = Budget('gpt3', Path(sys.argv[1]), cap_calls=100), 0\n"
        "try:\n    while True:\n        budget.settle(budget.reserve({}), 7)\n        count += 1\n"
        "except Exception:\n    print(count)"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = [int(process.communicate()[0]) for process in both]
    assert sum(counts) == 100
    assert Budget("gpt3", tmp_path, cap_tokens=10**6).reserve({}) == 7


def test_a_torn_line_counts_as_a_call_and_the_next_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b'{"calls": 1, "tokens": 50, "reply": 50}\n{"calls": 1, "tok')
    Budget("gpt3", tmp_path).reserve({})
    budget = Budget("gpt3", tmp_path, cap_calls=3)
    with pytest.raises(BudgetError, match="asked 3 times in all"):
        budget.reserve({})
    assert budget.tokens == 150


@pytest.mark.parametrize("row", ["[]", "null", "7", '"x"', '{"calls": "many", "tokens": 1}', "{}"])
def test_a_line_that_is_no_count_counts_as_a_call(row: str, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text(row + "\n")
    with pytest.raises(BudgetError):
        Budget("gpt3", tmp_path, cap_calls=1).reserve({})


def test_a_count_that_cannot_be_written_is_said_before_anything_is_paid(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, error = heard(gpt3(exchanges=tmp_path / "file"), ["waving"])
    assert error is not None
    assert "choose another gpt3.exchanges" in str(error)
    assert server.requests == []


def test_tokens_are_those_that_the_endpoint_counts_or_guessed_by_letters() -> None:
    request = {"prompt": "x" * 40}
    assert count_tokens(request, chat("waving", tokens=123).body) == 123
    for usage in ({}, {"usage": None}, {"usage": {"total_tokens": None}}, {"usage": {"total_tokens": -5}}):
        assert count_tokens(request, {"choices": [{"text": "y" * 60}]} | usage) == 25
    assert count_tokens(request, "<html>") == 10
