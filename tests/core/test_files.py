"""Files are written whole or not at all; stamps are UTC; caches lie where the user says."""

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import maxi_home, parsed_json, utc_stamp, write_lines, write_text


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
        with pytest.raises(MaxiError, match=r"cannot write .*toml \(at least 5000 bytes\): File too large; make room"):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_long_file_names_the_bytes_it_had_come_to_when_the_disk_was_full(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(MaxiError, match=r"bags.jsonl \(at least 1\d{5} bytes\): File too large; make room"):
            write_lines(tmp_path / "bags.jsonl", ("x" * 999 for _ in range(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_what_makes_the_lines_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "one"
        raise FileNotFoundError(2, "No such file or directory", "a video")

    with pytest.raises(FileNotFoundError, match="a video"):
        write_lines(tmp_path / "bags.jsonl", lines())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "recipe.toml", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "recipe.toml").stat().st_mode & 0o777 == mode


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


def test_what_a_killed_process_left_is_swept_and_what_is_being_made_is_not(tmp_path: Path) -> None:
    from maxi_core.system.files import hold, partial_of, sweep

    for name in (".a.txt.0123abcd", ".mine", ".a.txt.xyz", "a.0123abcd"):
        (tmp_path / name).touch()
    left, made = partial_of(tmp_path / "folder", "-"), partial_of(tmp_path / "folder", "-")
    for folder in (left, made):
        (folder / "inside").mkdir(parents=True)
    handle = os.open(made, os.O_RDONLY)
    hold(handle)
    sweep(tmp_path)
    os.close(handle)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".mine", ".a.txt.xyz", "a.0123abcd", made.name])


@pytest.fixture
def swept_once(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Another process takes what is being made for what was left, once, just before it is marked."""
    from maxi_core.system import files

    taken: list[Path] = []
    mark = files.fcntl.flock

    def flock(handle: int, how: int) -> None:
        if not taken:
            taken.append(Path(f"/proc/self/fd/{handle}").readlink())
            taken[0].rmdir() if taken[0].is_dir() else taken[0].unlink()
        mark(handle, how)

    monkeypatch.setattr(files.fcntl, "flock", flock)
    return taken


def test_a_file_that_is_swept_before_it_is_marked_is_made_anew(tmp_path: Path, swept_once: list[Path]) -> None:
    write_text(tmp_path / "a.txt", "text")
    assert len(swept_once) == 1
    assert (tmp_path / "a.txt").read_text() == "text"
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208 - hidden ones, too


def test_a_folder_that_is_swept_before_it_is_marked_is_made_anew(tmp_path: Path, swept_once: list[Path]) -> None:
    from maxi_core.system.files import whole_folder

    with whole_folder(tmp_path / "made") as folder:
        (folder / "inside").touch()
    assert len(swept_once) == 1
    assert (tmp_path / "made" / "inside").is_file()


def test_a_folder_that_is_swept_before_it_is_opened_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maxi_core.system import files

    real, swept = os.open, []

    def opened(path: Path, flags: int) -> int:
        if not swept:
            swept.append(path)
            Path(path).rmdir()
        return real(path, flags)

    monkeypatch.setattr(files.os, "open", opened)
    folder, handle = files.held_folder(tmp_path / "made")
    os.close(handle)
    assert folder.is_dir()
    assert folder not in swept


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    with (tmp_path / "opened").open("w") as file:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{file.fileno()}")
        for name in ("pipe", "null", "stdout"):
            with pytest.raises(MaxiError, match=f"cannot write .*{name}: it is no ordinary file"):
                write_text(tmp_path / name, "text")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="link: it is a link to nowhere, and would be replaced"):
        write_text(tmp_path / "link", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "null", "opened", "pipe", "stdout"]
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "stdout").is_symlink()


def test_json_that_is_nested_too_deeply_is_no_json() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parsed_json("[" * 100_000)
    assert parsed_json(b'{"a": [1]}') == {"a": [1]}
