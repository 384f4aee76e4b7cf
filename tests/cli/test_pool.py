"""Steps in processes beside this one: what needs what, what they print, and how they end."""

import os
import time
from pathlib import Path

import pytest

from maxi_cli.pool import Finished, _without_progress, run_all
from maxi_core.errors import MaxiError
from maxi_core.plugin.demonstrations import Step

TELLS = """
from maxi_core import hookimpl
with open(HERE + "/told", "w") as file:
    file.write("\\n".join([os.environ["OMP_NUM_THREADS"], *sys.argv]))

@hookimpl
def maxi_register_sources():
    return []
"""


def told(commands: list[Step], at_once: int = 2) -> tuple[list[str], dict[str, Finished]]:
    """Run commands and return what began and ended, in order, and how each ended."""
    heard: list[str] = []
    finished: dict[str, Finished] = {}

    def ends(command: Step, how: Finished) -> None:
        heard.append(f"-{command.title}")
        finished[command.title] = how

    run_all(commands, at_once, lambda _, command: heard.append(f"+{command.title}"), ends)
    return heard, finished


def shown(title: str, *after: str) -> Step:
    return Step(title, ("show-nothing",) if title == "wrong" else ("--version",), after)


def with_plugin(title: str, folder: Path, code: str) -> Step:
    """Return a command that runs `code` as a plugin file."""
    plugin = folder / f"{title}.py"
    plugin.write_text(f"import os, signal, sys, threading, time\nHERE = {str(folder)!r}\n{code}\n")
    return Step(title, ("plugins", "--plugin", str(plugin)))


def test_commands_that_need_nothing_of_each_other_run_at_the_same_time_and_others_wait() -> None:
    heard, finished = told([shown("a"), shown("b", "c"), shown("c"), shown("d", "a", "b")])
    assert heard[:2] == ["+a", "+c"]
    assert heard.index("-c") < heard.index("+b")
    assert heard.index("+d") > max(heard.index("-a"), heard.index("-b"))
    assert all(how.printed.startswith("maxi ") for how in finished.values())


def test_one_at_a_time_is_the_order_of_the_list() -> None:
    assert told([shown("a"), shown("b"), shown("c")], 1)[0] == ["+a", "-a", "+b", "-b", "+c", "-c"]


def test_a_command_that_does_not_say_what_it_needs_waits_for_all_before_it() -> None:
    heard, _ = told([Step(title, ("--version",)) for title in "abc"])
    assert heard == ["+a", "-a", "+b", "-b", "+c", "-c"]


def test_after_one_that_fails_none_is_begun_and_its_code_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    began: list[str] = []
    with pytest.raises(MaxiError, match="`maxi show-nothing` ended with 2"):
        run_all([shown("wrong"), shown("next", "wrong")], 2, lambda _, one: began.append(one.title), lambda *_: None)
    assert began == ["wrong"]
    assert "show-nothing" in capfd.readouterr().err


def test_commands_that_wait_for_what_is_not_there_are_named() -> None:
    with pytest.raises(MaxiError, match="in no list: b; mend"):
        told([shown("a"), shown("b", "nobody")])


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_process_that_dies_is_said_with_its_command_and_how(tmp_path: Path, name: str) -> None:
    dies = with_plugin("dies", tmp_path, f"os.kill(os.getpid(), signal.{name})")
    with pytest.raises(MaxiError, match=rf"the process of `maxi plugins .*dies.py` has died \({name}\); type that"):
        told([dies, shown("b", "dies")])


def test_a_process_that_dies_while_it_waits_is_said_with_the_command_that_it_was_to_run(tmp_path: Path) -> None:
    later = "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()"
    hook = "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    return []"
    with pytest.raises(MaxiError, match=r"the process of `maxi --version` has died \(SIGKILL\)"):
        run_all(
            [with_plugin("dies", tmp_path, f"{later}\n{hook}"), shown("b", "dies")],
            1, lambda *_: None, lambda *_: time.sleep(1.5),
        )  # fmt: skip


def test_a_command_has_one_thread_and_a_command_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told([one := with_plugin("tells", tmp_path, TELLS)])
    threads, *words = (tmp_path / "told").read_text().splitlines()
    assert threads == "1"
    assert words == ["maxi", *one.words]


@pytest.mark.parametrize(
    ("name", "flags"), [("bags", ["--quiet"]), ("train", ["--quiet"]), ("show", []), ("data", []), ("--version", [])]
)
def test_only_commands_that_can_be_quiet_are_told_to_be(name: str, flags: list[str]) -> None:
    assert _without_progress(name) == flags


def test_when_this_process_is_left_those_that_work_for_it_end_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    sleeps = with_plugin("sleeps", tmp_path, "open(HERE + '/pid', 'w').write(str(os.getpid()))\ntime.sleep(600)")

    def leaves(*_: object) -> None:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.05)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all([sleeps, shown("b")], 2, lambda *_: None, leaves)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
