"""Signals ask for an end and never cut a step in two."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_core.clip.checkpoints import checkpoints_of
from maxi_core.errors import ExitCode
from maxi_core.training.stopping import StoppedError, stop_on_signals
from tests.training.test_train_command import arguments, environment


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_sets_a_flag_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.signal == number
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_stops_at_once() -> None:
    with stop_on_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_exit_codes_are_those_of_the_signals() -> None:
    codes = [StoppedError(by, 3, "step-3").exit_code for by in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, None)]
    assert codes == [ExitCode.INTERRUPTED, *[ExitCode.TERMINATED] * 3]
    assert "stopped by SIGUSR1 after step 3" in str(StoppedError(signal.SIGUSR1, 3, "step-3"))


def test_a_hang_up_has_a_code_of_its_own_and_stays_ignored_where_it_was() -> None:
    assert StoppedError(signal.SIGHUP, 3, "step-3").exit_code == ExitCode.HUNG_UP == 129
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


VALIDATED = """
import os, signal, sys
from maxi_core.evaluation import evaluating, features
from maxi_cli.__main__ import main

real, count = features.encode_views, 0

def encode(*arguments):
    global count
    count += 1
    if count == {at}:
        os.kill(os.getpid(), signal.{name})
    return real(*arguments)

features.encode_views = encode
sys.argv = ["maxi", *sys.argv[1:]]
main()
"""


# at which of the four videos of the two validations, after the first epoch and the last
@pytest.mark.long  # signals between two steps are tried in test_train_command.py
@pytest.mark.parametrize(("name", "code", "at"), [("SIGTERM", 143, 2), ("SIGHUP", 129, 6)])
def test_a_signal_in_a_validation_ends_it_and_the_run_goes_on_as_if_it_had_not_come(
    world: Path, tmp_path: Path, name: str, code: int, at: int
) -> None:
    (tmp_path / "val").mkdir()
    for number in range(4):
        shutil.copy(world / "clips" / f"{number}.mp4", tmp_path / "val")
    rows = "".join(f"{number}.mp4,{('waving', 'juggling')[number % 2]}\n" for number in range(4))
    (tmp_path / "val" / "small.csv").write_text("path,label\n" + rows)

    def words(out: str, *more: str) -> list[str]:
        val = ("--val", str(tmp_path / "val" / "small.csv"), "--epochs", "2", "-q")
        return [*arguments(world, tmp_path / out, *val), *more]

    command = [sys.executable, "-m", "maxi_cli"]
    stopped = [sys.executable, "-c", VALIDATED.format(name=name, at=at), *words("stopped")]
    ended = subprocess.run(stopped, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert f"stopped by {name} after step {4 if at == 2 else 8}" in ended.stderr
    subprocess.run([*command, *words("stopped", "--resume", "latest")], env=environment(), check=True)
    subprocess.run([*command, *words("whole")], env=environment(), check=True)
    ends = [checkpoints_of(tmp_path / out)[-1] for out in ("stopped", "whole")]
    for file in ("model.safetensors", "state/optimizer.safetensors", "state/state.json"):
        assert (ends[0] / file).read_bytes() == (ends[1] / file).read_bytes()
    lines = [(tmp_path / out / "metrics.jsonl").read_text().splitlines() for out in ("stopped", "whole")]
    vals = [[record for line in each if "val" in (record := json.loads(line))] for each in lines]
    assert vals[0] == vals[1]
    manifests = [json.loads((tmp_path / out / "manifest.json").read_text()) for out in ("stopped", "whole")]
    assert [made["best"] for made in manifests] == [manifests[0]["best"]] * 2
