"""What goes wrong with remote files, in one line each; the exceptions are those of half a dozen libraries."""

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from maxi_core.errors import UsageError
from maxi_core.system.secrets import without_secrets
from maxi_core.system.urls import NEEDS

CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket, FSSPEC_S3_ANON=1",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS; for a public bucket, FSSPEC_GS_TOKEN=anon",
    "hf": "set HF_TOKEN, and accept the terms on its page if it has any; or correct the name",
    "http": "give the URL its user, or a signature that has not run out",
    "https": "give the URL its user, or a signature that has not run out",
}
BUCKETS = ("s3", "gs")
_NETWORK = {  # of aiohttp, requests, botocore and httpx
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "HTTPClientError",
    "NetworkError",
    "RemoteProtocolError",
    "gaierror",
}
_KINDS: tuple[
    tuple[str, set[str], tuple[int, ...]], ...
] = (  # the first whose exceptions (of the chain, or their bases) or whose status is seen
    ("no-package", {"ImportError"}, ()),
    ("no-credentials", {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}, ()),
    ("changed", {"FileExpired"}, (412,)),
    ("permission", set(), (401, 403)),
    ("missing", set(), (404, 410)),
    ("server", set(), (408, 429, *range(500, 600))),
    ("permission", {"PermissionError"}, ()),
    ("offline", {"OfflineModeIsEnabled"}, ()),
    ("timeout", {"TimeoutError", "ConnectTimeoutError", "ReadTimeoutError", "TimeoutException"}, ()),
    ("network", _NETWORK, ()),
    ("missing", {"FileNotFoundError"}, ()),
)
TRANSIENT = ("network", "server", "timeout")
_OF_SERVER = (errno.EREMOTEIO, errno.EBUSY)  # what s3fs makes of an internal error and of too many requests


class RemoteError(UsageError, OSError):
    """A remote file cannot be read; `kind` is the short name of the problem."""

    def __init__(self, kind: str, problem: str, fix: str) -> None:
        super().__init__(problem, fix)
        self.kind = kind


def changed(url: str) -> RemoteError:
    """Return the error for a file that is no longer what it was when it was first looked at."""
    return RemoteError("changed", f"{url} changed while it was in use", "run the command again")


def explained(
    url: str, error: BaseException, no_bucket: Callable[[str], bool], *, writing: bool = False
) -> RemoteError:
    """Return a library's exception as one line; `no_bucket` is asked whether it was the bucket that is missing."""
    chain = list(_chain(error))
    names = {cls.__name__ for one in chain for cls in type(one).__mro__}
    status = next((code for one in chain if (code := _status(one))), 0)
    kind = next((kind for kind, known, codes in _KINDS if known & names or status in codes), "unreadable")
    if kind == "unreadable" and getattr(error, "errno", None) in _OF_SERVER:
        kind = "server"
    scheme, host = url.partition(":")[0], urlsplit(url).netloc
    said, done = f" (status {status})" if status else "", "written" if writing else "read"
    what = " ".join(without_secrets(f"{type(error).__name__}: {error}").split())
    lines = {
        "no-package": (f"{scheme}:// is read with {NEEDS[scheme][0]}, which is not installed", NEEDS[scheme][1]),
        "no-credentials": (f"there are no credentials for {url}", CREDENTIALS[scheme]),
        "permission": (f"{url} may not be {done}{said}", CREDENTIALS[scheme]),
        "missing": (f"there is nothing at {url}", "correct it, or take it off the list"),
        "server": (f"the server of {url} failed{said}", "try again"),
        "timeout": (f"the server of {url} does not answer", "look at the network, or try again"),
        "network": (f"the server of {url} cannot be reached", "look at the network and the address"),
        "offline": (f"{url} is not read while HF_HUB_OFFLINE is set", "unset it, or copy the file"),
        "unreadable": (f"{url} cannot be {done} ({what:.200})", "look at the address"),
    }
    if kind == "changed":
        return changed(url)
    if kind == "missing" and "RepositoryNotFoundError" in names:
        return RemoteError(
            kind, f"there is no such repository ({url})", "correct the name; a private one needs HF_TOKEN"
        )
    if kind == "missing" and scheme in BUCKETS:
        with suppress(Exception):  # then it is not known, and not said
            if no_bucket(host):
                return RemoteError(kind, f"there is no bucket '{host}' ({url})", "correct the name")
    return RemoteError(kind, *lines[kind])


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and inner not in seen:
        seen.append(inner)
        yield inner
        inner = inner.__cause__ or inner.__context__


def _status(error: BaseException) -> int:
    """Return the HTTP status that an exception of aiohttp, botocore, gcsfs or huggingface_hub has, or 0."""
    response = getattr(error, "response", None)
    said = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    for status in (getattr(error, "status", None), said, getattr(response, "status_code", None)):
        if isinstance(status, int):
            return status
    return _of_google(error)


def _of_google(error: BaseException) -> int:
    """Return the status that an exception of gcsfs has; most have it in their class, their `code` or their text."""
    name, text = type(error).__name__, str(error)
    if name == "HttpError":
        code = str(getattr(error, "code", ""))
        return int(code) if code.isdigit() else 0
    if name == "OSError" and text.startswith("Forbidden: "):
        return 403
    return 502 if name == "ProxyError" and not text else 0
