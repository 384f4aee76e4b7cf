"""The learning rate against its closed form."""

import math

import pytest

from maxi_core.training.loop import Schedule


def test_the_rate_rises_in_a_line_from_zero_and_falls_in_a_cosine_to_a_hundredth() -> None:
    schedule = Schedule(5e-6, steps=101, warmup=50)
    rates = [schedule.rate(step) for step in range(101)]
    assert rates[0] == 0
    assert rates[25] == pytest.approx(2.5e-6)
    assert rates[50] == 5e-6 == max(rates)
    assert rates[75] == pytest.approx(5e-8 + (5e-6 - 5e-8) / 2)
    assert rates[60] == pytest.approx(5e-8 + (5e-6 - 5e-8) * (1 + math.cos(0.2 * math.pi)) / 2)
    assert rates[100] == pytest.approx(5e-8)


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    assert Schedule(1e-3, 10).rate(0) == 1e-3


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (5, 5), (5, 50), (5, 4)])
def test_every_step_has_a_rate_however_short_the_run(steps: int, warmup: int) -> None:
    rates = [Schedule(1.0, steps, warmup).rate(step) for step in range(steps + 1)]
    assert all(0 <= rate <= 1 for rate in rates)
