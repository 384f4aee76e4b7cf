"""The third-party examples, and the sources that pages show, in whole runs of `maxi bags`."""

import base64
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from maxi_core.errors import ExitCode
from maxi_sandbox import Sandbox
from tests.bags.conftest import World
from tests.video.clips import write

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def plugin(name: str) -> str:
    return str(EXAMPLES / f"maxi-{name}" / f"maxi_{name}.py")


def shown(page: str, file: str, world: World) -> Path:
    """Write a program into a file as a page says."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (world.folder / file).write_text(text.partition(f"<!-- {file} -->\n```python\n")[2].partition("```")[0])
    return world.folder / file


def films(world: World, *shades: int) -> None:
    """Put videos of one shade each in the place of those that are there."""
    for old in world.videos.iterdir():
        old.unlink()
    for shade in shades:
        write(world.videos / f"{shade}.mp4", [np.full((48, 64, 3), shade, np.uint8)] * 12)


def test_the_source_of_the_readme_works_as_it_is_shown(world: World) -> None:
    ran = world.bags("--plugin", str(shown("README.md", "loud.py", world)), "-q", sources="toymatch,loud,toyverbs")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    assert all(bag["said"]["loud"] == [f"{bag['match']['entry']} with all their might"] for bag in world.records())


def test_the_first_source_of_the_guide_works_as_it_is_shown(world: World) -> None:
    films(world, 30, 220)
    file = shown("docs/writing-a-plugin.md", "mine.py", world)
    ran = world.bags("--plugin", str(file), "--workers", "0", sources="toymatch,light,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    said = {bag["video"]: bag["said"]["light"] for bag in world.records()}
    assert said == {"30.mp4": ["someone moving in the dark"], "220.mp4": ["someone moving in the light"]}


def test_the_captioner_with_a_model_of_the_guide_works_as_it_is_shown(world: World) -> None:
    films(world, 30, 90, 220)
    file = shown("docs/writing-a-plugin.md", "blips.py", world)
    code = file.read_text().replace("Salesforce/blip-image-captioning-base", str(Sandbox().captioner()))
    hook = "import maxi_core\n\n@maxi_core.hookimpl\ndef maxi_register_sources():\n    return [Blips]\n"
    file.write_text(code + hook)
    ran = world.bags("--plugin", str(file), "--workers", "0", sources="toymatch,blips,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    assert all(len(bag["said"]["blips"]) == 3 for bag in world.records())


def test_synonyms_say_a_matched_name_again(world: World) -> None:
    ran = world.bags("--plugin", plugin("synonyms"), "--quiet", sources="toymatch,synonyms,toyverbs")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    said = {tuple(bag["said"]["synonyms"]) for bag in world.records()}
    assert said >= {("steering a bike", "driving a bike"), ("tossing balls", "catching balls")}


def test_descriptors_fail_for_a_name_they_do_not_know_and_the_others_go_on(world: World) -> None:
    (world.folder / "d.json").write_text(json.dumps({"RidingABike": ["sitting on it"], "juggling balls": "throwing"}))
    options = ("-o", f"descriptors.file={world.folder / 'd.json'}")
    ran = world.bags("--plugin", plugin("descriptors"), *options, sources="toymatch,descriptors,toyverbs")
    assert ran.code == ExitCode.DONE
    said = {bag["match"]["entry"]: bag["said"].get("descriptors") for bag in world.records()}
    assert said["riding a bike"] == ["sitting on it"]
    assert said.get("playing chess") is None
    skipped = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert {row["source"] for row in skipped} == {"descriptors"}


class Endpoint:
    """Answers with the shade of the last frame; `refuse` are shades it has an error for, `asked` counts them all."""

    def __init__(self) -> None:
        self.refuse: set[int] = set()
        self.asked: Counter[int] = Counter()
        self.frames: set[tuple[int, tuple[int, int]]] = set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def answer(self, request: dict) -> tuple[int, object]:
        from PIL import Image

        urls = [part["image_url"]["url"] for part in request["messages"][0]["content"][1:]]
        images = [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]
        shade = round(float(np.median(np.asarray(images[-1]))), -1)
        with self.lock:
            self.asked[int(shade)] += 1
            self.frames.add((len(images), images[0].size))
        if int(shade) in self.refuse:
            return 400, {"error": {"message": "too dark"}}
        return 200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": f"waving {int(shade)}"}}]}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    endpoint = Endpoint()
    everybody = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with endpoint.lock:
                endpoint.at_once += 1
                endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
            everybody.wait(0.3)  # let the others come
            status, body = endpoint.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            with endpoint.lock:
                endpoint.at_once -= 1
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{http.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield endpoint
        http.shutdown()
        thread.join()


def test_vlm_is_shown_frames_of_each_video_several_at_once_and_no_answer_is_paid_for_twice(
    world: World, endpoint: Endpoint
) -> None:
    shades = (40, 80, 160, 200)
    films(world, *shades)
    (world.videos / "no video.mp4").write_text("this is no video")
    flags = ("--plugin", plugin("vlm"), "-o", "vlm.model=m", "-o", "vlm.frames=3", "--workers", "0")
    endpoint.refuse = {80}
    world.bags(*flags, sources="toymatch,vlm,toyverbs")
    said = {bag["video"]: bag["said"].get("vlm") for bag in world.records()}
    assert said == {
        "40.mp4": ["waving 40"], "80.mp4": None, "160.mp4": ["waving 160"], "200.mp4": ["waving 200"],
        "no video.mp4": None,
    }  # fmt: skip
    assert endpoint.frames == {(3, (64, 48))}
    assert endpoint.most_at_once > 1
    assert endpoint.asked == dict.fromkeys(shades, 1)
    endpoint.refuse = set()
    world.bags(*flags, sources="toymatch,vlm,toyverbs")
    assert endpoint.asked == {**dict.fromkeys(shades, 1), 80: 2}
    assert "waving 80" in {text for bag in world.records() for text in bag["said"].get("vlm", ())}
