"""Videos in buckets, read from real servers on the loopback interface: of S3, and an emulator of Google's storage."""

import io
import tarfile
import time
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system import remote_file
from maxi_core.system.remote import as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.types import Video
from maxi_core.video.archives import video_identity
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed
from tests.buckets import S3, S3_KEYS, Bucket, afresh, point_nowhere, uninstall
from tests.video.clips import numbers_in, write_numbered

pytestmark = pytest.mark.long  # the server alone takes two seconds to import


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_numbered(tmp_path_factory.mktemp("clip") / "a.mp4", 40).read_bytes()


def frames_of(video: Video, workers: int = 0) -> list[int] | VideoFailed:
    ((_, frames),) = read_videos([video], {"test": Sampling("middles", 4)}, VideoOptions(workers=workers))
    return frames if isinstance(frames, VideoFailed) else numbers_in(frames["test"])


def test_a_bucket_is_a_folder_sorted_with_what_it_holds_besides_passed_over(
    bucket: Bucket, clip: bytes, logged: list[str]
) -> None:
    names = ("b/2.mp4", "b/10.mp4", "a.webm", ".hidden/x.mp4", ".hidden/y.mp4", "notes.txt", "b/x.tar", "ä ö.MP4")
    bucket.put({f"folder/clips/{name}": clip for name in names})
    bucket.client.pipe_file("folder/other.mp4", clip)
    bucket.client.pipe_file("folder/clips/b/", b"")
    videos = list(find_videos(bucket.url("folder/clips/")))
    assert [video.id for video in videos] == ["a.webm", "b/10.mp4", "b/2.mp4", "ä ö.MP4"]
    assert "passed over 2 files not named like a video (.txt, .tar) and 1 hidden (.hidden)" in logged[0]
    assert [video.id for video in find_videos(bucket.url("folder/clips/b"), root=bucket.url("folder/clips"))] == [
        "b/10.mp4",
        "b/2.mp4",
    ]
    assert [frames_of(video) for video in videos] == [[5, 15, 25, 35]] * 4
    etag = bucket.client.info("folder/clips/a.webm")[bucket.state]
    assert video_identity(videos[0].path) == (bucket.url("folder/clips/a.webm"), len(clip), etag)
    two = find_videos([bucket.url("folder/clips/b"), bucket.url("folder/other.mp4")])
    assert [video.id for video in two] == ["clips/b/10.mp4", "clips/b/2.mp4", "other.mp4"]


def test_workers_read_buckets(bucket: Bucket, clip: bytes) -> None:
    bucket.put({"busy/a.mp4": clip})
    (video,) = find_videos(bucket.url("busy"))
    assert frames_of(video, workers=1) == [5, 15, 25, 35]


def test_archives_in_a_bucket_are_read_where_they_lie(bucket: Bucket, clip: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("in/a.mp4")
        info.size = len(clip)
        tar.addfile(info, io.BytesIO(clip))
    bucket.put({"shards/0.tar": packed.getvalue(), "shards/1.tar": packed.getvalue()})
    videos = list(find_videos(bucket.url("shards")))
    assert [video.id for video in videos] == ["0.tar/in/a.mp4", "1.tar/in/a.mp4"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]
    assert video_identity(videos[1].path)[-2:] == (512, len(clip))


def test_parquet_in_a_bucket_is_read_where_it_lies(bucket: Bucket, clip: bytes) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = io.BytesIO()
    pq.write_table(pa.table({"id": ["x", "y"], "video": [clip, clip]}), table)
    bucket.put({"tables/0.parquet": table.getvalue()})
    videos = list(find_videos(bucket.url("tables/0.parquet")))
    assert [video.id for video in videos] == ["0.parquet/x", "0.parquet/y"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]


def test_an_object_that_changed_is_refused_and_then_another(bucket: Bucket, clip: bytes) -> None:
    bucket.put({"moving/a.mp4": clip})
    (video,) = find_videos(bucket.url("moving"))
    before = video_identity(video.path)
    bucket.client.pipe_file("moving/a.mp4", clip + b"\0")
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert failed.error == "changed"
    (video,) = find_videos(bucket.url("moving"))
    assert video_identity(video.path) != before
    assert frames_of(video) == [5, 15, 25, 35]


def test_an_object_that_changes_while_it_is_read_is_refused(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_file, "BLOCK", 1000)
    blocks = [bytes([number]) * remote_file.BLOCK for number in range(3)]
    bucket.put({"torn/a.bin": b"".join(blocks)})
    with as_path(bucket.url("torn/a.bin")).open("rb", buffering=0) as file:
        assert file.read(10) == blocks[0][:10]
        bucket.client.pipe_file("torn/a.bin", b"".join(reversed(blocks)))
        with pytest.raises(RemoteError, match="changed while it was in use; run the command again"):
            read_to_the_end(file)


def read_to_the_end(file: remote_file.RemoteFile) -> None:
    file.seek(2 * remote_file.BLOCK)
    file.read(10)  # of S3 each request names the state
    file.check()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("nowhere/a.mp4", r"there is no bucket 'nowhere' \(\w\w://nowhere/a.mp4\); correct the name"),
        ("nowhere", "there is no bucket 'nowhere'"),
        ("there/none.mp4", r"there is nothing at \w\w://there/none.mp4; correct it"),
        ("there/none/", r"there is nothing at \w\w://there/none; correct it"),
        ("user:secretword@there/a.mp4", r"^\w\w://there takes no user in its URL; set the credentials"),
    ],
)
def test_what_is_not_there_is_one_line(bucket: Bucket, clip: bytes, path: str, line: str) -> None:
    bucket.put({"there/a.mp4": clip})
    with pytest.raises(UsageError, match=line):
        find_videos(bucket.url(path))


def test_a_package_that_is_not_installed_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall(bucket.package, monkeypatch)
    line = rf"{bucket.scheme}:// is read with {bucket.package}, .*; pip install 'maxi\[{bucket.scheme}\]'"
    with pytest.raises(RemoteError, match=line):
        find_videos(bucket.url("bucket/a.mp4"))


def test_an_absent_server_is_one_line_after_seconds(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    point_nowhere(monkeypatch)
    began = time.monotonic()
    for path in "there/a.mp4", "there":
        with pytest.raises(
            RemoteError, match="the server of .* cannot be reached; look at the network and the address"
        ):
            find_videos(bucket.url(path))
    assert time.monotonic() - began < 30


def test_missing_credentials_of_s3_are_one_line(s3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in S3_KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    afresh()
    with pytest.raises(RemoteError, match=r"there are no credentials for s3://there/a.mp4; set AWS_PROFILE"):
        find_videos("s3://there/a.mp4")


def test_a_signed_url_of_a_bucket_is_read_over_http(s3, clip: bytes) -> None:
    S3(s3).put({"signed/a.mp4": clip})
    url = s3.url("signed/a.mp4", expires=600)
    (video,) = find_videos(url)
    assert "Signature" not in str(video.path)
    assert frames_of(video, workers=1) == [5, 15, 25, 35]
    assert video_identity(as_path(s3.url("signed/a.mp4", expires=900))) == video_identity(video.path)
