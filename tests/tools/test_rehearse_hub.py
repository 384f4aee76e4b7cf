"""Fetching a captioner from a hub on the loopback interface: cut short, not whole, away; and killed in the middle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_plugins.captioner_files import captioner_folder
from tests.tools.client import point_at
from tools.rehearse.hub import COMMIT, Hub, etag, folder_of, serving, write_repository

NAME = "someone/captioner"
SIZE = 300_000
WEIGHTS = "model.safetensors"
UNWANTED = ("pytorch_model.bin", "tf_model.h5")  # as Salesforce's repository has them


def fill(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "vocab.txt").write_text("a\nb\n")
    (folder / WEIGHTS).write_bytes(bytes(range(250)) * (SIZE // 250))
    for name in UNWANTED:
        (folder / name).write_bytes(b"pickled")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("hub")
    write_repository(cache, NAME, fill)
    return cache


@pytest.fixture
def hub(there: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(there)) as hub:
        point_at(hub.url, monkeypatch)
        yield hub


def error() -> str:
    with pytest.raises(MaxiError) as caught:
        captioner_folder("blip", NAME, None)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_download_takes_the_wanted_files_and_a_second_one_none(hub: Hub, here: Path, there: Path) -> None:
    folder = captioner_folder("blip", NAME, None)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", WEIGHTS, "vocab.txt"]
    assert (folder / WEIGHTS).read_bytes() == (folder_of(there, NAME) / "snapshots" / COMMIT / WEIGHTS).read_bytes()
    assert sorted(hub.fetched()) == ["config.json", WEIGHTS, "vocab.txt"]
    assert captioner_folder("blip", NAME, None) == folder
    assert len(hub.fetched()) == 3


def test_the_cache_that_is_written_is_that_of_the_client(hub: Hub, here: Path, there: Path) -> None:
    captioner_folder("blip", NAME, None)
    made, fetched = folder_of(there, NAME), folder_of(here, NAME)
    assert (fetched / "refs" / "main").read_text() == (made / "refs" / "main").read_text()
    for file in (fetched / "snapshots" / COMMIT).iterdir():
        assert file.readlink() == (made / "snapshots" / COMMIT / file.name).readlink()
        assert etag(file) == file.resolve().name


def test_a_cache_that_was_written_serves_without_a_network(
    there: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(there))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert (captioner_folder("blip", NAME, None) / WEIGHTS).stat().st_size == SIZE


def test_a_file_that_is_missing_is_one_line_and_the_next_run_fetches_only_what_is_not_here(
    hub: Hub, here: Path
) -> None:
    hub.missing = {WEIGHTS}
    line = error()
    had = {path.name for path in (folder_of(here, NAME) / "snapshots" / COMMIT).glob("*")}  # it fetches side by side
    assert line.startswith(f"captioner '{NAME}' is not here and cannot be fetched")
    assert WEIGHTS in line
    hub.missing, hub.asked = set(), []
    assert (captioner_folder("blip", NAME, None) / WEIGHTS).stat().st_size == SIZE
    assert set(hub.fetched()) == {"config.json", "vocab.txt", WEIGHTS} - had
    assert WEIGHTS not in had


@pytest.mark.long  # the client waits a second before it goes on
def test_a_connection_that_is_cut_goes_on_from_the_last_whole_chunk(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 40_000)  # of 10 MB
    hub.cut = {WEIGHTS: 100_000}
    folder = captioner_folder("blip", NAME, None)
    ranges = [wanted for method, name, wanted in hub.asked if (method, name) == ("GET", WEIGHTS)]
    assert ranges == ["", "bytes=80000-"]
    assert etag(folder / WEIGHTS) == (folder / WEIGHTS).resolve().name


def test_a_repository_that_is_not_there_is_one_line(hub: Hub) -> None:
    with pytest.raises(UsageError, match="'someone/else' is no folder here, and the hub does not have it") as caught:
        captioner_folder("blip", "someone/else", None)
    assert "\n" not in str(caught.value)


def test_a_revision_that_is_not_there_is_one_line(hub: Hub) -> None:
    with pytest.raises(UsageError, match="at revision 'v9' is no folder here, and the hub does not have it"):
        captioner_folder("blip", NAME, "v9")


def test_a_hub_that_is_away_is_one_line_and_what_was_fetched_stays(
    hub: Hub, there: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at("http://127.0.0.1:9", monkeypatch)  # nothing listens there
    line = error()
    assert f"captioner '{NAME}' is not here and cannot be fetched" in line
    assert "--local-dir DIR` elsewhere, then type -o blip.model=DIR" in line
    point_at(hub.url, monkeypatch)
    folder = captioner_folder("blip", NAME, None)
    point_at("http://127.0.0.1:9", monkeypatch)
    assert captioner_folder("blip", NAME, None) == folder


FETCH = """
import sys
from maxi_plugins.captioner_files import captioner_folder
print(captioner_folder("blip", sys.argv[1], None))
"""


@pytest.mark.long  # processes of their own
def test_a_run_that_is_killed_in_the_middle_of_a_file_keeps_the_whole_ones(there: Path, tmp_path: Path) -> None:
    with serving(Hub(there, cut={WEIGHTS: 100_000})) as hub:
        env = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
        env |= {"HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", FETCH, NAME]
        snapshot = folder_of(tmp_path, NAME) / "snapshots" / COMMIT
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as first:
            while first.poll() is None and (WEIGHTS in hub.cut or len(list(snapshot.glob("*"))) < 2):
                time.sleep(0.01)
            first.send_signal(signal.SIGKILL)  # it waits a second before it goes on with the weights
        assert first.returncode == -signal.SIGKILL
        hub.asked.clear()
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert hub.fetched() == [WEIGHTS]
    folder = Path(done.stdout.strip())
    assert etag(folder / WEIGHTS) == (folder / WEIGHTS).resolve().name
