"""Videos, lists and runs of the Hugging Face hub, from a hub on the loopback interface, by the hub's own client."""

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec.config
import pytest

from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system import remote_file, remote_hub, remote_servers
from maxi_core.system.remote import as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.types import Video
from maxi_core.video.archives import video_identity
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed
from tests.conftest import Ran
from tests.video.clips import numbers_in, write_numbered
from tests.video.dataset_hub import Datasets, blob_id, serving

TOKEN = "hf_secretofatoken"
AT = "hf://datasets/me/clips"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_numbered(tmp_path_factory.mktemp("clip") / "a.mp4", 40).read_bytes()


@pytest.fixture
def hub(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Datasets]:
    with serving(Datasets({"me/clips": {"a.mp4": clip}})) as hub:
        point_at(hub.url, monkeypatch)
        yield hub


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfFileSystem

    monkeypatch.setenv("HF_ENDPOINT", url)  # of workers: this process read it when the client was imported
    monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": url})
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_VERBOSITY", "critical")
    monkeypatch.setattr(remote_servers, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(remote_servers, "_states", {})
    remote_servers.system.cache_clear()
    HfFileSystem.clear_instance_cache()


def frames_of(video: Video, workers: int = 0) -> list[int] | VideoFailed:
    ((_, frames),) = read_videos([video], {"test": Sampling("middles", 4)}, VideoOptions(workers=workers))
    return frames if isinstance(frames, VideoFailed) else numbers_in(frames["test"])


def test_a_dataset_is_a_folder_sorted_with_what_it_holds_besides_passed_over(
    hub: Datasets, clip: bytes, logged: list[str]
) -> None:
    names = ("b/2.mp4", "b/10.mp4", "b/c/ä ö.MP4", ".gitattributes", "README.md", "b/.hidden/x.mp4")
    hub.files["me/clips"] |= dict.fromkeys(names, clip)
    hub.page = 3
    videos = list(find_videos(AT))
    assert [video.id for video in videos] == ["a.mp4", "b/10.mp4", "b/2.mp4", "b/c/ä ö.MP4"]
    assert "passed over 1 file not named like a video (.md) and 2 hidden" in logged[0]
    assert frames_of(videos[3]) == [5, 15, 25, 35]
    assert [video.id for video in find_videos(f"{AT}/b", root=AT)] == ["b/10.mp4", "b/2.mp4", "b/c/ä ö.MP4"]
    assert [video.id for video in find_videos(f"{AT}@main/b")] == ["10.mp4", "2.mp4", "c/ä ö.MP4"]


@pytest.mark.long
def test_workers_read_the_hub(hub: Datasets) -> None:
    (video,) = find_videos(AT)
    assert frames_of(video, workers=1) == [5, 15, 25, 35]


@pytest.mark.parametrize("large", [False, True])
def test_a_file_is_read_in_the_parts_that_are_wanted(
    hub: Datasets, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_file, "BLOCK", 1000)
    hub.files["me/clips"]["x.bin"] = bytes(range(250)) * 400
    hub.large = {"x.bin"} if large else set()
    with as_path(f"{AT}/x.bin").open("rb", buffering=0) as file:
        file.seek(90_010)
        assert file.read(5) == bytes(range(10, 15))
        assert file.seek(0, io.SEEK_END) == 100_000
        file.check()
    assert hub.sent == 1000
    ranges = [(wanted, bearer) for _, path, wanted, bearer in hub.asked if "/resolve/" in path]
    assert ranges == [("bytes=90000-90999", f"Bearer {TOKEN}")]
    assert [bearer for _, path, _, bearer in hub.asked if path.startswith("/large/")] == [""] * large, (
        "the host of large files has an address of its own, and gets no token"
    )


@pytest.mark.parametrize("large", [False, True])
def test_a_video_is_known_by_its_bytes_and_its_blob(hub: Datasets, clip: bytes, large: bool) -> None:
    hub.large = {"a.mp4"} if large else set()
    known = (f"{AT}/a.mp4", len(clip), blob_id(clip))
    (listed,), (named,) = find_videos(AT), find_videos(f"{AT}/a.mp4")
    assert video_identity(listed.path) == known
    remote_servers._states.clear()
    assert video_identity(named.path) == known


def test_one_file_is_looked_at_in_one_request(hub: Datasets, clip: bytes) -> None:
    hub.files["me/clips"] |= {f"{number}.mp4": clip for number in range(10)}
    find_videos(f"{AT}/a.mp4")
    assert [
        path.partition("clips")[2] for _, path, _, _ in hub.asked if "/tree/" in path or "/paths-info/" in path
    ] == ["/paths-info/main"]


def test_archives_of_a_dataset_are_read_where_they_lie(hub: Datasets, clip: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("in/a.mp4")
        info.size = len(clip)
        tar.addfile(info, io.BytesIO(clip))
    hub.files["me/shards"] = {"data/0.tar": packed.getvalue(), "data/1.tar": packed.getvalue()}
    hub.large = {"data/1.tar"}
    videos = list(find_videos("hf://datasets/me/shards"))
    assert [video.id for video in videos] == ["data/0.tar/in/a.mp4", "data/1.tar/in/a.mp4"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]
    assert video_identity(videos[1].path)[-2:] == (512, len(clip))


def test_a_list_of_a_dataset_names_files_beside_it(hub: Datasets, clip: bytes) -> None:
    hub.files["me/clips"] |= {"lists/test.txt": b"2.mp4\nhf://datasets/me/clips/a.mp4\n", "lists/2.mp4": clip}
    videos = list(find_videos(f"{AT}/lists/test.txt"))
    assert [video.id for video in videos] == ["2.mp4", f"{AT}/a.mp4"]
    assert [frames_of(video) for video in videos] == [[5, 15, 25, 35]] * 2


def test_a_file_that_changed_is_refused_and_then_another(hub: Datasets, clip: bytes) -> None:
    (video,) = find_videos(AT)
    before = video_identity(video.path)
    hub.files["me/clips"]["a.mp4"] = clip[:-1] + b"\1"
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert failed.error == "changed"
    (video,) = find_videos(AT)
    assert video_identity(video.path) != before
    assert frames_of(video) == [5, 15, 25, 35]
    hub.files["me/clips"]["b.mp4"] = clip
    assert [video.id for video in find_videos(AT)] == ["a.mp4", "b.mp4"], "a folder is listed anew"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "hf://datasets/me/none/a.mp4",
            r"there is no such repository \(hf://datasets/me/none/a.mp4\); correct the name",
        ),
        ("hf://datasets/me/none", r"there is no such repository \(hf://datasets/me/none\); correct"),
        (f"{AT}@old/a.mp4", "there is nothing at hf://datasets/me/clips@old/a.mp4; correct it"),
        (f"{AT}/none.mp4", "there is nothing at hf://datasets/me/clips/none.mp4; correct it"),
        (f"{AT}/none/", "there is nothing at hf://datasets/me/clips/none; correct it"),
        ("hf://datasets/me", r"hf://datasets/me cannot be read \(HfUriError: .*must be 'namespace/name'"),
        (f"hf://me:{TOKEN}@datasets/me/clips", r"^hf://datasets takes no user in its URL; set the credentials"),
    ],
)
def test_what_is_not_there_is_one_line(hub: Datasets, url: str, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        find_videos(url)
    assert "\n" not in str(caught.value)


def test_a_repository_that_is_made_later_is_seen(hub: Datasets, clip: bytes) -> None:
    with pytest.raises(RemoteError, match="no such repository"):
        find_videos("hf://datasets/me/late")
    hub.files["me/late"] = {"a.mp4": clip}
    assert len(find_videos("hf://datasets/me/late")) == 1


def test_what_may_not_be_read_is_one_line_that_says_what_to_set(hub: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    (video,) = find_videos(AT)
    hub.gated = {"me/clips"}
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert failed.error == "permission"
    assert "may not be read (status 403)" in failed.reason
    assert "set HF_TOKEN, and accept the terms on its page" in failed.fix
    hub.token = "hf_another"
    with pytest.raises(RemoteError, match=rf"{AT} may not be read \(status 401\); set HF_TOKEN") as caught:
        find_videos(AT)
    assert TOKEN not in str(caught.value)


def test_a_fault_that_passes_is_not_seen(hub: Datasets) -> None:
    hub.faults = [503, 500]
    assert as_path(f"{AT}/a.mp4").state().size > 0


def test_faults_that_stay_and_an_absent_hub_are_one_line_after_seconds(
    hub: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    for status in (429, 500, 503):
        hub.faults = [status] * 100
        with pytest.raises(RemoteError, match=rf"the server of {AT}/a.mp4 failed \(status {status}\); try again"):
            find_videos(f"{AT}/a.mp4")
    point_at("http://127.0.0.1:9", monkeypatch)
    for url in (f"{AT}/a.mp4", AT):
        with pytest.raises(RemoteError, match=rf"the server of {url} cannot be reached; look at the network"):
            find_videos(url)
    assert time.monotonic() - began < 5


def test_a_hub_that_is_silent_is_said_after_the_time_for_it(hub: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    find_videos(f"{AT}/a.mp4")
    monkeypatch.setattr(remote_hub, "READ", 0.1)
    hub.wait = 0.5
    with pytest.raises(RemoteError, match=rf"the server of {AT}/a.mp4 does not answer; look at the network"):
        find_videos(f"{AT}/a.mp4")


@pytest.mark.long
def test_a_fault_in_the_middle_of_a_video_is_one_line_after_half_a_minute(hub: Datasets) -> None:
    (video,) = find_videos(AT)
    hub.faults = [503] * 100
    began = time.monotonic()
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert failed.error == "server"
    assert time.monotonic() - began < 40


def test_the_hub_is_not_asked_offline(hub: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RemoteError, match=f"{AT} is not read while HF_HUB_OFFLINE is set; unset it"):
        find_videos(AT)
    assert hub.asked == []


def test_nothing_is_written_there(hub: Datasets, tmp_path: Path, maxi: Callable[..., Ran]) -> None:
    (tmp_path / "actions.txt").write_text("archery\nrunning\n")
    bags = ["bags", AT, "--dictionary", str(tmp_path / "actions.txt"), "--config", "sandbox"]
    for where in (
        ["--store", "hf://datasets/me/store", "--out", str(tmp_path / "run")],
        ["--out", "hf://datasets/me/run"],
    ):
        ran = maxi(*bags, *where)
        assert (ran.code, "hf:// is for reading; name a place on s3:// or gs://" in " ".join(ran.err.split())) == (
            2,
            True,
        )
    assert {method for method, _, _, _ in hub.asked} <= {"GET", "HEAD"}


@pytest.mark.long
def test_a_run_of_the_hub_sends_the_token_and_writes_it_nowhere(
    hub: Datasets, clip: bytes, tmp_path: Path, maxi_process: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = TOKEN
    hub.files["me/clips"] |= {"b.mp4": clip, "actions.txt": b"archery\nrunning\n"}
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    typed = ["--dictionary", f"{AT}/actions.txt", "--config", "sandbox", "--workers", "1", "--out", str(run)]
    made = maxi_process("--log-level", "debug", "bags", AT, *typed)
    assert made.returncode == 0, made.stderr
    assert (run / "bags.jsonl").read_text().count("\n") == 2
    assert {bearer for _, path, _, bearer in hub.asked if "/me/" in path} == {f"Bearer {TOKEN}"}
    hub.files["me/run"] = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert "2 bags" in maxi_process("stats", "hf://datasets/me/run").stdout
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert TOKEN.encode() not in file.read_bytes(), file
    assert TOKEN not in made.stdout + made.stderr
