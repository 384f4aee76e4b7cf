"""Object stores on the loopback interface, as their owners have them, and how maxi is pointed at them."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

S3_KEYS = {"AWS_ACCESS_KEY_ID": "name-of-a-key", "AWS_SECRET_ACCESS_KEY": "secret-of-a-key", "AWS_REGION": "us-east-1"}
GS_TOKEN = "secret-of-a-token"


@dataclass(frozen=True)
class Bucket:
    """An object store: its client, and of its kind the scheme, the package, a secret, and where a state stands."""

    client: Any
    scheme = package = secret = state = ""

    def url(self, path: str) -> str:
        """Return the URL of a bucket, or of what is in it."""
        return f"{self.scheme}://{path}"

    def make(self, name: str) -> None:
        """Make a bucket, unless it is there."""
        if not self.client.exists(name):
            self.client.mkdir(name)

    def put(self, files: dict[str, bytes]) -> None:
        """Write files by bucket and key; the bucket is made."""
        self.make(next(iter(files)).partition("/")[0])
        for key, data in files.items():
            self.client.pipe_file(key, data)

    def refuse(self, name: str, keys: str) -> None:
        """Let nobody write these keys of a bucket."""
        raise NotImplementedError

    def allow(self, name: str) -> None:
        """Let everybody write a bucket again."""
        raise NotImplementedError


@dataclass(frozen=True)
class S3(Bucket):
    """A bucket of moto's server."""

    scheme, package, secret, state = "s3", "s3fs", S3_KEYS["AWS_SECRET_ACCESS_KEY"], "ETag"

    def refuse(self, name: str, keys: str) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/{keys}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        self.client.call_s3("put_bucket_policy", Bucket=name, Policy=policy)

    def allow(self, name: str) -> None:
        self.client.call_s3("delete_bucket_policy", Bucket=name)


@dataclass(frozen=True)
class GS(Bucket):
    """A bucket of the emulator of Google's storage, with what that refuses."""

    refused: dict[str, str]
    scheme, package, secret, state = "gs", "gcsfs", GS_TOKEN, "md5Hash"

    def refuse(self, name: str, keys: str) -> None:
        self.refused[name] = f"{name}/{keys}"

    def allow(self, name: str) -> None:
        del self.refused[name]


def point_s3_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let s3:// be at an address, for this process and its workers."""
    for name, value in {**S3_KEYS, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    _forget(monkeypatch)


def point_gs_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gs:// be at an address, for this process and its workers; a token is sent, and nobody else is asked."""
    import fsspec.config

    more = {"FETCH_RAW_TOKEN_EXPIRY": "false", "NO_GCE_CHECK": "true"}
    for name, value in {"STORAGE_EMULATOR_HOST": url, "FSSPEC_GS_TOKEN": GS_TOKEN, **more}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(
        fsspec.config.conf, "gs", {"token": GS_TOKEN}
    )  # fsspec read the environment when it was imported
    _forget(monkeypatch)


def point_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let object stores be where nobody listens."""
    for name in ("AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    afresh()


def uninstall(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a package be as if it were not installed."""
    afresh()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maxi_core.system.remote_servers._states", {})
    afresh()


def afresh() -> None:
    """Let clients of object stores look at the environment, and for their packages, again."""
    from fsspec.registry import _registry

    from maxi_core.system import remote_servers

    remote_servers.system.cache_clear()
    for module, client in {"s3fs": "S3FileSystem", "gcsfs.core": "GCSFileSystem"}.items():
        if module in sys.modules:
            getattr(sys.modules[module], client).clear_instance_cache()
    for scheme in ("s3", "gs"):
        _registry.pop(scheme, None)
