"""`maxi env --llm`: what an endpoint says of itself and of the model, without a question that costs money."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER
from tests.plugins.loopback import Reply, Server, fault, serving

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def test_nothing_is_asked_without_the_flag(maxi, server: Server) -> None:
    assert "llm" not in json.loads(maxi("env", "--json").out)
    assert server.paths == []


def test_the_models_are_listed_and_the_own_one_is_among_them(maxi, server: Server) -> None:
    ran = maxi("env", "--llm", "--json", "-o", "gpt3.model=large-model")
    assert ran.code == ExitCode.DONE
    assert json.loads(ran.out)["llm"] == {
        "gpt3.address": server.url,
        "gpt3.model": "large-model",
        "gpt3.models": "large-model, small-model",
        "vlm.model": "none: type -o vlm.model=NAME or set MAXI_VLM_MODEL",
    }
    ran = maxi("env", "--llm", "--json", "-o", "vlm.model=gone")
    assert "does not list the model 'gone'" in json.loads(ran.out)["llm"]["vlm.error"]
    assert set(server.paths) == {"/v1/models"}


def test_without_a_model_it_says_how_to_name_one(maxi, server: Server) -> None:
    ran = maxi("env", "--llm")
    assert ran.code == ExitCode.DONE
    assert "  gpt3.model               none: type -o gpt3.model=NAME or set MAXI_GPT3_MODEL" in ran.out


def test_a_model_with_a_last_day_is_warned_of(maxi, server: Server) -> None:
    server.shut_down = {"large-model": "2027-01-31"}
    ran = maxi("env", "--llm", "-o", "gpt3.model=large-model")
    assert ran.code == ExitCode.DONE
    assert "gpt3.warning             the model is shut down on 2027-01-31: choose another gpt3.model in time" in ran.out
    assert "warning" not in maxi("env", "--llm", "-o", "gpt3.model=small-model").out


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (None, "does not list the model 'gone' (it offers large-model, small-model); choose another gpt3.model"),
        (fault(401, f"Incorrect API key provided: {KEY}"), "refuses the API key (401); set OPENAI_API_KEY"),
        (fault(503, "overloaded"), "answered 503: overloaded; see OPENAI_BASE_URL and OPENAI_API_KEY"),
        (fault(404, "no such page"), "has no such address (404)"),
        (Reply("<html>", type="text/html"), "it answered with something that is no list of models"),
        (Reply({"data": None}), "does not list the model 'gone'"),
        (Reply([]), "it answered with something that is no list of models"),
        (Reply({"data": [{"id": None}, 3]}), "no list of models"),
        (Reply({}, way="closed"), "cannot reach"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_an_error_in_the_report(maxi, server: Server, listing, message) -> None:
    server.listing = listing
    for arguments in (("--json",), ()):
        ran = maxi("--log-level", "debug", "env", "--llm", "-o", "gpt3.model=gone", *arguments)
        assert ran.code == ExitCode.FAILED
        assert message in ran.out
        assert KEY not in ran.out + ran.err


def test_a_missing_key_and_an_endpoint_that_is_not_there_are_errors_in_the_report(maxi, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "gpt3.error               there is no API key; set OPENAI_API_KEY" in maxi("env", "--llm").out
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ran = maxi("env", "--llm")
    assert ran.code == ExitCode.FAILED
    assert "gpt3.error               cannot reach http://127.0.0.1:9/v1: " in ran.out


def test_a_replay_needs_no_network(maxi) -> None:
    ran = maxi("env", "--llm", "--json", "-o", "gpt3.replay=sandbox")
    assert ran.code == ExitCode.DONE
    said = json.loads(ran.out)["llm"]
    assert (Path(said["gpt3.replay"]).name, said["gpt3.network"]) == ("replies.jsonl", "none is needed")


PROBED = EXPANDER.format(name="probed").replace(
    "def expand", "def probe(self):\n            {body}\n        def expand", 1
)


@pytest.mark.parametrize(
    ("body", "row", "code"),
    [
        ("return {'server': 'well'}", "probed.server            well", ExitCode.DONE),
        ("raise ValueError('no luck')", "probed.error             raised ValueError: no luck", ExitCode.FAILED),
        ("raise SystemExit(0)", "probed.error             called sys.exit(0)", ExitCode.FAILED),
    ],
)
def test_a_strangers_source_is_tried_like_a_built_in_one(maxi, fake_dist, body, row, code) -> None:
    fake_dist("probed", PROBED.replace("{body}", body))
    ran = maxi("env", "--llm", "-o", "gpt3.replay=sandbox")
    assert ran.code == code
    assert row in ran.out
