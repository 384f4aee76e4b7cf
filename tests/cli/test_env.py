"""`maxi env`: what a report needs, with secrets only as set or unset, and settings with their origin."""

import json

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER


def test_versions_devices_decoders_and_folders_are_printed(maxi) -> None:
    document = json.loads(maxi("env", "--json").out)
    assert document["versions"]["torch"][0].isdigit()
    assert "cpu" in document["devices"]
    assert "(default)" in document["decoders"]["pyav"]
    assert set(document["folders"]) == {"MAXI_HOME", "HF_HOME"}
    assert document["plugins"]["maxi:mean"] == "ok"


def test_the_revision_of_a_checkout_is_told_and_of_nothing_else(tmp_path) -> None:
    import subprocess

    from maxi_core.system.environment import git_revision

    def git(*words: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        return subprocess.run(["git", "-C", tmp_path, *who, *words], capture_output=True, text=True, check=True).stdout

    (tmp_path / "ours").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "ours" / "a.py").write_text("x")
    assert git_revision(tmp_path / "ours") == ""
    git("init", "-q")
    git("add", "ours")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD").strip()
    assert git_revision(tmp_path / "ours") == commit
    (tmp_path / "ours" / "a.py").write_text("y")
    assert git_revision(tmp_path / "ours") == f"{commit} with changes"
    assert git_revision(tmp_path / "site") == ""
    assert git_revision(tmp_path / "none") == ""


def test_secrets_are_set_or_unset_and_never_shown(maxi, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:canary@localhost/v1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for ran in (maxi("env"), maxi("env", "--json"), maxi("--log-level", "debug", "env")):
        assert "canary" not in ran.out + ran.err
    document = json.loads(maxi("env", "--json").out)
    assert document["environment"]["OPENAI_API_KEY"] == "set"
    assert document["environment"]["HF_TOKEN"] == "unset"
    assert document["environment"]["OPENAI_BASE_URL"] == "http://***@localhost/v1"


def test_an_option_that_holds_a_secret_is_only_said_to_be_set(maxi, fake_dist, monkeypatch) -> None:
    fake_dist("polite", EXPANDER.format(name="polite").replace("limit: int = Field(5, ge=1", 'token: str = Field(""'))
    monkeypatch.setenv("MAXI_POLITE_TOKEN", "canary")  # short, and yet never shown
    document = json.loads(maxi("env", "--json").out)
    assert document["environment"]["MAXI_POLITE_TOKEN"] == "set"
    assert document["settings"] == {"polite:polite.token": "set (MAXI_POLITE_TOKEN)"}
    monkeypatch.delenv("MAXI_POLITE_TOKEN")
    assert "canary" not in maxi("env", "-o", "polite.token=canary").out


def test_settings_are_shown_with_where_they_come_from(maxi, fake_dist, monkeypatch, tmp_path) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maxi.toml").write_text("[polite]\nlimit = 2\n")
    monkeypatch.setenv("MAXI_POLITE_WORDS", "a,b")
    settings = json.loads(maxi("env", "--json", "-o", "sources.texts=polite").out)["settings"]
    assert settings == {
        "polite:polite.limit": "2 (maxi.toml)",
        "polite:polite.words": "('a', 'b') (MAXI_POLITE_WORDS)",
        "sources.texts": "('polite',) (-o sources.texts=polite)",
    }
    assert "  polite:polite.limit      2 (maxi.toml)" in maxi("env").out


def test_a_named_config_is_read_instead_of_the_one_that_lies_here(maxi, fake_dist, monkeypatch, tmp_path) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maxi.toml").write_text("[polite]\nlimit = 2\n")
    (tmp_path / "other.toml").write_text("[polite]\nlimit = 3\n")
    settings = json.loads(maxi("env", "--json", "--config", "other.toml").out)["settings"]
    assert settings == {"polite:polite.limit": "3 (other.toml)"}
    ran = maxi("env", "--config", "none.toml")
    assert (ran.code, ran.err) == (
        ExitCode.USAGE,
        "maxi: error: no recipe at none.toml; name an existing TOML file with --config\n",
    )


def test_a_mistake_in_the_config_is_one_line(maxi, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maxi.toml").write_text("[sorces]\ntexts = []\n")
    ran = maxi("env")
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith("maxi: error: no section [sorces] (did you mean 'sources'?) (maxi.toml); known: bags")
