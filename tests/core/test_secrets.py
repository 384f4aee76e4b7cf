"""Keys and passwords are taken out of every text, and nothing else is."""

import json
from pathlib import Path

import pytest

from maxi_core.system import secrets
from maxi_core.system.secrets import is_secret, keep_secret, keep_secrets_of, masked, without_secrets


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_told", set())


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "MAXI_GPT3_API_KEY",
        "MAXI_X_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "token",
        "DB_PASSWORD",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["MAXI_GPT3_MAX_TOKENS", "max_tokens", "api_key_file", "MONKEY", "keep", "HF_HOME"])
def test_names_that_only_look_alike_are_not(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key sk-12345678, again sk-12345678!", "key ***, again ***!"),
        ("http://me:secret@host/v1", "http://***@host/v1"),
        ("http://me:p@ss@host/v1 and a@b", "http://***@host/v1 and a@b"),
        ("https://user@host", "https://***@host"),
        ("mail me@home.org // or not", "mail me@home.org // or not"),
        ("the password wor@d/1234 alone", "the password *** alone"),
        ("a // b and @c", "a // b and @c"),
    ],
)
def test_secrets_and_users_of_urls_are_blotted_out(text: str, left: str) -> None:
    env = {"OPENAI_API_KEY": "sk-12345678", "SOME_PROXY": "http://user:wor@d/1234@proxy:80", "HOME": "again"}
    assert without_secrets(text, env) == left


def test_a_short_placeholder_mangles_nothing() -> None:
    assert without_secrets("maxi bags x --out x", {"OPENAI_API_KEY": "x"}) == "maxi bags x --out x"


def test_a_secret_in_a_secret_leaves_no_rest() -> None:
    assert without_secrets("abcdefghij-klm", {"A_KEY": "abcdefgh", "B_KEY": "abcdefghij-klm"}) == "***"


def test_a_key_with_odd_characters_is_found_as_it_is_written_in_a_log(monkeypatch) -> None:
    key = "schlüssel\\4711"
    monkeypatch.setenv("MAXI_X_TOKEN", key)
    assert "4711" not in without_secrets(f"it was {key}, or {key!a}, or {json.dumps(key)}")


def test_what_a_source_tells_and_a_key_file_holds_is_secret_everywhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    keep_secret("from-a-source")
    keep_secrets_of([("api_key_file", tmp_path / "key"), ("token", "from-an-option"), ("model", "not-secret")])
    keep_secrets_of([("api_key_file", tmp_path / "none"), ("api_key_file", tmp_path)])
    document = {"a": ["from-a-file", 1], "from-a-source": ("x from-an-option",), "b": "not-secret", "c": None}
    assert masked(document) == {"a": ["***", 1], "***": ["x ***"], "b": "not-secret", "c": None}
    assert json.dumps(masked({"n": 1.5}))
