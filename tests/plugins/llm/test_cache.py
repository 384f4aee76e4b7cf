"""Replies that were paid for: on disk as soon as they have come, taken from there whatever happened since."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maxi_core.errors import MaxiError
from maxi_core.system.locks import KeyLocks
from maxi_plugins.gpt3 import Gpt3
from tests.plugins.asking import expanded
from tests.plugins.loopback import LIST, Reply, Server, chat, entry_of, serving

KEY = "sk-canary-0123456789abcdef"
ENTRIES = [f"action {place}" for place in range(30)]


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


def kept() -> list[Path]:
    """Return the files of the exchanges."""
    found = Path(os.environ["MAXI_HOME"]).glob("exchanges/*/*.json")
    return [path for path in found if len(path.stem) == 32]


def test_what_was_answered_is_not_asked_again_by_another_run_or_another_port(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = expanded(gpt3(), ENTRIES)
    with serving(Server()) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        assert expanded(gpt3(), ENTRIES[::-1]) == first[::-1]
        assert other.requests == []
    assert len(server.requests) == len(kept()) == len(ENTRIES)


def test_another_model_or_parameter_is_another_question(server: Server) -> None:
    for options in ({}, {"model": "n"}, {"temperature": 0.5}, {"phrases": 4}, {"max_tokens": 99}):
        expanded(gpt3(least=1, **options), ["waving"])
    assert len(server.requests) == 5


def test_the_same_name_twice_is_asked_once(server: Server) -> None:
    server.answer = lambda prompt: Reply(chat(LIST.format(entry_of(prompt))).body, delay=0.05)
    answers = expanded(gpt3(), ["bowing", *["waving"] * 20])
    assert all(answer == answers[1] for answer in answers[1:])
    assert len(server.requests) == 2


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_byte_that_is_flipped_makes_a_row_a_miss_and_not_an_answer(server: Server, place: float) -> None:
    first = expanded(gpt3(), ["waving"])
    (path,) = kept()
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x04
    path.write_bytes(data)
    assert expanded(gpt3(), ["waving"]) == first
    assert len(server.requests) == 2
    assert expanded(gpt3(), ["waving"]) == first  # it was mended
    assert len(server.requests) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"check": 1}', "[" * 100_000])
def test_a_file_that_is_no_exchange_is_a_miss(server: Server, content: str) -> None:
    first = expanded(gpt3(), ["waving"])
    kept()[0].write_text(content)
    assert expanded(gpt3(), ["waving"]) == first
    assert len(server.requests) == 2


def test_a_row_of_another_question_under_this_name_is_a_miss(server: Server) -> None:
    first = expanded(gpt3(), ["waving"])
    (path,) = kept()
    expanded(gpt3(), ["bowing"])
    (other,) = set(kept()) - {path}
    path.write_bytes(other.read_bytes())
    assert expanded(gpt3(), ["waving"]) == first


def test_an_answer_of_no_use_is_not_kept_and_asked_again_by_the_next_run(server: Server) -> None:
    server.answer = lambda prompt: chat("I'm sorry")
    expanded(gpt3(), ["waving"])
    assert kept() == []
    server.answer = lambda prompt: chat(LIST.format("waving"))
    (answer,) = expanded(gpt3(), ["waving"])
    assert isinstance(answer, list)
    assert len(answer) == 5


def test_the_key_is_in_no_exchange(server: Server) -> None:
    server.answer = lambda prompt: chat(f"1. saying {KEY}\n2. two\n3. three\n4. four\n5. five")
    (answer,) = expanded(gpt3(), ["waving"])
    assert isinstance(answer, list)
    assert answer[0] == "saying"
    for path in Path(os.environ["MAXI_HOME"]).rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_a_full_disk_stops_at_once_and_loses_only_what_was_under_way(server: Server, tmp_path: Path) -> None:
    source = gpt3(exchanges=tmp_path, concurrency=2)
    expanded(source, ENTRIES[:1])
    (folder,) = tmp_path.iterdir()
    folder.rename(tmp_path / "gone")
    folder.write_text("no folder any more")
    asked = len(server.requests)
    with pytest.raises(MaxiError, match="cannot "):
        expanded(source, ENTRIES)
    assert len(server.requests) <= asked + 4


CHILD = """
from concurrent.futures import ThreadPoolExecutor
from maxi_plugins.gpt3 import Gpt3
source = Gpt3(Gpt3.Options(model="m"))
source.concurrency = 8
source.open()
with ThreadPoolExecutor(source.concurrency) as pool:
    for [answer] in pool.map(lambda place: source.expand([f"action {place}"]), range(30)):
        assert len(answer) == 5, answer
        print(answer[0], flush=True)
source.close()
"""


def child() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)


def test_killed_anywhere_what_was_on_disk_is_never_asked_again(server: Server) -> None:
    """A reply is paid twice only if it was under way when the process died: at most `concurrency` of them."""
    server.answer = lambda prompt: Reply(chat(LIST.format(entry_of(prompt))).body, delay=0.03)
    for point in (3, 11, 20):
        process = child()
        while len(kept()) < point and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    on_disk = {json.loads(path.read_text())["asked"]["messages"][0]["content"] for path in kept()}
    assert len(on_disk) >= 20
    assert len(server.requests) <= len(on_disk) + 3 * 8
    server.requests.clear()
    out, _ = child().communicate()
    assert out.splitlines() == [f"{entry} slowly" for entry in ENTRIES]
    assert not {request["messages"][0]["content"] for request in server.requests} & on_disk


def test_two_processes_at_once_ask_each_question_once(server: Server) -> None:
    server.answer = lambda prompt: Reply(chat(LIST.format(entry_of(prompt))).body, delay=0.05)
    outs = [process.communicate()[0] for process in [child(), child()]]
    assert outs[0] == outs[1] != ""
    assert set(server.received.values()) == {1}
    assert len(server.received) == len(ENTRIES)


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom maxi_core.system.locks import KeyLocks\n"
        "with KeyLocks(Path(sys.argv[1]), time.sleep, '').held('0f' * 16):\n"
        "    print('held', flush=True)\n    time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    polls = 0

    def poll(seconds: float) -> None:
        nonlocal polls
        polls += 1
        if polls == 3:
            holder.kill()
        time.sleep(0.05)

    with KeyLocks(tmp_path / "lock", poll, "").held("0f" * 16):
        assert polls >= 3
    holder.communicate()


def test_a_lock_is_of_one_thread_at_a_time(tmp_path: Path) -> None:
    locks, inside, most = KeyLocks(tmp_path / "lock", time.sleep, ""), 0, 0

    def work() -> None:
        nonlocal inside, most
        with locks.held("ab" * 16):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
