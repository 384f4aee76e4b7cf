"""What somebody wrote for a remote file: the URLs that are read, and what is secret in them."""

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from maxi_core.errors import UsageError
from maxi_core.system.secrets import keep_secret, signs

NEEDS = {  # what each scheme is read with: package, and what to type
    "s3": ("s3fs", "pip install 'maxi[s3]'"),
    "gs": ("gcsfs", "pip install 'maxi[gs]'"),
    "hf": ("huggingface_hub", "pip install huggingface_hub"),
    "http": ("aiohttp", "pip install 'maxi[http]'"),
    "https": ("aiohttp", "pip install 'maxi[http]'"),
}
URL = re.compile(rf"({'|'.join(NEEDS)}):/{{1,2}}(?=[^/])", re.IGNORECASE)
_UNREAD = "abfss?|adl|az|dbfs|file|ftps?|gcs|hdfs|oss|s3[an]|sftp|smb|webhdfs"  # one slash is enough, as above
OTHER = re.compile(rf"([a-z][a-z0-9+.-]+(?=://)|{_UNREAD}):/", re.IGNORECASE)
NEAR = re.compile(rf"({'|'.join(NEEDS)}):(?:/*$|[^/].*|///.*)", re.IGNORECASE)  # what was meant for a URL

_copies: dict[str, str] = {}  # folder of this machine -> URL of what it is a copy of, of this process


def is_remote(written: object) -> bool:
    """Whether a text or path is the URL of a remote file; one slash is enough, since paths lose the other."""
    return isinstance(written, (str, Path)) and URL.match(str(written)) is not None


def note_copy(folder: Path, url: str) -> None:
    """Remember of which remote folder a local one is a copy, so that people are told the URL."""
    _copies[str(folder)] = url


def in_urls(text: str) -> str:
    """Return a text for people in which what is copied from a server is called by its URL."""
    for folder, url in _copies.items():
        with suppress(OSError):  # no path is relative to a folder that is gone
            text = text.replace(os.path.relpath(folder), url)
        text = text.replace(folder, url)
    return text


def refuse_remote(path: Path | None) -> None:
    """Raise UsageError if a file or folder that is to be written was named on a server."""
    if path is not None and is_remote(path):
        from maxi_core.system.remote import as_path

        raise UsageError(f"{as_path(path)} is remote, and maxi writes on this machine", "name a place here")


def refuse_reading(written: Path | str, what: str) -> None:
    """Raise UsageError if `what` was named on a server, and is read on this machine only."""
    if is_remote(written):
        from maxi_core.system.remote import as_path

        raise UsageError(f"{as_path(written)} is remote, and {what} on this machine", "copy it here")


def clean(text: str) -> str:
    """Return a web address without its credentials, and any other text as it is."""
    found = URL.match(text)
    if found is None or not found[1].lower().startswith("http"):
        return text
    scheme, rest = found[1].lower(), text[found.end() :]
    return text if (kept := without_credentials(scheme, rest)) == rest else f"{scheme}://{kept}"


def without_credentials(scheme: str, rest: str) -> str:
    """Return what stands behind `scheme://` without user, password and signature; they are kept secret."""
    host, slash, name = rest.partition("/")
    user, _, host = host.rpartition("@")
    if user:
        keep_secret(user, unquote(user.partition(":")[2]))
    if not scheme.startswith("http"):
        if user:
            raise UsageError(f"{scheme}://{host} takes no user in its URL", "set the credentials in the environment")
        return rest
    name, mark, query = name.partition("?")
    said = [part.partition("=") for part in query.partition("#")[0].split("&")] if mark else []
    names = {part[0] for part in said}
    keep = ["".join(part) for part in said if not signs(part[0], names)]
    return f"{host}{slash}{name}" + (f"?{'&'.join(keep)}" if keep else "")
