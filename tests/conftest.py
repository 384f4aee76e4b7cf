"""Fixtures that many tests share: an environment of its own, small distributions, and the `maxi` command."""

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from maxi_cli.__main__ import run
from maxi_core.system.threads import wait_passively
from tests.buckets import GS, S3, Bucket, point_gs_at, point_s3_at

wait_passively()
settings.register_profile("any machine", deadline=None)  # a busy one is no fault of what is tested
settings.load_profile("any machine")

FakeDist = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a MAXI_HOME of its own, no MAXI_* of the developer's, and 80 columns."""
    for name in [name for name in os.environ if name.startswith("MAXI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAXI_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def fake_dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDist:
    """Return a function that puts a small distribution with one `maxi` entry point on sys.path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def install(dist: str, code: str, *, entry: str | None = None, version: str = "1.0") -> Path:
        module = dist.replace("-", "_")
        (folder / f"{module}.py").write_text(textwrap.dedent(code))
        info = folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[maxi]\n{entry or dist} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return folder

    return install


EXPANDER = """
    from maxi_core import Expander, hookimpl
    import maxi_core
    from pydantic import Field

    class Fake(Expander):
        '''Says the entry again.'''
        name = "{name}"
        class Options(maxi_core.Options):
            limit: int = Field(5, ge=1, description="how many")
            at_most: int = Field(9, description="and no more")
            words: tuple[str, ...] = Field((), description="which words")
        def expand(self, entries):
            return [self.say(entry) for entry in entries]
        def say(self, entry):
            return [entry]

    @hookimpl
    def maxi_register_sources():
        return [Fake]
"""


@dataclass(frozen=True)
class Ran:
    """What a run of the command returned and printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def maxi(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs the `maxi` command line in this process."""

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(int(code), out, err)

    return call


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands announce what they begin, as where somebody sees stderr on a terminal."""
    monkeypatch.setattr("maxi_cli.terminal.watched", lambda: True)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Return what maxi warns of from now on, whatever handlers the commands of a test set up."""
    found: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            found.append(record.getMessage())
        return True

    loggers = [logging.getLogger(name) for name in ("maxi", "maxi.plugins")]
    for logger in loggers:
        logger.addFilter(keep)
    yield found
    for logger in loggers:
        logger.removeFilter(keep)


@pytest.fixture
def maxi_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the `maxi` command line in a process of its own."""

    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "maxi_cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **env},
        )

    return call


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maxi: Callable[..., Ran]) -> Callable[..., Ran]:
    """Run the command on a machine, which has a MAXI_HOME of its own."""

    def run(machine: str, *typed: object) -> Ran:
        monkeypatch.setenv("MAXI_HOME", str(tmp_path / machine))
        ran = maxi(*map(str, typed))
        assert "Traceback" not in ran.err
        return ran

    return run


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Return the address of a real S3 server on the loopback interface; it takes two seconds to import."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'maxi[s3]'")
    moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client, as the owner of the buckets has it; the server is the only one that is asked."""
    import s3fs

    point_s3_at(s3_server, monkeypatch)
    return s3fs.S3FileSystem(use_listings_cache=False)


@pytest.fixture(scope="session")
def gs_server() -> Iterator[Any]:
    """Return an emulator of Google's storage on the loopback interface."""
    pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install 'maxi[gs]'")
    pytest.importorskip("gcp_storage_emulator", reason="it is not installed: pip install gcp-storage-emulator")
    from tests.google_storage import serving

    with serving() as server:
        yield server


@pytest.fixture
def gs(gs_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client, as the owner of the buckets has it; the emulator takes any token, and none."""
    from gcsfs.core import GCSFileSystem

    point_gs_at(gs_server.url, monkeypatch)
    return GCSFileSystem(token="anon", endpoint_url=gs_server.url, use_listings_cache=False)


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Return each kind of object store that can be written."""
    client = request.getfixturevalue(request.param)
    return S3(client) if request.param == "s3" else GS(client, request.getfixturevalue("gs_server").refused)
