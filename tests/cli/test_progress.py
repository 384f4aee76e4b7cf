"""Progress: a bar on a terminal, plain lines in a log, nothing when quiet or on other ranks."""

import os
import pty
import subprocess
import sys

from maxi_cli import progress as progress_module
from maxi_cli.progress import Progress


def test_items_pass_through_in_order_and_skips_are_counted(capsys) -> None:
    progress = Progress("reading", 3)
    seen = []
    for item in progress.follow("abc"):
        seen.append(item)
        if item == "b":
            progress.skip()
    assert seen == ["a", "b", "c"]
    assert (progress.done, progress.skipped) == (3, 1)
    assert capsys.readouterr().err == ""


def test_without_a_terminal_a_plain_line_says_how_far_it_is(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress_module, "PLAIN_EVERY", 0.0)
    list(Progress("reading", 2).follow("ab"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("reading: 1/2, ")
    assert lines[1].startswith("reading: 2/2, ")
    assert lines[1].endswith("/s, 0 s left, 0 skipped")


def test_quiet_and_other_ranks_say_nothing(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress_module, "PLAIN_EVERY", 0.0)
    list(Progress("reading", 2, quiet=True).follow("ab"))
    monkeypatch.setenv("RANK", "1")
    list(Progress("reading", 2).follow("ab"))
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_is_drawn() -> None:
    program = "from maxi_cli.progress import Progress\nprint(list(Progress('reading', 2).follow('ab')))"
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=theirs, check=True, env={**os.environ}
    )
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.stdout == b"['a', 'b']\n"
    assert "reading" in drawn
    assert "0 skipped" in drawn
