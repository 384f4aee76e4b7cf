"""Files are written whole or not at all; stamps are UTC; caches lie where the user says."""

import re
import resource
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError
from maxi_core.files import maxi_home, utc_stamp, write_text


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "recipe.toml"
    write_text(path, "one")
    write_text(path, "zwölf\n")
    assert path.read_text(encoding="utf-8") == "zwölf\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["recipe.toml"]


def test_a_full_disk_leaves_the_old_file_and_names_path_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    write_text(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(MaxiError, match=r"cannot write .*recipe.toml \(5000 bytes\): File too large; make room"):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MaxiError, match="cannot write .*file/recipe.toml"):
        write_text(tmp_path / "file" / "recipe.toml", "x")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_stamps_are_utc_in_any_time_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    import time
    from datetime import UTC, datetime

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        stamp = utc_stamp()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp)
        seconds = abs((datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds())
        assert seconds < 5
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_caches_lie_in_maxi_home_or_the_platforms_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert maxi_home().name.startswith("home")
    monkeypatch.delenv("MAXI_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert maxi_home().name == "maxi"
