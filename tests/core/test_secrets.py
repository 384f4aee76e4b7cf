"""Keys and passwords are taken out of every text, and nothing else is."""

import base64
import json
import re
import textwrap
from pathlib import Path
from urllib.parse import quote

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


KEY = "sk-canary-0123456789abcd"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        repr(KEY),
        repr(KEY.encode()),
        KEY.upper(),
        KEY[::-1],
        " ".join(KEY),
        str(list(KEY)),
        str(KEY.split("-")),
        "\n".join(textwrap.wrap(KEY, 7)),
        f"{KEY[:9]} and then {KEY[9:]}",
        f"starts with {KEY[:12]}...",
        f"ends with {KEY[-10:]}",
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(f"user:{KEY}".encode()).decode(),
        base64.urlsafe_b64encode(f"me:{KEY}\n".encode()).decode(),
        KEY.encode().hex(),
        KEY.encode().hex(" "),
        quote(KEY, safe=""),
        json.dumps({"key": json.dumps(KEY)}),
    ],
)
def test_a_key_is_found_in_every_form(form: str) -> None:
    left = without_secrets(f"it says {form} of it", {"OPENAI_API_KEY": KEY})
    assert "***" in left
    assert left.startswith("it says ")
    assert left.endswith(" of it")
    bare = re.sub(r"[\W_]", "", left.replace("it says", "").replace("of it", ""))
    assert "canary" not in bare.casefold()
    assert not any(piece in bare for piece in (form[at : at + 10] for at in range(len(form) - 9)) if piece.isalnum())


def test_what_is_like_no_key_is_blotted_out_whole_alone() -> None:
    env = {"SSH_KEY": "/home/me/.ssh/id_rsa_2", "A_TOKEN": "correct horse"}
    text = "/home/me/.ssh/config is at home, the correct one, and so is the horse"
    assert without_secrets(text, env) == text
    assert without_secrets("/home/me/.ssh/id_rsa_2, correct horse", env) == "***, ***"
