"""The entry of the `maxi` command, and of `torchrun -m maxi_cli`: errors become one line and an exit code."""

import os
import sys

try:
    import atexit
    import errno
    import select
    import signal
    import threading
    import time
    import traceback
    from collections.abc import Callable, Sequence
    from contextlib import suppress
    from pathlib import Path
    from types import FrameType
    from typing import NoReturn

    import typer

    from maxi_cli.terminal import complain, note
    from maxi_core.errors import (
        ExitCode,
        MaxiError,
        Terminated,
        UsageError,
        deed,
        is_out_of_memory,
        kind_and_words,
        one_line,
    )
    from maxi_core.system.threads import wait_passively
except KeyboardInterrupt:  # Ctrl-C in the first tenths of a second
    sys.stderr.write("maxi: interrupted\n")
    os._exit(130)

CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE, errno.EIO)
LINGER = 5.0  # seconds after which a thread that outlives its command is named
COMPLETED_BY = {
    "bash": ("COMP_WORDS", "COMP_CWORD"),
    "zsh": ("_TYPER_COMPLETE_ARGS",),
    "powershell": ("_TYPER_COMPLETE_ARGS",),
    "pwsh": ("_TYPER_COMPLETE_ARGS",),
    "fish": ("_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_FISH_ACTION"),
}  # what each shell says of the words to complete
ENDS = {signal.SIGTERM: ("terminated", ExitCode.TERMINATED), signal.SIGHUP: ("hung up", ExitCode.HUNG_UP)}


def _terminate(number: int, _frame: FrameType | None) -> None:
    for other in ENDS:
        signal.signal(other, signal.SIG_IGN)  # what is under way now is the end
    raise Terminated(number)


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 (one return for each way to end)
    """Run one command and return its exit code."""
    try:
        from maxi_cli.app import app

        for number in ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
                signal.signal(number, _terminate)
        _check_folder()
        _check_completion()
        returned = app(args=list(arguments), prog_name="maxi", standalone_mode=False)
        if returned == ExitCode.INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
        sys.stdout.flush()
    except MaxiError as error:
        complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        complain(f"{_said(error).rstrip('.')} {_help_of(error)}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        return ExitCode.INTERRUPTED
    except Terminated as ended:
        said, code = ENDS[ended.args[0]]
        note(said)
        return code
    except (Exception, SystemExit) as left:
        bug: BaseException = left
        if isinstance(left, SystemExit) and _where(left)[1].startswith("typer."):
            if left.__context__ is None:  # completion is done
                raise
            bug = left.__context__  # of a pipe that is broken, typer makes an exit without a word
        if isinstance(bug, BrokenPipeError) and _nobody_reads():
            return ExitCode.DONE
        return _said_of(bug)
    return returned if isinstance(returned, int) else ExitCode.DONE


def _said_of(bug: BaseException) -> int:
    """Say what ended a command that nobody foresaw; return its exit code."""
    if isinstance(bug, OSError) and (reason := _stdout_refuses(bug)):
        complain(f"cannot write to stdout: {reason}")
        return ExitCode.FAILED
    if isinstance(bug, OSError) and bug.errno in CLOSED and bug.filename is not None:
        complain(f"cannot get at {os.fsdecode(bug.filename)}: {bug.strerror}; look at it with ls -ld")
        return ExitCode.USAGE
    if isinstance(bug, SystemExit):
        complain(f"{_where(bug)[0]} {deed(bug)}, which ends no command of maxi; {_kept_traceback()}")
        return ExitCode.FAILED
    if is_out_of_memory(bug):
        fix = "take fewer frames or a smaller model, or choose another --device"
        complain(f"there is not enough memory ({one_line(kind_and_words(bug))}); {fix}")
        return ExitCode.FAILED
    complain(f"a bug in maxi: {kind_and_words(bug)}; {_kept_traceback()}")
    return ExitCode.FAILED


def _where(left: SystemExit) -> tuple[str, str]:
    """Return the place where the process was to end, a file with its line, and the module."""
    frame, line = [*traceback.walk_tb(left.__traceback__)][-1]
    return f"{frame.f_code.co_filename}:{line}", str(frame.f_globals.get("__name__", ""))


def _check_folder() -> None:
    """Raise UsageError if the current folder was removed: no relative path means anything then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder is gone", "cd to one that is there") from None


def _check_completion() -> None:
    """Raise UsageError if a shell's completion is asked for without the words to complete, or the place among them."""
    instruction, _, shell = os.environ.get("_MAXI_COMPLETE", "").partition("_")
    if instruction != "complete" or shell not in COMPLETED_BY:
        return  # typer says what is wrong
    place = os.environ.get("COMP_CWORD", "") if shell == "bash" else "0"
    if not all(name in os.environ for name in COMPLETED_BY[shell]) or not (place.isdecimal() and len(place) < 10):
        raise UsageError(
            f"_MAXI_COMPLETE is for the shell, which sets {' and '.join(COMPLETED_BY[shell])}, too",
            "unset it, or set completion up anew: maxi --install-completion",
        )


def _nobody_reads() -> bool:
    """Whether the reader of stdout, such as `head`, has seen enough; then what is left goes nowhere."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file at all
        return False
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    _let_stdout_go()
    return True


def _stdout_refuses(error: OSError) -> str:
    """Return why nothing more can be written to stdout, such as a full disk, "" if it can.

    Of an unbuffered one only the error itself tells; one of our own files would have been a MaxiError.
    """
    from maxi_core.system.files import FULL

    try:
        sys.stdout.flush()
        refused = error if error.errno in FULL and error.filename is None else None
    except OSError as again:
        refused = again
    if refused is None:
        return ""
    _let_stdout_go()
    return refused.strerror or str(refused)


def _let_stdout_go() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _said(error: typer.TyperException) -> str:
    """Return what typer says, and in our words what pydantic says through it."""
    errors = getattr(error.__cause__, "errors", None)
    if errors is not None:
        from maxi_core.settings.options import why_refused

        first = errors(include_url=False)[0]
        value = "" if first["type"] == "value_error" else repr(first["input"])
        error.message = f"{value}{why_refused(first)}".removeprefix(": ")
    return error.format_message()


def _help_of(error: typer.TyperException) -> str:
    """Return what to type to learn how the command is used."""
    context = getattr(error, "ctx", None)
    return f"(see {context.command_path if context else 'maxi'} -h)"


def _kept_traceback() -> str:
    """Write the traceback of the current exception to a file, and say where."""
    from maxi_core.system.files import maxi_home, utc_stamp, write_text
    from maxi_core.system.secrets import without_secrets

    path = maxi_home() / "logs" / f"bug-{utc_stamp().replace(':', '')}-{os.getpid()}.log"
    try:
        write_text(path, without_secrets(traceback.format_exc()))
    except MaxiError as error:
        return str(error)
    return f"the traceback is in {path}, please report it"


def _reopen_closed() -> None:
    """Give a process that was started without stdin, stdout or stderr (`>&-`) one that leads nowhere.

    Else the next file that is opened would be in its place, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _refuse_to_vanish() -> None:
    """Let os._exit, which ends a process without a word, name who called it, and say that the command is not done.

    Processes that are made by forking this one may use it, as multiprocessing does.
    """
    own, leave = os.getpid(), os._exit

    def _exit(status: int) -> NoReturn:
        if os.getpid() == own:
            caller = sys._getframe(1)
            place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
            complain(f"{place} called os._exit({status!r:.80}), which ends maxi before its command is done")
            status = ExitCode.FAILED
        leave(status)

    os._exit = _exit


def main() -> None:
    """Run the command line of this process."""
    leave = os._exit
    try:
        _refuse_to_vanish()
        _reopen_closed()
        wait_passively()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # between the commands' own handlers
        note("interrupted")
        code = ExitCode.INTERRUPTED
    if os.environ.get("WORLD_SIZE", "1") != "1" and "torch" in sys.modules:
        _leave_at_once(code, leave)
    try:
        _await_threads()
    except KeyboardInterrupt:
        _leave_at_once(code, leave)
    sys.exit(code)


def _await_threads() -> None:
    """Wait for threads that Python would wait for, and name one that is still at work after a while."""
    others = [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    end = time.monotonic() + LINGER
    for thread in others:
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            note(f"all is done; the thread '{thread.name}' of a plugin or library still runs, and Ctrl-C ends it")
            thread.join()


def _leave_at_once(code: int, leave: Callable[[int], NoReturn]) -> None:
    """End a process, such as one of torchrun's, without taking its libraries down.

    Threads of a process group that torch has left behind abort a process now and then while the interpreter ends
    ("terminate called without an active exception"), and torchrun then ends the other ranks, whose work is not done.
    """
    atexit._run_exitfuncs()  # logs are closed, workers ended
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    leave(code)


if __name__ == "__main__":
    main()
