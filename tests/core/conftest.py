"""A bucket for tests that need no server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.system import remote_servers
from tests.core.bucket import Bucket


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Put files in memory where S3 would be asked."""
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "one"))
    system = Bucket(skip_instance_cache=True)
    monkeypatch.setattr(remote_servers, "system", lambda _scheme: system)
    monkeypatch.setattr(remote_servers, "_states", {})
    system.fetched.clear()
    system.written.clear()
    yield system
    system.store.clear()
