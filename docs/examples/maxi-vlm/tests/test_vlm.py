"""The captioner against a real server on the loopback interface that speaks OpenAI's format and looks at the images."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maxi_vlm import Vlm, address, sentences

from maxi_core import Clip, Failed, MaxiError, Sampling, UsageError, Video
from maxi_core.testing import contract

KEY = "sk-canary-0123456789"


def clip(count: int, name: str = "clip.mp4") -> Clip:
    """Return so many frames of a dark video in which a bar moves to the right."""
    frames = np.full((count, 48, 64, 3), 40, np.uint8)
    for place, frame in enumerate(frames):
        frame[:, 10 * place : 10 * place + 6] = 215
    return Clip(Video(name, Path(name)), frames)


def chat(text: str | None) -> tuple[int, object]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def seen(request: dict[str, Any]) -> list[tuple[int, int]]:
    """Return of each image of a request its width and where its moving bar is, from the pixels that were sent."""
    from PIL import Image

    found = []
    for part in request["messages"][0]["content"][1:]:
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == "data:image/jpeg;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
        row = [image.getpixel((x, image.height // 2)) for x in range(image.width)]
        middle = sorted(row)[len(row) // 2]
        found.append((image.width, max(range(len(row)), key=lambda x: abs(row[x] - middle))))
    return found


def look(request: dict[str, Any]) -> tuple[int, object]:
    """Answer from what can be seen only in several frames at once: which way the bar moves."""
    places = [place for _, place in seen(request)]
    return chat(f"1. a bar is moving {'right' if places[-1] > places[0] else 'left'}\n2. it is standing in the dark")


class Endpoint:
    """What the server was asked, and what it answers."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], tuple[int, object]] = look
        self.requests: list[dict[str, Any]] = []


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Endpoint, str]]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint.requests.append(request)
            status, body = endpoint.answer(request)
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("x-should-retry", "false")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield endpoint, f"http://127.0.0.1:{http.server_port}/v1"
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def endpoint(server: tuple[Endpoint, str], monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    found, url = server
    found.answer, found.requests = look, []
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return found


def vlm(**options: Any) -> Vlm:
    return Vlm(Vlm.Options(model="some-vl", **options))


def said(*clips: Clip) -> list[list[str] | Failed]:
    source = vlm()
    source.open()
    return source.caption(list(clips))


test_vlm_keeps_the_contract = contract(lambda: vlm(frames=3))


def test_several_frames_go_into_one_question_in_order_so_motion_is_seen(endpoint: Endpoint) -> None:
    assert said(clip(6)) == [["a bar is moving right", "it is standing in the dark"]]
    (request,) = endpoint.requests
    assert [width for width, _ in seen(request)] == [64] * 6
    places = [place for _, place in seen(request)]
    assert places == sorted(places)
    text = request["messages"][0]["content"][0]["text"]
    assert "6 frames of one video, in order of time" in text
    assert "in 4 short sentences" in text
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("some-vl", 0, 300)


def test_the_options_say_which_frames_are_wanted_and_how_large() -> None:
    assert vlm(frames=3, side=32).frames == Sampling("uniform", 3, side=32)


def test_each_answer_is_asked_for_by_itself_so_that_it_is_kept_as_soon_as_it_is_paid_for() -> None:
    assert (Vlm.batch, Vlm.costs_money) == (1, True)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (chat(None), "said nothing of it"),
        (chat(""), "said nothing of it"),
        (chat("\n \n"), "the reply holds no sentence"),
        ((200, {"choices": []}), "said nothing of it"),
        ((200, {"error": "busy"}), "said nothing of it"),
        ((200, '{"choices": [{"mess'), "gave no usable reply"),
        ((200, "<html>"), "gave no usable reply"),
        ((400, {"error": {"message": f"image too large for {KEY}"}}), "answered 400 for model 'some-vl'"),
        ((500, {"error": {"message": "oops"}}), "answered 500 for model 'some-vl'"),
    ],
)
def test_a_fault_of_one_question_fails_that_video_only(
    endpoint: Endpoint, reply: tuple[int, object], reason: str
) -> None:
    replies = [reply, chat("a bar is moving")]
    endpoint.answer = lambda _: replies[len(endpoint.requests) > 1]
    first, second = said(clip(1, "1.mp4"), clip(1, "2.mp4"))
    assert isinstance(first, Failed)
    assert reason in first.reason
    assert KEY not in first.reason
    assert second == ["a bar is moving"]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (401, {"error": {"message": f"wrong key {KEY}"}}, "refuses the API key"),
        (404, {"error": {"message": f"no model for {KEY}"}}, "answered 404 for model 'some-vl'"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "answered 429"),
    ],
)
def test_a_fault_of_every_question_ends_the_run_in_one_line_without_the_key(
    endpoint: Endpoint, status: int, body: object, problem: str
) -> None:
    endpoint.answer = lambda _: (status, body)
    with pytest.raises(MaxiError, match=problem) as error:
        said(clip(1), clip(1), clip(1))
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)
    assert len(endpoint.requests) == 1


def test_a_missing_key_or_model_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"vlm has no model, and none is built in; type -o vlm.model=NAME"):
        Vlm().fingerprint()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="there is no API key"):
        vlm().fingerprint()


def test_the_fingerprint_holds_the_address_without_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@localhost:8000/v1/?token=secret")
    assert address() == "http://localhost:8000/v1"
    assert vlm().fingerprint() == {"endpoint": "http://localhost:8000/v1"}


def test_lines_lose_their_marks_and_are_kept_once() -> None:
    reply = "1. a man runs\n2) a man runs\n- he jumps\n\n  • he falls\nhe gets up"
    assert sentences(reply, 3) == ["a man runs", "he jumps", "he falls"]
