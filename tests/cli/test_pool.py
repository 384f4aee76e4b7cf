"""Commands in processes beside this one: what needs what, what they print, and how they end."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from maxi_cli.pool import Finished, run_all
from maxi_core.errors import MaxiError
from maxi_sandbox.demo.commands import Command


def told(commands: list[Command], at_once: int = 2) -> tuple[list[str], dict[str, Finished]]:
    """Run commands and return what began and ended, in order, and how each ended."""
    heard: list[str] = []
    finished: dict[str, Finished] = {}

    def ends(command: Command, how: Finished) -> None:
        heard.append(f"-{command.title}")
        finished[command.title] = how

    run_all(commands, at_once, lambda _, command: heard.append(f"+{command.title}"), ends)
    return heard, finished


def shown(title: str, *after: str) -> Command:
    return Command(title, ("show-nothing",) if title == "wrong" else ("--version",), after)


def test_commands_that_need_nothing_of_each_other_run_at_the_same_time_and_others_wait() -> None:
    heard, finished = told([shown("a"), shown("b", "c"), shown("c"), shown("d", "a", "b")])
    assert heard[:2] == ["+a", "+c"]
    assert heard.index("-c") < heard.index("+b")
    assert heard.index("+d") > max(heard.index("-a"), heard.index("-b"))
    assert all(how.code == 0 and how.printed.startswith("maxi ") for how in finished.values())


def test_one_at_a_time_is_the_order_of_the_list() -> None:
    assert told([shown("a"), shown("b"), shown("c")], 1)[0] == ["+a", "-a", "+b", "-b", "+c", "-c"]


def test_a_command_that_does_not_say_what_it_needs_waits_for_all_before_it() -> None:
    @dataclass(frozen=True)
    class Plain:
        title: str
        words: tuple[str, ...] = ("--version",)

    heard, _ = told([Plain("a"), Plain("b"), Plain("c")])  # type: ignore[list-item]
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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_ends_the_run_with_its_code(tmp_path: Path, number: int) -> None:
    plugin = tmp_path / "dies.py"
    plugin.write_text(f"import os\nos.kill(os.getpid(), {int(number)})\n")
    words = ("plugins", "--plugin", str(plugin))
    with pytest.raises(MaxiError, match=f"ended with {128 + number}"):
        told([Command("dies", words), shown("b", "dies")])


def test_when_this_process_is_left_those_that_work_for_it_end_too(tmp_path: Path) -> None:
    plugin, pid = tmp_path / "sleeps.py", tmp_path / "pid"
    plugin.write_text(f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n")

    def leaves(*_: object) -> None:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.05)
        raise KeyboardInterrupt

    sleeps = Command("sleeps", ("plugins", "--plugin", str(plugin)))
    with pytest.raises(KeyboardInterrupt):
        run_all([sleeps, shown("b")], 2, lambda *_: None, leaves)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
