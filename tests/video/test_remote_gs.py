"""What Google's storage may answer and its emulator does not: refusals, faults and silence, from a loopback server."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from maxi_core.system import remote_clients, remote_servers
from maxi_core.system.remote import as_path
from maxi_core.system.remote_errors import RemoteError
from tests.buckets import GS_TOKEN, point_gs_at
from tools.rehearse.loopback import Quiet, listening

pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install 'maxi[gs]'")
pytestmark = pytest.mark.long  # what may pass is tried again, which takes seconds


@dataclass
class Answers:
    """What the server says: a status to everything, after some seconds; for so many requests, if that is not all."""

    status: int = 200
    wait: float = 0.0
    faults: int = 1_000
    said: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers()

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.asked.append((self.path, self.headers.get("Authorization", "")))
            time.sleep(answers.wait)
            status = answers.status if len(answers.asked) <= answers.faults else 200
            error = {"error": {"code": status, "message": "no, said the server", "errors": []}}
            self.send(status, json.dumps(answers.said if status == 200 else error).encode())

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    with listening(Handler) as answers.url:
        point_gs_at(answers.url, monkeypatch)
        yield answers


FAILED = r"the server of gs://b/a.mp4 failed \(status {}\); try again"
REFUSED = r"gs://b/a.mp4 may not be {} \(status {}\); set GOOGLE_APPLICATION_CREDENTIALS; for a public bucket"


@pytest.mark.parametrize(
    ("status", "read", "written"),
    [
        (400, r"gs://b/a.mp4 cannot be read \(HttpError: no, said the server, 400\)", "gs://b/a.mp4 cannot be written"),
        (401, REFUSED.format("read", 401), REFUSED.format("written", 401)),
        (403, REFUSED.format("read", 403), REFUSED.format("written", 403)),
        (404, r"there is no bucket 'b' \(gs://b/a.mp4\); correct", r"there is no bucket 'b' \(gs://b/a.mp4\)"),
        *[(status, FAILED.format(status), FAILED.format(status)) for status in (429, 500, 502, 503, 507)],
    ],
)
def test_each_status_is_one_line_after_seconds(
    answers: Answers, status: int, read: str, written: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answers.status = status
    path = as_path("gs://b/a.mp4")
    for attempt, line in {
        lambda: path.state(fresh=True): read,
        lambda: remote_servers.download("gs://b/a.mp4", tmp_path / "copy"): read,
        lambda: path.write_bytes(b"x"): written,
    }.items():
        began = time.monotonic()
        with pytest.raises(RemoteError, match=line) as caught:
            attempt()
        assert time.monotonic() - began < 10
        assert "\n" not in str(caught.value)
    assert {token for _, token in answers.asked} == {f"Bearer {GS_TOKEN}"}
    assert not (tmp_path / "copy").exists()
    assert capfd.readouterr() == ("", ""), "gcsfs logs what it raises"


@pytest.fixture
def account(answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a service account, which is named in the environment; the server gives its token, too."""
    import fsspec.config
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path / "account.json"
    values = {"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "project_id": "p"}
    values |= {"private_key": key.decode(), "private_key_id": "1", "token_uri": f"{answers.url}/token"}
    file.write_text(json.dumps(values))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.delenv("FSSPEC_GS_TOKEN")
    monkeypatch.delitem(fsspec.config.conf, "gs")
    return file


SAID = {"name": "a.mp4", "size": "7", "etag": "CAE=", "md5Hash": "bWQ1", "items": []}


def test_a_service_account_gets_a_token_and_sends_it(answers: Answers, account: Path) -> None:
    answers.said = SAID | {"access_token": "token-of-the-account", "expires_in": 3600, "token_type": "Bearer"}
    assert as_path("gs://b/a.mp4").state().size == 7
    token, *others = answers.asked
    assert token == ("/token", "")
    assert {bearer for _, bearer in others} == {"Bearer token-of-the-account"}


def test_a_service_account_that_gets_no_token_may_not_read(answers: Answers, account: Path) -> None:
    answers.status = 400
    with pytest.raises(RemoteError, match=REFUSED.format("read", 401)) as caught:
        as_path("gs://b/a.mp4").state()
    assert caught.value.kind == "permission"
    assert {path for path, _ in answers.asked} == {"/token"}


@pytest.mark.parametrize("text", [None, "", "{}", "no JSON"])
def test_a_named_file_without_credentials_is_said_and_nobody_asks_as_nobody(
    answers: Answers, account: Path, text: str | None
) -> None:
    account.unlink()
    if text is not None:
        account.write_text(text)
    with pytest.raises(RemoteError, match=r"GOOGLE_APPLICATION_CREDENTIALS names .*account.json, which is not there"):
        as_path("gs://b/a.mp4").state()
    assert answers.asked == []


def test_a_fault_that_passes_is_not_seen(answers: Answers) -> None:
    answers.status, answers.faults = 503, 2
    answers.said = SAID
    state = as_path("gs://b/a.mp4").state()
    assert (state.size, state.tag) == (7, "bWQ1"), "another class of storage has another ETag"


def test_a_server_that_is_silent_is_said_after_the_time_for_it(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_clients, "READ", 0.2)
    answers.wait = 1.0
    began = time.monotonic()
    with pytest.raises(RemoteError, match="the server of gs://b/a.mp4 does not answer; look at the network"):
        as_path("gs://b/a.mp4").state()
    assert time.monotonic() - began < 10
