"""`gpt3` against a real server on the loopback interface, and against recorded replies."""

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maxi_core import Failed
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.catalog import discover
from maxi_core.recipe.recipe import from_env, from_file, from_flag, settle
from maxi_core.settings.option_types import inline
from maxi_core.testing import contract
from maxi_plugins.gpt3 import Gpt3
from maxi_sandbox import Sandbox
from tests.plugins.asking import expanded, opened
from tests.plugins.loopback import LIST, Reply, Server, chat, fault, in_turn, serving
from tests.plugins.misbehaviour import requests_for

KEY = "sk-canary-0123456789abcdef"
WAVING = ["waving slowly", "waving quickly", "waving again", "waving alone", "waving together"]

test_gpt3_keeps_the_contract = contract(
    lambda: Gpt3(Gpt3.Options(replay=Sandbox().replies())), questions=Sandbox().dictionary()[:4]
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def gpt3(**options: Any) -> Gpt3:
    return Gpt3(Gpt3.Options(**({"model": "m"} | options)))


def test_one_name_goes_into_a_call_and_24_calls_are_under_way_at_once() -> None:
    assert (Gpt3.batch, Gpt3.concurrency) == (1, 24)
    assert not {"batch", "concurrency"} & set(Gpt3.Options.model_fields)


def test_an_endpoint_is_asked_with_the_papers_prompt_and_parameters(server: Server) -> None:
    assert expanded(gpt3(), ["waving", "bowing"]) == [
        WAVING,
        [phrase.replace("waving", "bowing") for phrase in WAVING],
    ]
    content = "Generate 5 phrases to describe the action of waving in simple words."
    assert requests_for(server, "waving")[0] == {
        "model": "m", "temperature": 0.4, "messages": [{"role": "user", "content": content}]
    }  # fmt: skip
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.keys == [KEY] * 2


def test_the_original_form_sends_the_prompt_itself(server: Server) -> None:
    server.answer = lambda prompt: Reply({"choices": [{"text": f"\n\n{LIST.format('waving')}", "index": 0}]})
    assert expanded(gpt3(provider="completions"), ["waving"]) == [WAVING]
    assert server.paths == ["/v1/completions"]
    assert server.requests[0]["prompt"] == "Generate 5 phrases to describe the action of waving in simple words."
    assert server.requests[0]["max_tokens"] >= 100


def test_further_fields_are_sent_as_they_are_and_decide_the_answer(server: Server) -> None:
    extra = {"reasoning_effort": "low", "seed": 1, "top_p": 0.5, "chat_template_kwargs": {"enable_thinking": False}}
    assert expanded(gpt3(extra=extra), ["waving"]) == [WAVING]
    assert {name: server.requests[0][name] for name in extra} == extra
    assert gpt3(extra=extra).fingerprint() != gpt3().fingerprint()


@pytest.mark.parametrize(
    "text", ['{reasoning_effort = "low", stop = ["6."]}', '{seed = 1, reasoning = {effort = "low"}}']
)
def test_further_fields_may_be_typed_or_stand_in_a_recipe(text: str, tmp_path: Path) -> None:
    catalog = discover(only=["gpt3"])
    typed = settle(catalog, [from_flag(f"gpt3.extra={text}")])
    (tmp_path / "maxi.toml").write_text(f"[gpt3]\nextra = {text}\n")
    read = settle(catalog, from_file(tmp_path / "maxi.toml"))
    again = settle(catalog, [from_flag("gpt3.extra=" + inline(typed.make(catalog, "gpt3").options.extra))])
    extras = [recipe.make(catalog, "gpt3").options.extra for recipe in (typed, read, again)]
    assert extras == [tomllib.loads(f"extra = {text}")["extra"]] * 3


@pytest.mark.parametrize("name", ["model", "messages", "stream", "temperature", "api_key"])
def test_a_further_field_that_is_none_is_one_line(name: str) -> None:
    catalog = discover(only=["gpt3"])
    with pytest.raises(UsageError, match=f"'{name}' is") as caught:
        settle(catalog, [from_flag(f"gpt3.extra={{{name} = 'x'}}")])
    assert "\n" not in str(caught.value)


def test_a_further_field_that_the_model_refuses_ends_the_run(server: Server) -> None:
    server.answer = lambda prompt: fault(400, "not for this model", param="reasoning_effort")
    with pytest.raises(MaxiError, match="model 'm' refuses reasoning_effort: not for this model"):
        expanded(gpt3(extra={"reasoning_effort": "low"}), ["waving"])


def test_a_retry_after_of_a_day_holds_no_other_question_up(server: Server) -> None:
    refused, answered = fault(429, "slow down", {"retry-after": "86400"}), chat(LIST.format("bowing"))
    server.answer = lambda prompt: refused if "waving" in prompt else answered  # whichever is asked first
    began = time.monotonic()
    first, second = expanded(gpt3(), ["waving", "bowing"])
    assert isinstance(first, Failed)
    assert isinstance(second, list)
    assert time.monotonic() - began < 20


def test_opening_asks_nothing(server: Server) -> None:
    with opened(gpt3()) as source:
        assert server.requests == []
        source.expand(["waving"])
        assert len(server.requests) == 1


def test_without_a_model_one_line_lists_what_the_endpoint_offers(server: Server) -> None:
    with pytest.raises(UsageError) as caught:
        expanded(gpt3(model=None), ["waving"])
    assert str(caught.value) == (
        "gpt3 has no model, and none is built in (it offers large-model, small-model); "
        "type -o gpt3.model=NAME or set MAXI_GPT3_MODEL"
    )
    assert server.requests == []


def test_without_a_model_a_silent_endpoint_is_no_fault_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as gone:
        monkeypatch.setenv("OPENAI_BASE_URL", gone.url)
    with pytest.raises(UsageError, match="gpt3 has no model, and none is built in; type -o gpt3.model=NAME"):
        gpt3(model=None).fingerprint()


def test_the_model_may_come_from_the_environment() -> None:
    catalog = discover(only=[])
    settings = [*from_env({"MAXI_GPT3_MODEL": "from-env"}, catalog), from_flag("gpt3.temperature=0.2")]
    made = settle(catalog, settings).make(catalog, "gpt3")
    assert (made.options.model, made.options.temperature) == ("from-env", 0.2)


def test_a_missing_key_is_one_line_that_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"there is no API key; set OPENAI_API_KEY, or .*-o gpt3.api_key_file=FILE"):
        gpt3().fingerprint()


def test_the_key_may_come_from_a_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / "key").write_text("sk-of-a-file\n")
    assert expanded(gpt3(api_key_file=tmp_path / "key"), ["waving"]) == [WAVING]
    assert server.keys == ["sk-of-a-file"]


@pytest.mark.parametrize("content", ["", "two words", "schl\u00fcssel"])
def test_a_file_without_a_key_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(UsageError, match="holds no API key"):
        gpt3(api_key_file=tmp_path / "key").fingerprint()


def test_what_was_recorded_is_replayed_without_network_model_and_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "new" / "record.jsonl"
    asked = expanded(gpt3(record=record), ["waving", "bowing"])
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/nobody")
    replayed = Gpt3(Gpt3.Options(replay=record))
    assert expanded(replayed, ["bowing", "waving"]) == asked[::-1]
    (missing,) = expanded(replayed, ["running"])
    assert missing == Failed(
        "record.jsonl holds no answer to 'Generate 5 phrases to describe the action of running in simple words.'"
    )


def test_each_exchange_is_in_the_file_when_its_answer_is_given(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with opened(gpt3(record=record)) as source:
        source.expand(["waving"])
        rows = [json.loads(line) for line in record.read_text().splitlines()]
    (row,) = [row for row in rows if row["request"] in requests_for(server, "waving")]
    assert row["response"]["choices"][0]["message"]["content"] == LIST.format("waving")


def test_a_record_goes_on_after_a_torn_line_which_replay_passes_over(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = tmp_path / "record.jsonl"
    record.write_text('{"request": {"messa')
    expanded(gpt3(record=record), ["waving"])
    assert expanded(Gpt3(Gpt3.Options(replay=record)), ["waving"]) == [WAVING]
    assert "1 line is no exchange, the first is line 1" in caplog.text


def test_of_two_answers_in_a_file_the_later_one_counts(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    server.answer = lambda prompt: chat("1. greeting")
    expanded(gpt3(record=record, exchanges=tmp_path / "one"), ["waving"])
    server.answer = lambda prompt: chat("1. saluting")
    expanded(gpt3(record=record, exchanges=tmp_path / "two"), ["waving"])
    assert expanded(Gpt3(Gpt3.Options(replay=record)), ["waving"]) == [["saluting"]]


def test_what_was_asked_once_more_is_replayed_as_it_was(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    server.answer = in_turn(chat("1. one hand\n2. two hands"), chat("1. two hands\n2. a flag"))
    assert expanded(gpt3(record=record), ["waving"]) == [["one hand", "two hands", "a flag"]]
    assert [json.loads(line).get("turn", 0) for line in record.read_text().splitlines()] == [0, 1]
    assert expanded(Gpt3(Gpt3.Options(replay=record)), ["waving"]) == [["one hand", "two hands", "a flag"]]


def test_what_is_known_already_is_recorded_too(server: Server, tmp_path: Path) -> None:
    expanded(gpt3(), ["waving"])
    expanded(gpt3(record=tmp_path / "record.jsonl"), ["waving", "bowing"])
    assert len(server.requests) == 2
    assert len((tmp_path / "record.jsonl").read_text().splitlines()) == 2


def test_a_record_that_cannot_be_written_is_said_before_anything_is_paid(server: Server, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MaxiError, match="cannot record into .*folder: Is a directory"):
        expanded(gpt3(record=tmp_path / "folder"), ["waving"])
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("", "holds no exchange"), ("no JSON\n[]\n{}", "holds no exchange")],
)
def test_a_file_that_cannot_be_replayed_is_one_line(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "replies.jsonl").write_text(content)
    with pytest.raises(UsageError, match=message):
        Gpt3(Gpt3.Options(replay=tmp_path / "replies.jsonl")).fingerprint()


def test_replay_and_record_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to record"):
        Gpt3(Gpt3.Options(replay=Sandbox().replies(), record=tmp_path / "record.jsonl")).fingerprint()


def test_the_sandboxs_replies_answer_its_whole_dictionary_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    answers = expanded(Gpt3(Gpt3.Options(replay=Sandbox().replies())), Sandbox().dictionary())
    assert {len(answer) for answer in answers if isinstance(answer, list)} == {5}
    assert len(answers) == len(Sandbox().dictionary())


def test_the_fingerprint_is_the_request_and_not_the_address_or_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    prints = []
    for url in (f"https://user:{KEY}@models.example/v1/?key={KEY}", "http://127.0.0.1:12345/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        prints.append(gpt3().fingerprint())
    assert prints[0] == prints[1]
    assert KEY not in str(prints)
    assert "models.example" not in str(prints)
    others = [{"model": "n"}, {"provider": "completions"}, {"temperature": 0.5}, {"phrases": 4}, {"max_tokens": 99}]
    assert all(gpt3(**other).fingerprint() != prints[0] for other in others)
    effort = {"cap_calls": 4, "cap_tokens": 5, "timeout": 6, "patience": 7, "exchanges": "x"}
    assert gpt3(**effort).fingerprint() == prints[0]
    assert set(effort) < set(Gpt3.Options.EFFORT)


def test_the_fingerprint_of_a_replay_is_that_of_the_content(tmp_path: Path) -> None:
    lines = Sandbox().replies().read_text(encoding="utf-8")
    (tmp_path / "one.jsonl").write_text(lines)
    (tmp_path / "two.jsonl").write_text(lines + lines)
    one, two = (Gpt3(Gpt3.Options(replay=tmp_path / name)).fingerprint() for name in ("one.jsonl", "two.jsonl"))
    assert one["replay"] == Gpt3(Gpt3.Options(replay=Sandbox().replies())).fingerprint()["replay"] != two["replay"]


@pytest.mark.parametrize("url", ["models.example/v1", "ftp://models.example", "http://", "http://[", "http://a:b/v1"])
def test_an_address_that_is_none_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(UsageError, match="OPENAI_BASE_URL is no address; it begins with http"):
        gpt3().fingerprint()


def test_a_short_reply_is_asked_for_once_more_unless_fewer_are_enough(server: Server) -> None:
    server.answer = in_turn(chat("1. one hand\n2. two hands\n3. a flag"))
    assert expanded(gpt3(least=3), ["waving"]) == [["one hand", "two hands", "a flag"]]
    assert len(server.requests) == 1
    source = gpt3()  # the first reply is known, so only the second is asked
    assert expanded(source, ["waving"]) == [["one hand", "two hands", "a flag"]]
    assert len(server.requests) == 2
    assert source.notes() == ["3 of 5 phrases for 'waving'"]


def test_the_fingerprint_of_a_recording_source_writes_nothing(server: Server, tmp_path: Path) -> None:
    gpt3(record=tmp_path / "record.jsonl").fingerprint()
    assert list(tmp_path.iterdir()) == []
    assert server.paths == []


def test_a_source_that_could_not_be_opened_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    source = gpt3()
    with pytest.raises(UsageError, match="there is no API key"):
        source.open()
    source.close()
