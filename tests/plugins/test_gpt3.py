"""`gpt3` against a real server on the loopback interface, and against recorded replies."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maxi_core import Failed, sandbox
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugins import discover
from maxi_core.recipe import from_env, from_flag, settle
from maxi_core.testing import contract
from maxi_plugins.gpt3 import Gpt3
from tests.plugins.loopback import LIST, Reply, Server, chat, fault, serving

KEY = "sk-canary-0123456789abcdef"
WAVING = ["waving slowly", "waving quickly", "waving again", "waving alone", "waving together"]

test_gpt3_keeps_the_contract = contract(
    lambda: Gpt3(Gpt3.Options(replay="sandbox")), questions=sandbox.dictionary()[:4]
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def gpt3(**options: Any) -> Gpt3:
    return Gpt3(Gpt3.Options(**({"model": "m"} | options)))


def test_an_endpoint_is_asked_with_the_papers_prompt_and_parameters(server: Server) -> None:
    assert list(gpt3().expand(["waving", "bowing"])) == [
        WAVING,
        [phrase.replace("waving", "bowing") for phrase in WAVING],
    ]
    content = "Generate 5 phrases to describe the action of waving in simple words."
    assert server.requests[0] == {
        "model": "m", "temperature": 0.4, "messages": [{"role": "user", "content": content}]
    }  # fmt: skip
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.keys == [KEY] * 2


def test_the_original_form_sends_the_prompt_itself(server: Server) -> None:
    server.answer = lambda prompt: Reply({"choices": [{"text": f"\n\n{LIST.format('waving')}", "index": 0}]})
    assert list(gpt3(provider="completions").expand(["waving"])) == [WAVING]
    assert server.paths == ["/v1/completions"]
    assert server.requests[0]["prompt"] == "Generate 5 phrases to describe the action of waving in simple words."
    assert server.requests[0]["max_tokens"] >= 100


def test_each_entry_is_asked_when_its_answer_is_wanted(server: Server) -> None:
    answers = gpt3().expand(iter(["waving", "bowing"]))
    assert server.requests == []
    next(answers)
    assert len(server.requests) == 1


def test_without_a_model_one_line_lists_what_the_endpoint_offers(server: Server) -> None:
    with pytest.raises(UsageError) as caught:
        list(gpt3(model=None).expand(["waving"]))
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


FAULTS = {
    "a refusal": (chat(None, refusal="I will not"), "the model refuses: I will not"),
    "a refusal in words": (chat("I'm sorry, I can't do that."), "the reply holds no phrases: \"I'm sorry"),
    "no choices": (Reply({"choices": []}), "holds no text"),
    "choices that are none": (Reply({"choices": None}), "holds no text"),
    "no content": (chat(None), "holds no text"),
    "a blank answer": (chat("  "), "holds no text"),
    "filtered": (
        Reply({"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}), "content filter"
    ),
    "an error with 200": (Reply({"error": {"message": "overloaded"}}), "answered with an error: overloaded"),
    "cut JSON": (Reply('{"choices": [{"mess'), "no JSON"),
    "a web page": (Reply("<html>Sign in</html>", type="text/html"), "no JSON: '<html>Sign in</html>'"),
    "a list": (Reply([1, 2]), "holds no text"),
    "too long a request": (fault(400, "too long", code="context_length_exceeded"), "answered 400: too long"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_entry_is_failed_and_the_others_go_on(name: str, server: Server) -> None:
    reply, reason = FAULTS[name]
    server.answer = lambda prompt: reply if "bowing" in prompt else chat(LIST.format("waving"))
    first, odd, last = gpt3().expand(["waving", "bowing", "waving"])
    assert isinstance(odd, Failed)
    assert reason in odd.reason
    assert "\n" not in odd.reason
    assert first == last == WAVING


ENDS = {
    "the key is refused": (fault(401, f"Incorrect API key provided: {KEY}."), "refuses the API key (401)"),
    "access is refused": (fault(403, f"not for {KEY}"), "refuses access to model 'm' (403): not for ***"),
    "the model is gone": (
        fault(404, "The model `m` does not exist"), "knows no model 'm', or has no such address (404); type -o "
        "gpt3.model=NAME (it offers large-model, small-model), or correct OPENAI_BASE_URL"
    ),
    "the quota is used up": (fault(429, "no credit", code="insufficient_quota"), "the quota is used up: no credit"),
    "a parameter is refused": (
        fault(400, "Only 1 is supported", code="unsupported_value", param="temperature"),
        "model 'm' refuses temperature: Only 1 is supported",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_what_every_entry_would_meet_ends_it_before_anything_else_is_asked(name: str, server: Server) -> None:
    reply, message = ENDS[name]
    server.answer = lambda prompt: reply
    with pytest.raises(MaxiError) as caught:
        list(gpt3().expand(["waving", "bowing"]))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    prompts = {request["messages"][0]["content"] for request in server.requests}
    assert len(prompts) == 1


def test_an_endpoint_that_is_not_there_is_failed_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as gone:
        monkeypatch.setenv("OPENAI_BASE_URL", gone.url)
    (answer,) = gpt3().expand(["waving"])
    assert isinstance(answer, Failed)
    assert answer.reason.startswith(f"cannot reach {gone.url}: ")


@pytest.mark.parametrize("name", ["the key is refused", "access is refused"])
def test_the_key_is_in_no_error_no_log_no_record_and_no_repr(
    name: str, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = iter([chat(f"1. waving\n2. saying {KEY}\n3. bowing"), ENDS[name][0]])
    server.answer = lambda prompt: next(answers)
    source = gpt3(record=tmp_path / "record.jsonl")
    with pytest.raises(MaxiError) as caught:
        list(source.expand(["waving", "bowing"]))
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in str(error) + repr(error)
        error = error.__cause__ or error.__context__
    assert caplog.records
    assert KEY not in caplog.text + (tmp_path / "record.jsonl").read_text() + repr(source._answerer)
    assert KEY not in repr(source.options) + str(source.fingerprint())


def test_a_missing_key_is_one_line_that_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"there is no API key; set OPENAI_API_KEY, or .*-o gpt3.api_key_file=FILE"):
        gpt3().fingerprint()


def test_the_key_may_come_from_a_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / "key").write_text("sk-of-a-file\n")
    assert list(gpt3(api_key_file=tmp_path / "key").expand(["waving"])) == [WAVING]
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
    asked = list(gpt3(record=record).expand(["waving", "bowing"]))
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/nobody")
    replayed = Gpt3(Gpt3.Options(replay=record))
    assert list(replayed.expand(["bowing", "waving"])) == asked[::-1]
    (missing,) = replayed.expand(["running"])
    assert missing == Failed(
        "record.jsonl holds no answer to 'Generate 5 phrases to describe the action of running in simple words.'"
    )


def test_each_exchange_is_in_the_file_before_the_next_is_asked(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    answers = gpt3(record=record).expand(["waving", "bowing"])
    next(answers)
    (row,) = [json.loads(line) for line in record.read_text().splitlines()]
    assert row["request"] == server.requests[0]
    assert row["response"]["choices"][0]["message"]["content"] == LIST.format("waving")


def test_a_record_goes_on_after_a_torn_line_which_replay_passes_over(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = tmp_path / "record.jsonl"
    record.write_text('{"request": {"messa')
    list(gpt3(record=record).expand(["waving"]))
    assert list(Gpt3(Gpt3.Options(replay=record)).expand(["waving"])) == [WAVING]
    assert "1 lines are no exchange, the first is line 1" in caplog.text


def test_of_two_answers_in_a_file_the_later_one_counts(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    server.answer = lambda prompt: chat("1. greeting")
    list(gpt3(record=record).expand(["waving"]))
    server.answer = lambda prompt: chat("1. saluting")
    list(gpt3(record=record).expand(["waving"]))
    assert list(Gpt3(Gpt3.Options(replay=record)).expand(["waving"])) == [["saluting"]]


def test_a_record_that_cannot_be_written_is_said_before_anything_is_paid(server: Server, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MaxiError, match="cannot record into .*folder: Is a directory"):
        list(gpt3(record=tmp_path / "folder").expand(["waving"]))
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
        Gpt3(Gpt3.Options(replay="sandbox", record=tmp_path / "record.jsonl")).fingerprint()


def test_the_sandboxs_replies_answer_its_whole_dictionary_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    answers = list(Gpt3(Gpt3.Options(replay="sandbox")).expand(sandbox.dictionary()))
    assert {len(answer) for answer in answers if isinstance(answer, list)} == {5}
    assert len(answers) == len(sandbox.dictionary())


def test_the_fingerprint_names_the_endpoint_without_credentials_or_the_replayed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://user:{KEY}@models.example/v1/?key={KEY}")
    assert gpt3().fingerprint()["endpoint"] == "https://models.example/v1"
    lines = sandbox.replies_file().read_text(encoding="utf-8")
    (tmp_path / "one.jsonl").write_text(lines)
    (tmp_path / "two.jsonl").write_text(lines + lines)
    one, two = (Gpt3(Gpt3.Options(replay=tmp_path / name)).fingerprint() for name in ("one.jsonl", "two.jsonl"))
    assert one["replay"] == Gpt3(Gpt3.Options(replay="sandbox")).fingerprint()["replay"] != two["replay"]


def test_the_fingerprint_of_a_recording_source_writes_nothing(server: Server, tmp_path: Path) -> None:
    gpt3(record=tmp_path / "record.jsonl").fingerprint()
    assert list(tmp_path.iterdir()) == []
    assert server.paths == []
