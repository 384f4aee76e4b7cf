"""The captioner against a real server on the loopback interface that speaks OpenAI's format and looks at the images."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from maxi_vlm import Vlm, address, sentences

from maxi_core import Failed, Video
from maxi_core.conformance.questions import clip, unreadable
from maxi_core.errors import MaxiError, UsageError
from maxi_core.testing import contract

KEY = "sk-canary-0123456789"


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
    source = Vlm(Vlm.Options(model="some-vl", **options))
    source.video = source.video.model_copy(update={"workers": 0})  # read in this process: quick for a few clips
    return source


test_vlm_keeps_the_contract = contract(lambda: vlm(frames=3))


def test_several_frames_go_into_one_question_in_order_so_motion_is_seen(endpoint: Endpoint, tmp_path: Path) -> None:
    (said,) = vlm(frames=6).caption([clip(tmp_path / "clip.mp4", shade=40)])
    assert said == ["a bar is moving right", "it is standing in the dark"]
    (request,) = endpoint.requests
    places = [place for _, place in seen(request)]
    assert len(places) == 6
    assert places == sorted(places)
    text = request["messages"][0]["content"][0]["text"]
    assert "6 frames of one video, in order of time" in text
    assert "in 4 short sentences" in text
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("some-vl", 0, 300)


def test_frames_are_sent_no_larger_than_wanted(endpoint: Endpoint, tmp_path: Path) -> None:
    list(vlm(frames=1, side=32).caption([clip(tmp_path / "clip.mp4", shade=40)]))
    assert [width for width, _ in seen(endpoint.requests[0])] == [32]


def test_answers_come_in_order_whatever_order_the_replies_have(endpoint: Endpoint, tmp_path: Path) -> None:
    from PIL import Image

    def slowly(request: dict[str, Any]) -> tuple[int, object]:
        data = request["messages"][0]["content"][1]["image_url"]["url"].partition(",")[2]
        image = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
        shade = image.getpixel((image.width - 1, 0))
        threading.Event().wait(0.3 if shade < 60 else 0)
        return chat(f"shade {round(shade, -1)}")

    endpoint.answer = slowly
    videos = [clip(tmp_path / f"{shade}.mp4", shade) for shade in (40, 120, 200, 120)]
    videos.insert(1, unreadable(tmp_path))
    said = list(vlm(frames=1, concurrency=3).caption(videos))
    assert [answer for answer in said if not isinstance(answer, Failed)] == [
        ["shade 40"], ["shade 120"], ["shade 200"], ["shade 120"]
    ]  # fmt: skip
    assert isinstance(said[1], Failed)


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
    endpoint: Endpoint, tmp_path: Path, reply: tuple[int, object], reason: str
) -> None:
    replies = [reply, chat("a bar is moving")]
    endpoint.answer = lambda _: replies[len(endpoint.requests) > 1]
    videos: list[Video] = [clip(tmp_path / f"{number}.mp4", 40) for number in (1, 2)]
    first, second = vlm(frames=1, concurrency=1).caption(videos)
    assert isinstance(first, Failed)
    assert reason in first.reason
    assert KEY not in first.reason
    assert second == ["a bar is moving"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": {"message": f"wrong key {KEY}"}}, "refuses the API key"),
        (404, {"error": {"message": f"no model for {KEY}"}}, "answered 404 for model 'some-vl'"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "answered 429"),
    ],
)
def test_a_fault_of_every_question_ends_the_run_in_one_line_without_the_key(
    endpoint: Endpoint, tmp_path: Path, status: int, body: object, said: str
) -> None:
    endpoint.answer = lambda _: (status, body)
    with pytest.raises(MaxiError, match=said) as error:
        list(vlm(frames=1, concurrency=1).caption([clip(tmp_path / "clip.mp4", 40)] * 3))
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
