"""The contract kit as this suite uses it."""

from collections.abc import Callable
from typing import Any

import pytest

from maxi_core.testing.plugin import light_to_import, light_to_make
from maxi_core.testing.source import same_elsewhere

Test = Callable[..., None]
ELSEWHERE = (light_to_import, light_to_make, same_elsewhere)


def in_this_process(test: Test) -> Test:
    """Leave those cases of a contract to `make long` that start a process, which takes longest."""
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    name, checks = mark.args
    cases: list[Any] = [
        pytest.param(check, id=sentence, marks=[pytest.mark.long] if check in ELSEWHERE else [])
        for check, sentence in zip(checks, mark.kwargs["ids"], strict=True)
    ]
    del test.pytestmark  # type: ignore[attr-defined]
    return pytest.mark.parametrize(name, cases)(test)
