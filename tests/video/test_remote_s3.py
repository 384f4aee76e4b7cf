"""Videos in buckets, read from a real S3 server on the loopback interface."""

import io
import tarfile
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.remote import as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.types import Video
from maxi_core.video.archives import video_identity
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed
from tests.conftest import S3_KEYS, afresh
from tests.video.clips import numbers_in, write_numbered

pytestmark = pytest.mark.long  # the server alone takes two seconds to import


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_numbered(tmp_path_factory.mktemp("clip") / "a.mp4", 40).read_bytes()


def frames_of(video: Video, workers: int = 0) -> list[int] | VideoFailed:
    ((_, frames),) = read_videos([video], {"test": Sampling("middles", 4)}, VideoOptions(workers=workers))
    return frames if isinstance(frames, VideoFailed) else numbers_in(frames["test"])


def put(s3, files: dict[str, bytes]) -> None:
    bucket = next(iter(files)).partition("/")[0]
    if not s3.exists(bucket):
        s3.mkdir(bucket)
    for key, data in files.items():
        s3.pipe_file(key, data)


def test_a_bucket_is_a_folder_sorted_with_what_it_holds_besides_passed_over(s3, clip: bytes, logged: list[str]) -> None:
    names = ("b/2.mp4", "b/10.mp4", "a.webm", ".hidden/x.mp4", ".hidden/y.mp4", "notes.txt", "b/x.tar", "ä ö.MP4")
    put(s3, {f"folder/clips/{name}": clip for name in names})
    s3.pipe_file("folder/other.mp4", clip)
    s3.pipe_file("folder/clips/b/", b"")
    videos = list(find_videos("s3://folder/clips/"))
    assert [video.id for video in videos] == ["a.webm", "b/10.mp4", "b/2.mp4", "ä ö.MP4"]
    assert "passed over 2 files not named like a video (.txt, .tar) and 1 hidden (.hidden)" in logged[0]
    assert [video.id for video in find_videos("s3://folder/clips/b", root="s3://folder/clips")] == [
        "b/10.mp4",
        "b/2.mp4",
    ]
    assert [frames_of(video) for video in videos] == [[5, 15, 25, 35]] * 4
    etag = s3.info("folder/clips/a.webm")["ETag"]
    assert video_identity(videos[0].path) == ("s3://folder/clips/a.webm", len(clip), etag)
    two = find_videos(["s3://folder/clips/b", "s3://folder/other.mp4"])
    assert [video.id for video in two] == ["clips/b/10.mp4", "clips/b/2.mp4", "other.mp4"]


def test_workers_read_buckets(s3, clip: bytes) -> None:
    put(s3, {"busy/a.mp4": clip})
    (video,) = find_videos("s3://busy")
    assert frames_of(video, workers=1) == [5, 15, 25, 35]


def test_archives_in_a_bucket_are_read_where_they_lie(s3, clip: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("in/a.mp4")
        info.size = len(clip)
        tar.addfile(info, io.BytesIO(clip))
    put(s3, {"shards/0.tar": packed.getvalue(), "shards/1.tar": packed.getvalue()})
    videos = list(find_videos("s3://shards"))
    assert [video.id for video in videos] == ["0.tar/in/a.mp4", "1.tar/in/a.mp4"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]
    assert video_identity(videos[1].path)[-2:] == (512, len(clip))


def test_parquet_in_a_bucket_is_read_where_it_lies(s3, clip: bytes) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = io.BytesIO()
    pq.write_table(pa.table({"id": ["x", "y"], "video": [clip, clip]}), table)
    put(s3, {"tables/0.parquet": table.getvalue()})
    videos = list(find_videos("s3://tables/0.parquet"))
    assert [video.id for video in videos] == ["0.parquet/x", "0.parquet/y"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]


def test_an_object_that_changed_is_refused_and_then_another(s3, clip: bytes) -> None:
    put(s3, {"moving/a.mp4": clip})
    (video,) = find_videos("s3://moving")
    before = video_identity(video.path)
    s3.pipe_file("moving/a.mp4", clip + b"\0")
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert failed.error == "changed"
    (video,) = find_videos("s3://moving")
    assert video_identity(video.path) != before
    assert frames_of(video) == [5, 15, 25, 35]


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("s3://nowhere/a.mp4", r"there is no bucket 'nowhere' \(s3://nowhere/a.mp4\); correct the name"),
        ("s3://nowhere", "there is no bucket 'nowhere'"),
        ("s3://there/none.mp4", "there is nothing at s3://there/none.mp4; correct it"),
        ("s3://there/none/", "there is nothing at s3://there/none; correct it"),
        ("s3://user:secretword@there/a.mp4", r"^s3://there takes no user in its URL; set the credentials"),
    ],
)
def test_what_is_not_there_is_one_line(s3, clip: bytes, url: str, line: str) -> None:
    put(s3, {"there/a.mp4": clip})
    with pytest.raises(UsageError, match=line):
        find_videos(url)


def test_missing_credentials_and_an_absent_server_are_one_line(
    s3, clip: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(s3, {"there/a.mp4": clip})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    afresh()
    with pytest.raises(RemoteError, match="the server of s3://there/a.mp4 cannot be reached"):
        find_videos("s3://there/a.mp4")
    for name in S3_KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    afresh()
    with pytest.raises(RemoteError, match=r"there are no credentials for s3://there/a.mp4; set AWS_PROFILE"):
        find_videos("s3://there/a.mp4")


def test_a_signed_url_of_a_bucket_is_read_over_http(s3, clip: bytes) -> None:
    put(s3, {"signed/a.mp4": clip})
    url = s3.url("signed/a.mp4", expires=600)
    (video,) = find_videos(url)
    assert "Signature" not in str(video.path)
    assert frames_of(video, workers=1) == [5, 15, 25, 35]
    assert video_identity(as_path(s3.url("signed/a.mp4", expires=900))) == video_identity(video.path)
