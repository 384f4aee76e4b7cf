"""Signals ask for an end and never cut a step in two."""

import os
import signal

import pytest

from maxi_core.errors import ExitCode
from maxi_core.training.stopping import StoppedError, stop_on_signals


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
