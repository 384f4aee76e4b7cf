"""The machinery around a language model serves any source, and speaks of the one that asks by its label."""

import logging
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import maxi_plugins.llm
from maxi_core import Expander, Failed
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.catalog import discover
from maxi_core.recipe.parts import find_instance
from maxi_plugins.gpt3 import Gpt3
from maxi_plugins.llm import retry
from maxi_plugins.llm.budget import BudgetError
from maxi_plugins.llm.cache import Replay
from maxi_plugins.llm.exchange import Exchange, Request, reply_text
from maxi_plugins.llm.model import LanguageModel, client_of
from maxi_plugins.llm.options import ModelOptions
from tests.plugins.asking import expanded
from tests.plugins.loopback import LIST, Server, chat, entry_of, fault, in_turn, serving

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def labelled(**options: Any) -> Gpt3:
    """Return the source as a recipe makes it that names `gpt3#llama`."""
    made = find_instance(discover(only=["gpt3"]), "gpt3#llama").make(Gpt3.Options(**({"model": "m"} | options)))
    assert isinstance(made, Gpt3)
    return made


def test_no_file_of_the_machinery_knows_a_source_by_name() -> None:
    for path in Path(maxi_plugins.llm.__path__[0]).glob("*.py"):
        assert not re.search("gpt-?3|blip", path.read_text(encoding="utf-8"), re.IGNORECASE), path.name


@pytest.mark.parametrize("cap", ["cap_calls", "cap_tokens"])
def test_a_labelled_source_names_its_own_cap(server: Server, cap: str) -> None:
    with pytest.raises(BudgetError, match=rf"^gpt3#llama has .* gpt3#llama\.{cap} is 0; type -o gpt3#llama\.{cap}="):
        expanded(labelled(**{cap: 0}), ["waving"])


def test_a_labelled_source_without_a_model_is_told_of_no_variable_since_none_sets_it(server: Server) -> None:
    with pytest.raises(UsageError, match="^gpt3#llama has no model.*; type -o gpt3#llama.model=NAME$"):
        labelled(model=None).open()
    assert labelled(model=None).probe()["model"] == "none: type -o gpt3#llama.model=NAME"


def test_a_labelled_source_without_a_key_names_its_own_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="-o gpt3#llama.api_key_file=FILE"):
        labelled().open()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (fault(401, "no"), "-o gpt3#llama.api_key_file=FILE"),
        (fault(403, "no"), "choose another gpt3#llama.model"),
        (fault(404, "no"), "type -o gpt3#llama.model=NAME (it offers large-model, small-model)"),
        (fault(400, "bad name", param="model"), "choose another gpt3#llama.model or value"),
    ],
    ids=lambda value: str(value.status) if hasattr(value, "status") else "",
)
def test_an_endpoint_that_refuses_a_labelled_source_leads_to_its_own_options(server: Server, reply, said: str) -> None:
    server.answer = lambda prompt: reply
    with pytest.raises(MaxiError) as caught:
        expanded(labelled(), ["waving"])
    assert said in str(caught.value)


def test_files_that_cannot_be_used_lead_to_the_options_of_the_labelled_source(server: Server, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for options, said in (
        ({"record": tmp_path / "folder"}, "choose another gpt3#llama.record"),
        ({"exchanges": tmp_path / "file"}, "choose another gpt3#llama.exchanges"),
        ({"replay": tmp_path / "file"}, "written by -o gpt3#llama.record"),
        ({"replay": tmp_path / "file", "record": tmp_path / "x"}, "gpt3#llama.replay asks nobody"),
    ):
        with pytest.raises(MaxiError, match=said):
            expanded(labelled(**options), ["waving"])
    assert server.requests == []


def test_the_log_says_which_source_was_refused_a_parameter_or_answered_short(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maxi")
    refusal = fault(400, "Only 1 is supported", code="unsupported_value", param="temperature")
    server.answer = in_turn(fault(500, "oops"), refusal, chat("1. waving"))
    expanded(labelled(), ["waving"])
    for said in ("500: oops; asking again in", "the model refuses temperature", "1 of 5 phrases for 'waving'"):
        (line,) = [record.getMessage() for record in caplog.records if said in record.getMessage()]
        assert line.startswith("gpt3#llama: ")


def test_a_question_that_waits_long_is_said_aloud_and_not_at_each_try(
    server: Server, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "SAID_EVERY", 0.5)
    monkeypatch.setattr(retry, "_pause", lambda *_: 0.05)  # without its jitter: twenty tries last about a second
    server.answer = in_turn(*(fault(500, "oops") for _ in range(20)), chat("1. waving"))
    expanded(labelled(), ["waving"])
    said = [line for line in logged if "oops; asking again in" in line]
    assert 1 <= len(said) <= 10


def test_two_labels_with_the_same_model_and_prompt_share_what_was_paid_for(server: Server) -> None:
    assert expanded(Gpt3(Gpt3.Options(model="m")), ["waving"]) == expanded(labelled(), ["waving"])
    assert len(server.requests) == 1


class Rhymes(Expander):
    """Another source that asks a language model: its prompt, how it reads a reply, and nothing else."""

    name = "rhymes"
    batch = 1
    Options = ModelOptions

    def open(self) -> None:
        if isinstance(self._client, LanguageModel):
            self._client.open(self.concurrency)

    def close(self) -> None:
        if isinstance(self._client, LanguageModel):
            self._client.close()

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        return [self._read(self._client.ask(self._request(entry))) for entry in entries]

    def _read(self, exchange: Exchange | Failed) -> list[str] | Failed:
        said = exchange if isinstance(exchange, Failed) else reply_text(exchange.response)
        return said if isinstance(said, Failed) else said.split(", ")

    def _request(self, entry: str) -> Request:
        return {"model": self.options.model, "messages": [{"role": "user", "content": f"What rhymes with {entry}?"}]}

    @cached_property
    def _client(self) -> LanguageModel | Replay:
        return client_of(self, self._request("{entry}"), lambda response: isinstance(reply_text(response), str))


def test_another_source_is_a_prompt_and_a_way_to_read_and_has_all_the_rest(server: Server, tmp_path: Path) -> None:
    server.answer = in_turn(fault(500, "oops"), chat("saving, craving"))
    record = tmp_path / "record.jsonl"
    answer = ["saving", "craving"]
    assert expanded(Rhymes(ModelOptions(model="m", record=record)), ["waving"]) == [answer]
    assert expanded(Rhymes(ModelOptions(model="m")), ["waving"]) == [answer]
    assert expanded(Rhymes(ModelOptions(replay=record)), ["waving"]) == [answer]
    assert len(server.requests) == 2
    (folder,) = (Path(os.environ["MAXI_HOME"]) / "exchanges").iterdir()
    assert folder.name.startswith("rhymes-")
    with pytest.raises(BudgetError, match="type -o rhymes.cap_calls=MORE"):
        expanded(Rhymes(ModelOptions(model="m", cap_calls=1)), ["bowing"])
    with pytest.raises(UsageError, match="type -o rhymes.model=NAME or set MAXI_RHYMES_MODEL"):
        expanded(Rhymes(), ["bowing"])


def test_two_sources_that_ask_one_endpoint_share_no_replies(server: Server) -> None:
    server.answer = lambda prompt: chat(LIST.format(entry_of(prompt)))
    expanded(Gpt3(Gpt3.Options(model="m")), ["waving"])
    expanded(Rhymes(ModelOptions(model="m")), ["waving"])
    assert len({path.name for path in (Path(os.environ["MAXI_HOME"]) / "exchanges").iterdir()}) == 2
