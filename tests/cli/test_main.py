"""The frame of the command: one line per error, exit codes, streams, signals, `python -m maxi_cli`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maxi_cli.__main__ import main
from maxi_cli.app import COMMANDS
from maxi_cli.terminal import visible
from maxi_core.errors import ExitCode, MaxiError, deed
from tests.conftest import EXPANDER, FakeDist


def one_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text.strip()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["plugs"], "maxi: error: No such command 'plugs'. Did you mean 'plugins'? (see maxi -h)"),
        (["plugins", "--jso"], "maxi: error: No such option: --jso (Possible options: --json) (see maxi plugins -h)"),
        (["env", "--config"], "maxi: error: Option '--config' requires an argument (see maxi -h)"),
        (["plugins", "a", "b"], "maxi: error: Got unexpected extra argument(s) (b) (see maxi plugins -h)"),
        (["--log-level", "loud", "env"], "maxi: error: --log-level loud is not a level; one of debug, info, warning"),
        (["env", "-o", "x"], "maxi: error: -o 'x' is not of the form section.key=value; for example"),
        (["plugins", "nobody"], "maxi: error: no source, temporal module or objective is called 'nobody'; known: "),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(maxi, arguments, line) -> None:
    ran = maxi(*arguments)
    assert ran.code == ExitCode.USAGE
    assert one_line(ran.err).startswith(line)
    assert ran.out == ""


def test_maxi_alone_shows_its_help(maxi) -> None:
    ran = maxi()
    assert ran.code == ExitCode.DONE
    assert "Commands:" in ran.out


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_both_help_flags_work_and_every_command_has_an_example(maxi, flag) -> None:
    for name, found in COMMANDS.items():
        for words in [[name]] if isinstance(found, str) else [[name, below] for below in found[1]]:
            assert "Example: maxi " in maxi(*words, flag).out, words


@pytest.mark.parametrize(("own", "then"), [(None, "passive"), ("active", "active")])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(monkeypatch, own: str | None, then: str) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "to be put back")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    if own:
        monkeypatch.setenv("OMP_WAIT_POLICY", own)
    monkeypatch.setattr(sys, "argv", ["maxi", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert os.environ["OMP_WAIT_POLICY"] == then


@pytest.mark.parametrize(
    "command", ["eval sandbox -b {place}", pytest.param("predict sandbox {place} --labels a,b", marks=pytest.mark.long)]
)
def test_what_is_loaded_is_said_before_torch_is_imported(command: str, tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "a.mp4").write_text("no film")
    program = (
        "import sys, maxi_cli.terminal as terminal\n"
        "before = terminal.note\n"
        "def note(text):\n    before(text + (', with torch' if 'torch' in sys.modules else ', without torch'))\n"
        "terminal.note, terminal.watched = note, lambda: True\n"
        "from maxi_cli.__main__ import run\nrun(sys.argv[1:])"
    )
    words = command.format(place=tmp_path).split()
    ran = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "maxi: loading sandbox, without torch\n" in ran.stderr


def test_the_version_is_printed(maxi) -> None:
    assert maxi("--version").out.startswith("maxi 0.")


@pytest.fixture
def failing(monkeypatch):
    """Return a function that makes `maxi env` raise something."""

    def make(error: BaseException) -> None:
        def env() -> None:
            raise error

        monkeypatch.setattr("maxi_cli.env.env", env)

    return make


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MaxiError("the disk is full", "free some"), 1, "maxi: error: the disk is full; free some"),
        (KeyboardInterrupt(), 130, "maxi: interrupted"),
        (MaxiError("a name with\nnewline and \x1b[31mcolour"), 1, r"maxi: error: a name with\nnewline and \x1b[31mcol"),
    ],
)
def test_each_way_to_end_has_its_code_and_one_line(maxi, failing, error, code, line) -> None:
    failing(error)
    ran = maxi("env")
    assert ran.code == code
    assert one_line(ran.err).startswith(line)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory.\nTried to allocate 2.00 GiB")])
def test_too_little_memory_is_no_bug(maxi, failing, error: Exception) -> None:
    failing(error)
    ran = maxi("env")
    assert ran.code == ExitCode.FAILED
    assert one_line(ran.err).startswith(f"maxi: error: there is not enough memory ({type(error).__name__}")
    assert "bug" not in ran.err


def test_a_bug_gets_one_line_and_its_traceback_lies_in_a_file(maxi, failing) -> None:
    failing(ZeroDivisionError("division by zero"))
    ran = maxi("env")
    assert ran.code == ExitCode.FAILED
    line = one_line(ran.err)
    assert line.startswith("maxi: error: a bug in maxi: ZeroDivisionError: division by zero; the traceback is in ")
    kept = Path(line.split("the traceback is in ")[1].split(", please")[0])
    assert "Traceback" in kept.read_text()


@pytest.mark.parametrize(
    ("error", "deed_of"),
    [
        (ValueError("no\nluck"), "raised ValueError: no luck"),
        (StopIteration(), "raised StopIteration"),
        (ValueError(" \n"), "raised ValueError"),
        (SystemExit(2), "called sys.exit(2)"),
    ],
)
def test_an_error_without_words_is_its_kind_alone(error: BaseException, deed_of: str) -> None:
    assert deed(error) == deed_of


@pytest.mark.parametrize("before", [None, ImportError("no such library")])
def test_whoever_calls_sys_exit_is_named_and_not_obeyed(maxi, failing, before) -> None:
    error = SystemExit(0)
    error.__context__ = before
    failing(error)
    ran = maxi("env")
    assert ran.code == ExitCode.FAILED
    assert f"{__file__}:" in ran.err
    assert " called sys.exit(0), which ends no command of maxi; the traceback is in " in one_line(ran.err)


WORDS = {"COMP_WORDS": "maxi env --js", "COMP_CWORD": "2", "_TYPER_COMPLETE_ARGS": "maxi env --js"}
WORDS |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize(
    ("shell", "wrong"),
    [
        ("bash", {"COMP_WORDS": None}),
        ("bash", {"COMP_CWORD": None}),
        ("bash", {"COMP_CWORD": "two"}),
        ("bash", {"COMP_CWORD": "-1"}),
        ("bash", {"COMP_CWORD": "9" * 5000}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": None}),
        ("fish", {"_TYPER_COMPLETE_ARGS": None}),
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": None}),
        ("bash", {}),
        ("zsh", {}),
        ("fish", {}),
    ],
)
def test_completion_without_the_words_to_complete_is_one_line(maxi, monkeypatch, capsys, shell: str, wrong) -> None:
    monkeypatch.setenv("_MAXI_COMPLETE", f"complete_{shell}")
    for name, value in (WORDS | wrong).items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    if not wrong:
        with pytest.raises(SystemExit, match="0"):
            maxi()
        assert "--json" in capsys.readouterr().out
        return
    ran = maxi()
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert one_line(ran.err).startswith("maxi: error: _MAXI_COMPLETE is for the shell, which sets ")


def test_the_reader_of_a_pipe_may_leave_early() -> None:
    pipe = subprocess.Popen([sys.executable, "-m", "maxi_cli", "env"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.close()
    errors = pipe.stderr.read().decode()
    pipe.stderr.close()
    assert pipe.wait() == 0, errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


def test_a_pipe_that_breaks_elsewhere_is_no_success() -> None:
    program = (
        "import sys; from maxi_cli import __main__, env\n"
        "def broken(): raise BrokenPipeError(32, 'Broken pipe')\n"
        "env.env = broken\n"
        "sys.exit(__main__.run(['env']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.FAILED
    assert "BrokenPipeError" in one_line(done.stderr)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_end_the_command_with_the_codes_of_the_shell(fake_dist: FakeDist, sent: int, code: int) -> None:
    slow = EXPANDER.format(name="slow") + "\n    print('ready', flush=True)\n    import time; time.sleep(60)\n"
    fake_dist("slow", slow)
    process = subprocess.Popen(
        [sys.executable, "-m", "maxi_cli", "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"  # what is printed while a plugin is imported goes there
    began = time.monotonic()
    process.send_signal(sent)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert time.monotonic() - began < 10
    assert "Traceback" not in errors


CHATTER = (
    EXPANDER.format(name="chatter") + "\n    import logging; logging.error('root'); logging.getLogger('x').error('x')\n"
)


def test_what_other_libraries_log_is_shown_only_when_asked_for(maxi_process, fake_dist: FakeDist) -> None:
    fake_dist("chatter", CHATTER)
    assert maxi_process("plugins").stderr == ""
    assert "root" in maxi_process("--log-level", "info", "plugins").stderr


def test_torchrun_can_start_the_command() -> None:
    arguments = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "maxi_cli", "plugins", "--json"]
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"schema": 1') == 2


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert visible("a\x1b[2Jb\rc\u202ed\ud800") == r"a\x1b[2Jb\rc\u202ed\ud800"
    assert visible("größe 日本 🎾") == "größe 日本 🎾"


def test_a_group_alone_prints_its_help_and_no_error(maxi) -> None:
    for group in ((), ("data",)):
        ran = maxi(*group)
        assert (ran.code, ran.err) == (ExitCode.DONE, "")
        assert "Commands:" in ran.out


def test_no_summary_of_a_command_is_cut(maxi, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in ("60", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        for group in ((), ("data",)):
            shown = maxi(*group, "--help").out
            assert "..." not in shown.partition("Commands:")[2]
            assert max(map(len, shown.splitlines())) <= int(columns)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--keep", "90%"), "'90%' is not a number, write 0.9 (see maxi bags -h)"),
        (("--keep", "0,9"), "'0,9' is not a number, write 0.9"),
        (("--keep", "90"), "[bags] keep = 90.0 (--keep) must be at most 1.0, write 0.9; it takes number > 0 and <= 1"),
        (("-o", "bags.keep=90%"), "[bags] keep = '90%' (-o bags.keep=90%) is not a number, write 0.9; it takes number"),
        (("--workers", "2.5"), "'2.5' is not a whole number"),
        (("--workers", "-1"), "workers = -1 (--workers) must be at least 0; it takes integer or none >= 0"),
        (("--video-timeout", "1m"), "'1m' is not a number"),
        (("--names", "free"), "[bags] names = 'free' (--names) is not known; it takes written | spaced"),
        (("-o", "video.allow_outside_root=maybe"), "is not true or false; it takes true or false"),
        (("-o", "gpt3.concurrency=many"), "is not a whole number; it takes integer >= 1 and <= 256"),
        (("-o", "eval.precision=bf16"), "precision = 'bf16' (-o eval.precision=bf16) is not known; it takes fp32 |"),
    ],
)
def test_a_value_that_is_not_right_is_refused_in_plain_words(maxi, arguments, said: str) -> None:
    ran = maxi("bags", "clips", *arguments)
    assert ran.code == ExitCode.USAGE
    assert said in ran.err
    for word in ("Input should", "parse", "valid", "Value error"):
        assert word not in ran.err.replace("Invalid value for", "")


@pytest.mark.parametrize("module", ["select", "typer", "maxi_cli.terminal", "maxi_cli.app", "maxi_core.recipe.recipe"])
def test_an_interrupt_at_any_moment_of_the_start_is_one_line(module: str, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == sys.argv[-1]:\n"
        "            raise KeyboardInterrupt\n"
        "sys.modules.pop('select', None)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "import runpy\n"
        "sys.argv = ['maxi', 'env']\n"
        "runpy.run_module('maxi_cli', run_name='__main__')\n"
    )
    program = program.replace("sys.argv[-1]", repr(module))
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "maxi: interrupted\n")


@pytest.mark.parametrize("command", ["env", "compare x", "check x", "report x", "predict sandbox x --labels a,b"])
def test_a_folder_that_is_gone_is_one_line_in_every_command(maxi, tmp_path: Path, monkeypatch, command: str) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ran = maxi(*command.split())
    assert (ran.code, ran.err) == (2, "maxi: error: the current folder is gone; cd to one that is there\n")
