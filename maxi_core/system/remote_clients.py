"""The clients of remote files, as fsspec has them: how long each waits, and how often it tries again."""

import logging
import os
from types import MethodType
from typing import Any

from maxi_core.system.remote_errors import RemoteError

CONNECT, READ = 5, 30  # seconds
TRIES = 3  # of a request of s3 or gs: a server that is away is said after seconds


def client(scheme: str) -> Any:
    """Return the file system of a scheme; raises ImportError where its package is missing."""
    settings: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        return _amazon(settings)
    if scheme == "gs":
        return _google(settings)
    import fsspec

    if scheme.startswith("http"):
        settings["client_kwargs"] = {"timeout": _timeout(), "trust_env": True}
    return fsspec.filesystem(scheme, **settings)


def _timeout() -> Any:
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=READ)


def _amazon(settings: dict[str, Any]) -> Any:
    import fsspec

    retries = {"max_attempts": 2, "mode": "standard"}
    config = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": retries}
    system = fsspec.filesystem("s3", config_kwargs=config, **settings)
    system.retries = TRIES
    return system


def _google(settings: dict[str, Any]) -> Any:
    """Return gcsfs without its gRPC, which asks for the kind of each bucket first and waits a minute for the answer.

    How often it tries is no setting of it: six times, in half a minute, and a download six times as often as that.
    """
    from gcsfs.core import GCSFileSystem
    from gcsfs.retry import retry_request

    logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it logs tracebacks of what it raises
    system = GCSFileSystem(requests_timeout=_timeout(), **settings)
    for name, tries in {"_request": TRIES, "_get_file_request": TRIES, "_get_file_concurrent": 1}.items():
        once = getattr(getattr(GCSFileSystem, name, None), "__wrapped__", None)
        if once is not None:  # the last is not in older ones
            setattr(system, name, MethodType(retry_request(once, retries=tries), system))
    _refuse_nobody(system.credentials)
    return system


def _refuse_nobody(credentials: Any) -> None:
    """Raise RemoteError if gcsfs is about to ask as nobody though a file with credentials was named."""
    file = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if file and credentials.token is None and credentials.method == "anon":
        what = f"GOOGLE_APPLICATION_CREDENTIALS names {file}, which is not there or has no credentials"
        raise RemoteError(
            "no-credentials", what, "name the JSON file of a service account; for a public bucket, unset it"
        )
