"""Keys and passwords, and the one function that takes them out of any text before it leaves the process.

What is secret is seen by its name in the environment (`..._API_KEY`, `..._TOKEN`, ...), or a source says so by
`keep_secret`, as for the contents of a key file. It is found as it is, as logs and JSON write it, in base64, as
hexadecimal digits, quoted for a URL or for HTML, backwards, in any case and with its parts pulled apart; of what looks
like a key and like no word or path, also each piece of eight characters.
"""

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

SHORTEST = 8  # characters; what is shorter is a placeholder, and blotting it out would only mangle texts
LONGEST = 4096  # characters of a key file
MASK = "***"
_NAME = re.compile(
    r"(^|_)((API|ACCESS|SECRET|PRIVATE)?_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE
)
_LIKE_A_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.+=~-]{16,}")
_APART = r"[\W_]{0,12}"  # between two letters of a secret that somebody pulled apart
_USER_IN_URL = re.compile(r"//[^/\s\"'<>]+@")
_USER_IN_VALUE = re.compile(r"\w+://(.+)@")
_IN_QUERY = re.compile(r"(?<=[?&])([\w.-]+)=[^&\s\"'<>]+")
_SIGNATURE = re.compile(  # of S3, Google, CloudFront, and tokens; of Azure where it has `sig`
    r"x-(amz|goog)-.+|signature|sig|expires|policy|key-pair-id|awsaccesskeyid|googleaccessid|.*token|auth|jwt|hmac",
    re.IGNORECASE,
)
_OF_AZURE = re.compile(r"s(v|s|rt|p|e|t|pr|r|ip|k\w+)")

_told: set[str] = set()  # of this process, like its environment


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a variable or option of this name holds a secret: `MAXI_GPT3_API_KEY`, `token`; `api_key_file` not."""
    return bool(_NAME.search(name))


def signs(name: str, beside: Iterable[str] = ()) -> bool:
    """Whether a parameter of a URL is part of its signature, or a secret; `beside` are the names of the others."""
    return bool(_SIGNATURE.fullmatch(name) or is_secret(name) or ("sig" in beside and _OF_AZURE.fullmatch(name)))


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
    return blotter_of(_values(os.environ if env is None else env)).blotted(text)


class MaskedStream:
    """A stream whose texts have no secrets: for what plugins and libraries print and warn of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        return self._stream.write(without_secrets(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def masked(value: object) -> object:
    """Return plain values (texts, lists, mappings) with no secret in any text of them."""
    return _masked(value, blotter_of(_values(os.environ)))


def _masked(value: object, blotter: "Blotter") -> object:
    if isinstance(value, str):
        return blotter.blotted(value)
    if isinstance(value, Mapping):
        return {blotter.blotted(str(key)): _masked(inner, blotter) for key, inner in value.items()}
    return [_masked(inner, blotter) for inner in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True, slots=True)
class Blotter:
    """Takes secrets out of texts: `whole` finds them in their forms, `pieces` the pieces of those like keys."""

    whole: re.Pattern[str] | None
    pieces: re.Pattern[str] | None
    keys: tuple[str, ...]

    def blotted(self, text: str) -> str:
        """Return a text with `***` for each secret, and for user, password and signature of each URL."""
        if self.whole is not None:
            text = self.whole.sub(MASK, text)
        if self.pieces is not None:
            text = self._without_pieces(text)
        if ":/" in text and "?" in text:
            text = _IN_QUERY.sub(lambda part: f"{part[1]}={MASK}" if signs(part[1]) else part[0], text)
        return _USER_IN_URL.sub(f"//{MASK}@", text) if "//" in text else text

    def _without_pieces(self, text: str) -> str:
        found, start = [], 0
        assert self.pieces is not None
        while piece := self.pieces.search(text, start):
            end = piece.end()
            while end < len(text) and any(text[piece.start() : end + 1] in key for key in self.keys):
                end += 1
            found += [text[start : piece.start()], MASK]
            start = end
        return "".join([*found, text[start:]])


@lru_cache(maxsize=16)
def blotter_of(values: frozenset[str]) -> Blotter:
    """Return what takes these values out of texts, the longest form first: one secret may stand in another.

    Values of less than `SHORTEST` characters are left in: they are placeholders.
    """
    values = frozenset(value for value in values if len(value) >= SHORTEST)
    forms = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)
    apart = [_pulled_apart(value) for value in sorted(values, key=len, reverse=True)]
    whole = [*map(re.escape, forms), *filter(None, apart)]
    keys = tuple(value for value in values if _LIKE_A_KEY.fullmatch(value))
    pieces = {re.escape(key[at : at + SHORTEST]) for key in keys for at in range(len(key) - SHORTEST + 1)}
    return Blotter(
        re.compile("|".join(whole)) if whole else None, re.compile("|".join(sorted(pieces))) if pieces else None, keys
    )


def _values(env: Mapping[str, str]) -> frozenset[str]:
    env = dict(env)  # `os.environ` decodes its texts each time
    found = {value.strip() for name, value in env.items() if is_secret(name)} | {value.strip() for value in _told}
    for value in env.values():
        if "@" in value and "://" in value and (user := _USER_IN_VALUE.match(value)):
            found |= {user[1], user[1].partition(":")[2]}
    return frozenset(found)


def _forms(value: str) -> set[str]:
    """Return a secret as a log, JSON, a URL, HTML, a dump or a header may write it."""
    data = value.encode("utf-8", "surrogateescape")
    plain = {value, value[::-1], ascii(value)[1:-1], json.dumps(value)[1:-1], quote(value, safe=""), html.escape(value)}
    encoded = {data.hex(), data.hex().upper(), data.hex(" "), *_in_base64(data)}
    return {form for form in plain | encoded if len(form) >= SHORTEST}


def _in_base64(data: bytes) -> set[str]:
    """Return what is the same of data in base64 whatever stands around it, as in `user:password`: three alignments."""
    found = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode()
        inner = text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found


def _pulled_apart(value: str) -> str:
    """Return a pattern for a secret in any case, with anything but letters between its letters; "" for a path."""
    letters = [letter for letter in value if letter.isalnum()]
    if "/" in value or len(letters) < SHORTEST:
        return ""
    return f"(?i:{_APART.join(map(re.escape, letters))})"
