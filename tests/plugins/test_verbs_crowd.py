"""`verbs.processes`: the same answers in the same order from several processes, which end with the one that began."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_plugins.english.crowd import BATCH
from maxi_plugins.verbs import Verbs
from maxi_plugins.webvid import Webvid
from tests.plugins.test_webvid import CAPTIONS, KNOWN, texts


def verbs(model: str, processes: int) -> Verbs:
    return Verbs(Verbs.Options(model=model, processes=processes))


def asked() -> list[str]:
    every = [f"{text} {number}" for number in range(30) for text in texts()][: 2 * BATCH + 10]
    assert len(every) > 2 * BATCH
    return every


def test_two_processes_say_what_one_says_and_give_the_same_noise_until_one_is_killed() -> None:
    one, two = verbs("rules", 1), verbs("rules", 2)
    before = psutil.Process().children()
    assert list(two.augment([])) == []
    assert psutil.Process().children() == before, "processes were started for nothing"
    assert list(two.augment(asked())) == list(one.augment(asked()))
    noise = [
        Webvid(Webvid.Options(captions=CAPTIONS, noise=6)).inject(KNOWN, lambda texts, by=by: list(by.augment(texts)))
        for by in (one, two)
    ]
    assert noise[0] == noise[1]
    for child in set(psutil.Process().children()) - set(before):
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    with pytest.raises(MaxiError, match="a process that reads texts has ended; type -o verbs.processes=1"):
        list(two.augment(asked()))


def test_the_processes_import_nothing_that_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("multiprocessing", "selectors", "signal", "tempfile", "spacy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'MARKER')!r}, 'w').close()\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    assert len(list(verbs("rules", 2).augment(["a man is waving"] * 3))) == 3
    assert not (tmp_path / "MARKER").exists()
    assert "PYTHONSAFEPATH" not in os.environ


def test_the_number_of_processes_does_not_change_what_an_answer_is_kept_under() -> None:
    assert verbs("rules", 2).fingerprint() == verbs("rules", 1).fingerprint()
    assert "processes" in Verbs.Options.EFFORT


@pytest.mark.slow
def test_two_processes_with_a_pipeline_say_what_one_says() -> None:
    assert list(verbs("sandbox", 2).augment(asked())) == list(verbs("sandbox", 1).augment(asked()))


def test_a_pipeline_that_is_not_there_is_said_at_once_and_not_by_a_process() -> None:
    with pytest.raises(UsageError, match="no spaCy pipeline in"):
        verbs("/no/such/pipeline", 2).augment(["a man waving"])


@pytest.mark.slow
def test_the_processes_end_with_the_one_that_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time, psutil\n"
        "from maxi_plugins.verbs import Verbs\n"
        "if __name__ == '__main__':\n"
        "    list(Verbs(Verbs.Options(model='rules', processes=2)).augment(['a man waving'] * 600))\n"
        "    print(*(child.pid for child in psutil.Process().children()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    children = [int(pid) for pid in process.stdout.readline().split()]
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 20
    while any(map(psutil.pid_exists, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, children))
