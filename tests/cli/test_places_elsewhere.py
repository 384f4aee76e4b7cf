"""URLs where a command writes on this machine: one line before any work, and no folder of that name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.video.clips import write_numbered

SECRET = "secretsignature"
WRITE = {
    "import checkpoint": ("import", "checkpoint", "model.pt", "--out"),
    "ensemble": ("ensemble", "sandbox", "trained", "--out"),
    "merge": ("merge",),
    "demo": ("demo", "--out"),
    "commands of demo": ("demo", "--print-commands", "--out"),
    "new-plugin": ("new-plugin", "my-x", "--role", "expander", "--out"),
    "check": ("check", "clip.mp4", "--problems"),
    "predict": ("predict", "sandbox", "clip.mp4", "--labels", "a,b", "--strip"),
    "heatmap": ("heatmap", "clip.mp4", "--text", "a", "--models", "sandbox", "--out"),
    "study": ("study", "loss", "--out"),
    "frames": ("eval", "sandbox", "--benchmark", "sandbox-same-dev", "--frame-cache"),
    "export model": ("export", "model", "sandbox", "--to", "open-clip"),
}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maxi: Callable[..., Ran]) -> Callable[..., str]:
    """Return a function that types a command in a folder with a clip, and returns its one line."""
    monkeypatch.chdir(tmp_path)
    write_numbered(tmp_path / "clip.mp4", 4)

    def run(*words: str) -> str:
        ran = maxi(*words)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert not list(tmp_path.glob("*:*")), "a folder of that name was made here"
        assert SECRET not in ran.err
        (line,) = [line for line in ran.err.splitlines() if "error: " in line]
        return line

    return run


@pytest.mark.parametrize("command", WRITE.values(), ids=WRITE)
@pytest.mark.parametrize("url", ["s3://lab/x.png", f"https://host/x.png?X-Amz-Signature={SECRET}"])
def test_a_url_is_refused_before_any_work(typed: Callable[..., str], command: tuple[str, ...], url: str) -> None:
    line = typed(*command, url)
    assert url.partition("?")[0] in line
    assert "on this machine" in line


@pytest.mark.parametrize(
    "command",
    [
        ("bags", "clip.mp4", "--dictionary", "sandbox", "--out", "run", "--config"),
        ("bags", "clip.mp4", "--dictionary", "sandbox", "--out", "run", "--plugin"),
        ("eval", "sandbox", "--benchmark"),
        ("eval", "sandbox", "--benchmark", "ucf101", "--videos", ".", "--annotations"),
        ("study",),
    ],
)
def test_what_is_read_here_alone_says_so(typed: Callable[..., str], command: tuple[str, ...]) -> None:
    line = typed(*command, "s3://lab/x.csv")
    assert "error: s3://lab/x.csv is remote, and " in line
    assert "read on this machine; copy it here" in line


@pytest.mark.parametrize("command", [WRITE["demo"], ("eval", "sandbox", "-b", "sandbox-same-dev", "--out")])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ftp://host/x", "ftp:// is not read"),
        ("file:///tmp/x", "file:// is not read"),
        ("s3a://lab/x", "s3a:// is not read"),
        ("s3:lab/x", "s3:lab/x is no URL of s3; write s3://, and what is meant behind it"),
        ("S3://", "is no URL of s3"),
    ],
)
def test_what_is_nearly_a_url_is_no_folder(
    typed: Callable[..., str], command: tuple[str, ...], written: str, said: str
) -> None:
    assert said in typed(*command, written)


def test_the_name_of_a_training_is_no_path(typed: Callable[..., str], maxi: Callable[..., Ran]) -> None:
    line = typed("train", "run", "--name", "s3://lab/x")
    assert "train.name 's3://lab/x' is no name of a folder; name one without a /, or use --out" in line


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            ("study", "loss", "--config", "sandbox", "--dry-run", "--videos", "http://127.0.0.1:9/none"),
            marks=pytest.mark.long,  # half a minute: the plan of a study settles each variant
        ),
        ("export", "model", "http://127.0.0.1:9/none", "exported", "--to", "open-clip"),
    ],
)
def test_what_cannot_be_fetched_is_no_bug_and_no_fault_of_the_place(
    typed: Callable[..., str], command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maxi_core.system.remote_servers.PAUSES", ())
    line = typed(*command)
    assert "cannot be reached" in line
    assert "cannot write" not in line
