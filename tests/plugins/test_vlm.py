"""`vlm` against a real server on the loopback interface that looks at the pictures it is sent."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxi_core import Clip, Failed, Sampling, Video
from maxi_core.errors import MaxiError
from maxi_core.testing import contract
from maxi_plugins.llm.budget import Budget, count_tokens
from maxi_plugins.llm.outcome import _retry_after
from maxi_plugins.llm.pictures import Picture, encoded, kept
from maxi_plugins.vlm import Vlm, picture
from tests.plugins.asking import opened
from tests.plugins.loopback import Reply, Server, chat, fault, in_turn, pictures, serving
from tests.plugins.misbehaviour import CASES, KEY, Case

ACTIONS = {"actions": ["pouring water", "drinking from a glass"]}
SAID = ["pouring water", "drinking from a glass"]
SHADES = [f"shade {40 * step} {40 * step}" for step in (1, 2, 3, 4)]  # of those that are answered so


def look(prompt: str) -> Reply:
    light = {"actions": ["moving in the light" if int(prompt.split()[1]) > 128 else "moving in the dark"]}
    return chat(json.dumps(ACTIONS if prompt in SHADES else light))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.fixture(autouse=True)
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", running.url)
    running.answer = look
    running.requests.clear()
    running.received.clear()
    running.most_at_once = 0
    return running


def vlm(**options: Any) -> Vlm:
    return Vlm(Vlm.Options(**({"model": "small-model", "frames": 3} | options)))


def clip(shade: int = 40, count: int = 3) -> Clip:
    """Return frames of one shade in which a bright bar moves to the right."""
    frames = np.full((count, 48, 64, 3), shade, np.uint8)
    for place, frame in enumerate(frames):
        frame[:10, 10 * place : 10 * place + 6] = 255
    return Clip(Video(f"{shade}.mp4", Path(f"{shade}.mp4")), frames)


def said(source: Vlm, *clips: Clip) -> list[list[str] | Failed]:
    """Return what a source says of clips, one in each call and `concurrency` calls at once."""
    with opened(source), ThreadPoolExecutor(source.concurrency) as pool:
        return [answer for answers in pool.map(lambda one: source.caption([one]), clips) for answer in answers]


test_vlm_keeps_the_contract = contract(vlm)


def test_all_frames_go_into_one_question_in_order_after_what_all_questions_have_in_common(server: Server) -> None:
    assert said(vlm(), clip(40), clip(80)) == [SAID, SAID]
    first, second = server.requests
    assert {name: value for name, value in first.items() if name not in ("messages", "response_format")} == {
        "model": "small-model", "temperature": 0, "max_tokens": 100
    }  # fmt: skip
    assert first["messages"][0] == second["messages"][0]
    assert first["messages"][0]["role"] == "system"
    assert "at most 5 different actions" in first["messages"][0]["content"]
    assert [part["type"] for part in first["messages"][1]["content"]] == ["image_url"] * 3 + ["text"]
    assert first["response_format"]["json_schema"]["schema"]["required"] == ["actions"]
    seen = [np.asarray(one.convert("L"))[5] for one in pictures(first)]
    assert [row.shape for row in seen] == [(64,)] * 3
    assert [int(np.argmax(row)) // 10 for row in seen] == [0, 1, 2]


def test_the_options_say_which_frames_are_wanted_and_how_large() -> None:
    assert vlm(frames=5, side=336).frames == Sampling("uniform", 5, side=336)
    assert vlm(side=336).tokens_each() > 2 * vlm(side=224).tokens_each() - 300


def test_32_questions_are_under_way_at_once_each_kept_by_itself_and_only_kept_videos_are_paid_for(
    server: Server,
) -> None:
    assert (Vlm.batch, Vlm.concurrency, Vlm.costs_money) == (1, 32, True)
    server.answer = lambda prompt: Reply(chat("waving").body, delay=0.05)
    assert said(vlm(), *(clip(10 * shade) for shade in range(24))) == [["waving"]] * 24
    assert server.most_at_once > 4


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (json.dumps(ACTIONS), SAID),
        (f"```json\n{json.dumps(ACTIONS)}\n```", SAID),
        (f"<think>Is it a glass? It is.</think>{json.dumps(ACTIONS)}", SAID),
        ("1. pouring water\n2. drinking from a glass", SAID),
        ("pouring water\ndrinking from a glass\n", SAID),
        ('{"actions": ["pouring water", "drinking from a glass", "dri', SAID),
        ('{"actions": []}', []),
        ("[]", []),
        ('```json\n{"actions": [""]}\n```', []),
    ],
)
def test_replies_are_read_in_whatever_form_they_come_and_none_is_an_answer(
    server: Server, reply: str, answer: list[str]
) -> None:
    finish = "stop" if reply[-1] in "]}`" or not reply.startswith("{") else "length"
    server.answer = lambda prompt: Reply({"choices": [{"message": {"content": reply}, "finish_reason": finish}]})
    assert said(vlm(), clip()) == said(vlm(), clip()) == [answer]
    assert len(server.requests) == 1, "what was answered before was asked again"


@pytest.mark.parametrize(
    "refusal",
    [
        fault(400, "Invalid parameter", param="response_format", code="unsupported_value"),
        fault(400, "This model does not support response format `json_schema`"),
        fault(422, "body.response_format.type: unexpected value; permitted: 'text'"),
        fault(500, "failed to compile grammar"),
        Reply({"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"]}]}, 422),
        Reply({"error": {"message": "json_schema is not available", "code": 400}}),
        Reply({"error": "invalid format: structured outputs are off"}, 500),
    ],
    ids=lambda refusal: str(refusal.body)[:60],
)
def test_an_endpoint_that_takes_no_schema_is_asked_without_and_that_is_said_once(
    server: Server, refusal: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    answers = in_turn(refusal, chat("pouring water\ndrinking from a glass"))
    server.answer = answers
    source = vlm()
    assert said(source, clip(40), clip(80), clip(120)) == [SAID] * 3
    assert ["response_format" in request for request in server.requests] == [True, False, False, False]
    assert caplog.text.count("refuses response_format and is asked without it") == 1
    assert any(note.startswith("asked without response_format") for note in source.notes())
    assert said(vlm(), clip(160)) == [SAID]
    assert "response_format" not in server.requests[-1], "what was refused before was asked again"


@pytest.mark.parametrize("status", [400, 500])
def test_a_template_without_a_system_message_gets_its_text_before_the_frames(server: Server, status: int) -> None:
    server.answer = in_turn(fault(status, "System role not supported"), chat("waving"))
    assert said(vlm(), clip()) == [["waving"]]
    (message,) = server.requests[-1]["messages"]
    assert message["role"] == "user"
    assert "at most 5 different actions" in message["content"][0]["text"]
    assert len(pictures(server.requests[-1])) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        fault(400, "small-model is not a multimodal model"),
        fault(500, "image input is not supported - hint: you may need to provide the mmproj"),
        fault(404, "No endpoints found that support image input"),
        fault(400, "unknown variant `image_url`, expected `text`"),
        Reply({"error": "this model is missing data required for image input"}, 500),
        fault(400, "At most 0 image(s) may be provided in one request."),
    ],
    ids=lambda refusal: str(refusal.body)[:60],
)
def test_a_model_that_takes_no_pictures_ends_the_run_at_once_with_the_servers_words(
    server: Server, refusal: Reply
) -> None:
    server.answer = lambda prompt: refusal
    with pytest.raises(MaxiError) as caught:
        said(vlm(), *(clip(10 * shade) for shade in range(10)))
    error = refusal.body["error"]
    assert (error if isinstance(error, str) else error["message"]) in str(caught.value)
    assert "vlm.model" in str(caught.value)
    assert len(server.requests) <= 3


def test_a_refusal_of_one_video_or_for_its_content_is_none_of_all(server: Server) -> None:
    server.answer = lambda prompt: fault(400, "blocked by the content filter")
    answers = said(vlm(), *(clip(10 * shade) for shade in range(5)))
    assert all(isinstance(answer, Failed) and "content filter" in answer.reason for answer in answers)
    server.answer = lambda prompt: chat("waving") if prompt == "shade 100 100" else fault(400, "bad picture")
    assert said(vlm(), clip(100)) == [["waving"]]
    assert all(isinstance(answer, Failed) for answer in said(vlm(), *(clip(10 * shade) for shade in range(5))))


def test_what_is_kept_and_recorded_has_no_pictures_and_is_found_by_their_pixels(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"exchanges": tmp_path / "kept", "record": tmp_path / "said.jsonl"}
    assert said(vlm(**files), clip(40), clip(80)) == [SAID, SAID]
    assert all("base64" not in path.read_text() for path in tmp_path.rglob("*.json*"))
    monkeypatch.delenv("OPENAI_API_KEY")
    replayed = vlm(replay=files["record"])
    assert said(replayed, clip(80), clip(40)) == [SAID, SAID]
    (other,) = said(replayed, clip(120))
    assert isinstance(other, Failed)
    assert "said.jsonl holds no answer" in other.reason
    (other,) = said(vlm(replay=files["record"], prompt="What is it?"), clip(40))
    assert isinstance(other, Failed), "the answer to another question was taken"
    assert len(server.requests) == 2


THOUGHTS = {"message": {"content": None, "reasoning_content": "They wave."}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply("<html>Sign in</html>", type="text/html"), "no JSON: '<html>Sign in</html>'; see vlm.model and the"),
        (Reply({"choices": [THOUGHTS]}), "the model has thought and said nothing after it; see vlm.model"),
        (Reply({"choices": [THOUGHTS | {"finish_reason": "length"}]}), "(finish_reason: length); raise vlm.max_tokens"),
    ],
)
def test_an_endpoint_that_says_nothing_to_any_question_is_not_asked_for_ever(
    server: Server, reply: Reply, says: str
) -> None:
    server.answer = lambda prompt: reply
    with pytest.raises(MaxiError) as caught:
        said(vlm(), *(clip(10 * shade) for shade in range(24)))
    assert "has answered 10 times so far and said nothing: " in str(caught.value)
    assert says in str(caught.value)
    assert len(server.requests) < 20


def test_what_a_model_refuses_to_look_at_ends_no_run(server: Server) -> None:
    answers = in_turn(*[chat(None, refusal="I will not")] * 14, chat(json.dumps(ACTIONS)))
    server.answer = answers
    source = vlm()
    source.concurrency = 1
    assert said(source, *(clip(10 * shade) for shade in range(8)))[-1] == SAID


@pytest.mark.parametrize(
    "refusal",
    [
        Reply("<html>413 Request Entity Too Large</html>", 413, type="text/html"),
        fault(400, "At most 1 image(s) may be provided in one request."),
        fault(400, "maximum context length is 4096 tokens", code="context_length_exceeded"),
    ],
)
def test_a_server_that_takes_less_at_once_is_told_with_what_to_type(server: Server, refusal: Reply) -> None:
    server.answer = lambda prompt: refusal if prompt == "shade 80 80" else look(prompt)
    first, odd = said(vlm(), clip(40), clip(80))
    assert first == SAID
    assert isinstance(odd, Failed)
    assert odd.reason.endswith("; show less: -o vlm.frames=N, -o vlm.side=N")


def test_json_may_begin_with_a_mark_and_a_date_to_wait_for_needs_the_one_of_the_answer(server: Server) -> None:
    server.answer = lambda prompt: Reply(b"\xef\xbb\xbf" + chat("waving").encoded())
    assert said(vlm(), clip(40)) == [["waving"]]
    until = {"retry-after": "Thu, 01 Jan 1970 00:00:05 GMT"}
    assert _retry_after(until | {"date": "Thu, 01 Jan 1970 00:00:01 GMT"}) == 4
    assert _retry_after(until) is None, "this machine's clock may be another"


def test_a_picture_is_what_it_was_made_from() -> None:
    frame = clip().frames[0]
    one, again, other = picture(frame, 80), picture(frame.copy(), 80), picture(frame, 40)
    assert one.of == again.of != other.of
    assert len({one.of, picture(frame[:, ::-1], 80).of, picture(frame.reshape(64, 48, 3), 80).of}) == 3
    assert kept({"a": [{"url": one}]}) == {"a": [{"url": one.of}]}
    assert json.loads(encoded({"é": [other, one, one]})) == {"é": [shown.url().decode() for shown in (other, one, one)]}


def test_what_was_answered_before_is_packed_by_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(vlm(), clip(40)) == [SAID]
    monkeypatch.setattr("maxi_plugins.vlm._jpeg", lambda *_: pytest.fail("a picture was packed"))
    assert said(vlm(), clip(40)) == [SAID]


def test_the_budget_counts_pictures_where_nobody_says_what_they_take(tmp_path: Path) -> None:
    request = {"max_tokens": 10, "messages": [{"role": "user", "content": [Picture("x", 700, bytes)]}]}
    budget = Budget("vlm", tmp_path)
    assert budget.reserve(request) >= 700
    assert count_tokens(request, {}) >= 700
    assert not budget.answered
    budget.settle(700, 5000)
    assert budget.answered
    assert budget.reserve(request) == 5000


@pytest.mark.parametrize(
    "case",
    [
        case if case.says.startswith(("401", "429 `insufficient", "500, then", "404")) else
        pytest.param(case, marks=pytest.mark.long)
        for case in CASES if "phrases" not in case.says or case.end != "answered"
    ],
    ids=lambda case: case.says,
)  # fmt: skip
def test_each_misbehaviour_is_met_as_the_table_of_sources_says(
    case: Case, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = case.answer()
    server.answer = lambda prompt: answer("waving" if prompt == "shade 80 80" else "bowing")
    source = vlm(model="m", **case.options)
    if case.end == "stopped":
        with pytest.raises(MaxiError) as caught:
            said(source, clip(40), clip(80), clip(120))
        seen = str(caught.value)
    else:
        first, odd, last = said(source, clip(40), clip(80), clip(120))
        assert isinstance(first, list)
        assert isinstance(last, list)
        assert isinstance(odd, Failed) == (case.end == "failed")
        seen = odd.reason if isinstance(odd, Failed) else ""
    assert case.end == "answered" or case.sees.replace("gpt3", "vlm") in seen
    assert KEY not in seen + caplog.text
    asked = [request for request in server.requests if np.asarray(pictures(request)[-1])[24, 32, 0] // 10 == 8]
    assert case.end == "answered" or len(asked) == case.requests
