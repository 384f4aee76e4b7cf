"""`maxi bags` with `gpt3`, killed again and again, against a server that counts what it is asked."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode
from tests.plugins.loopback import LIST, Reply, Server, chat, entry_of, fault, serving
from tests.plugins.loopback import prompt_of as prompt

KEY = "sk-canary-0123456789abcdef"
CAST = "toymatch,gpt3,toyverbs"
ENTRIES = 80


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MAXI_GPT3_MODEL", "small-model")
    with serving(Server()) as running:
        running.answer = lambda asked: Reply(chat(LIST.format(entry_of(asked))).body, delay=0.1)
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


@pytest.fixture
def wide(world):
    """A world with as many entries as there are to be asked, each matched by some video."""
    (world.folder / "actions.txt").write_text("".join(f"doing number {place}\n" for place in range(ENTRIES)))
    for place in range(400):
        world.add(f"more {place}.mp4")
    return world


def run(world, *more: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-m", "maxi_cli", *world.arguments("-o", "gpt3.concurrency=4", *more, sources=CAST)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def on_disk() -> set[str]:
    """Return the prompts whose replies are on disk."""
    files = Path(os.environ["MAXI_HOME"]).glob("exchanges/*/*.json")
    return {prompt(json.loads(path.read_text())["asked"]) for path in files if len(path.stem) == 32}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(3000)])])
def test_killed_at_any_point_no_reply_that_is_on_disk_is_asked_for_again(wide, server: Server, kills: int) -> None:
    draw = random.Random(kills)
    done: set[str] = set()
    for point in sorted(draw.sample(range(1, 60), kills)):
        process = run(wide)
        while sum(server.received.values()) < point and process.poll() is None:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        process.communicate()
        time.sleep(0.15)  # what the server still has to say, it says to nobody
        asked = {prompt(request) for request in server.requests}
        assert not asked & done, "a reply that was on disk was paid for again"
        server.requests.clear()
        done = on_disk()
        assert len(done) >= sum(server.received.values()) - 4 * (kills + 1)
    process = run(wide)
    _, err = process.communicate()
    assert process.returncode == ExitCode.DONE, err
    assert not {prompt(request) for request in server.requests} & done
    twice = sum(count - 1 for count in server.received.values())
    print(
        f"\n{kills} kills, {len(on_disk())} replies, {twice} of {sum(server.received.values())} sent twice",
        file=sys.__stderr__,
    )
    assert twice <= 4 * kills, "more was paid twice than what was under way when the process died"
    bags = (wide.out / "bags.jsonl").read_bytes()
    unbroken = wide.arguments(
        "--store", str(wide.folder / "other"), "-o", f"gpt3.exchanges={wide.folder}", sources=CAST
    )
    unbroken[unbroken.index("--out") + 1] = str(wide.folder / "unbroken")
    assert wide.maxi(*unbroken).code == ExitCode.DONE
    assert (wide.folder / "unbroken" / "bags.jsonl").read_bytes() == bags


def test_a_cap_stops_the_run_with_its_own_code_and_a_higher_one_goes_on(wide, server: Server) -> None:
    server.answer = lambda asked: chat(LIST.format(entry_of(asked)))
    ran = wide.bags("-o", "gpt3.cap_calls=7", sources=CAST)
    assert ran.code == ExitCode.CAPPED
    assert ran.err.splitlines()[-1] == (
        "maxi: error: gpt3 has asked 7 times in all, and gpt3.cap_calls is 7; "
        "type -o gpt3.cap_calls=MORE; the same command goes on from here"
    )
    assert len(server.requests) == 7
    assert not (wide.out / "bags.jsonl").exists()
    assert wide.bags("-o", "gpt3.cap_calls=1000", sources=CAST).code == ExitCode.DONE
    assert set(server.received.values()) == {1}


def test_what_is_failed_is_in_the_record_and_asked_again_by_the_next_run(wide, server: Server) -> None:
    server.answer = lambda asked: chat("I'm sorry") if "number 5 " in asked else chat(LIST.format(entry_of(asked)))
    assert wide.bags(sources=CAST).code == ExitCode.DONE
    (skip,) = [json.loads(line) for line in (wide.out / "skipped.jsonl").read_text().splitlines()]
    assert (skip["video"], skip["stage"], skip["source"]) == ("doing number 5", "expand", "gpt3")
    asked = len(server.requests)
    server.answer = lambda asked: chat(LIST.format(entry_of(asked)))
    assert wide.bags(sources=CAST).code == ExitCode.DONE
    assert len(server.requests) == asked + 1
    assert (wide.out / "skipped.jsonl").read_text() == ""


@pytest.mark.parametrize("refused", [False, True])
def test_the_key_is_nowhere_though_everything_is_logged(wide, server: Server, refused: bool) -> None:
    def answer(asked: str) -> Reply:
        if refused and "number 7" in asked:
            return fault(401, f"Incorrect API key provided: {KEY}. See http://x/{KEY}")
        return chat(f"{LIST.format(entry_of(asked))}\n6. {KEY}", system_fingerprint=KEY)

    server.answer = answer
    arguments = ["--log-level", "debug", *wide.arguments("-o", "gpt3.record=said.jsonl", sources=CAST)]
    process = subprocess.run(
        [sys.executable, "-X", "dev", "-c", DEBUGGED, *arguments], capture_output=True, text=True, check=False
    )
    assert process.returncode == (ExitCode.FAILED if refused else ExitCode.DONE), process.stderr
    assert ("refuses the API key (401)" in process.stderr) == refused
    assert KEY not in process.stdout + process.stderr
    assert "/chat/completions" in process.stderr, "the libraries' own logs were not looked at"
    places = [wide.folder, Path(os.environ["MAXI_HOME"])]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


DEBUGGED = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from maxi_cli.__main__ import run
sys.exit(run(sys.argv[1:]))
"""


def test_what_a_model_refused_is_noted_in_the_manifest(wide, server: Server) -> None:
    refusal = fault(400, "Only 1 is supported", code="unsupported_value", param="temperature")
    server.answer = lambda asked: (
        refusal
        if "temperature" in server.requests[-1]
        else chat("1. waving")
        if "number 5 " in asked
        else chat(LIST.format(entry_of(asked)))
    )
    for _ in range(2):  # the second run asks nothing, and still says so
        assert wide.bags(sources=CAST).code == ExitCode.DONE
        notes = json.loads((wide.out / "manifest.json").read_text())["notes"]["gpt3"]
        assert notes[0] == "asked without temperature, which the model refuses: Only 1 is supported"
    assert sum("temperature" in request for request in server.requests) == 1
