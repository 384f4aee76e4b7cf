"""The small world that trainings are tried on."""

from pathlib import Path

import pytest

from tests.training.runs import write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the world once for all tests; nobody writes into it afterwards."""
    return write_world(tmp_path_factory.mktemp("world"))
