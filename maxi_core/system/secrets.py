"""Keys and passwords, and the one function that takes them out of any text before it leaves the process.

What is secret is seen by its name in the environment (`..._API_KEY`, `..._TOKEN`, ...), or a source says so by
`keep_secret`, as for the contents of a key file.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

SHORTEST = 8  # characters; what is shorter is a placeholder, and blotting it out would only mangle texts
LONGEST = 4096  # characters of a key file
MASK = "***"
_NAME = re.compile(
    r"(^|_)((API|ACCESS|SECRET|PRIVATE)?_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"//[^/\s\"'<>]+@")
_USER_IN_VALUE = re.compile(r"\w+://(.+)@")

_told: set[str] = set()  # of this process, like its environment


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a variable or option of this name holds a secret: `MAXI_GPT3_API_KEY`, `token`; `api_key_file` not."""
    return bool(_NAME.search(name))


def keep_secret(*values: str) -> None:
    """Let nobody see these values from now on, wherever in a text they stand."""
    _told.update(values)


def keep_secrets_of(options: Iterable[tuple[str, object]]) -> None:
    """Keep secret what options hold as `SecretStr` or by their names, and what is in files such as `api_key_file`."""
    from pydantic import SecretStr  # not above: `maxi --help` needs no options, and pydantic takes a tenth of a second

    for key, value in options:
        if isinstance(value, SecretStr):
            keep_secret(value.get_secret_value())
        elif is_secret(key) and isinstance(value, str):
            keep_secret(value)
        elif key.endswith("_file") and is_secret(key.removesuffix("_file")) and isinstance(value, Path):
            # who needs the file will say that it cannot be read
            with suppress(OSError, ValueError), value.open(encoding="utf-8") as file:
                keep_secret(*file.read(LONGEST).split())


def without_secrets(text: str, env: Mapping[str, str] | None = None) -> str:
    """Return `text` with every secret of this process, and the user and password of every URL, replaced by `***`."""
    return _blotted(text, _values(os.environ if env is None else env))


def masked(value: object) -> object:
    """Return plain values (texts, lists, mappings) with no secret in any text of them."""
    return _masked(value, _values(os.environ))


def _masked(value: object, secrets: Sequence[str]) -> object:
    if isinstance(value, str):
        return _blotted(value, secrets)
    if isinstance(value, Mapping):
        return {_blotted(str(key), secrets): _masked(inner, secrets) for key, inner in value.items()}
    return [_masked(inner, secrets) for inner in value] if isinstance(value, (list, tuple)) else value


def _blotted(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _USER_IN_URL.sub(f"//{MASK}@", text) if "//" in text else text


def _values(env: Mapping[str, str]) -> list[str]:
    """Return what is to be blotted out, the longest first: one secret may stand in another."""
    found = {value.strip() for name, value in env.items() if is_secret(name)} | {value.strip() for value in _told}
    for value in env.values():
        if "@" in value and "://" in value and (user := _USER_IN_VALUE.match(value)):
            found |= {user[1], user[1].partition(":")[2]}
    # as a log and JSON may write it, too
    forms = {form for value in found for form in (value, ascii(value)[1:-1], json.dumps(value)[1:-1])}
    return sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)
