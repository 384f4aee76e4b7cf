"""Videos and lists on web servers and object stores, read from real servers on the loopback interface."""

import base64
import io
import os
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from maxi_core.bags.bag import read_bags
from maxi_core.bags.released import find_release, import_released
from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system import remote_file, remote_servers
from maxi_core.system.remote import RemotePath, as_path
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.secrets import without_secrets
from maxi_core.system.urls import clean
from maxi_core.types import Clip, Dictionary, Video
from maxi_core.video.archives import video_identity
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed
from tests.conftest import Ran
from tests.video.clips import Coding, numbers_in, write, write_numbered

pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'maxi[http]'")


@dataclass
class Site:
    """A web server: its files, how it answers, and what was asked of it."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    faults: list[int] = field(default_factory=list)  # statuses of the next GETs
    asked: list[str] = field(default_factory=list)
    sent: int = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self) -> None:
        self.respond(body=False)

    def do_GET(self) -> None:
        self.respond(body=True)

    def respond(self, body: bool) -> None:
        site, name = self.site, unquote(self.path.partition("?")[0])
        site.asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
        data, status = site.files.get(name, b""), 200 if name in site.files else 404
        if body and site.faults:
            data, status = b"", site.faults.pop(0)
        headers = {"Content-Type": site.types.get(name, "application/octet-stream")}
        if name in site.tags:
            headers["ETag"] = site.tags[name]
            if self.headers.get("If-Match", site.tags[name]) != site.tags[name]:
                data, status = b"", 412
        if status == 200 and site.ranges and (wanted := self.headers.get("Range")):
            first, last = wanted.removeprefix("bytes=").split("-")
            headers["Content-Range"] = f"bytes {first}-{min(int(last), len(data) - 1)}/{len(data)}"
            data, status = data[int(first) : int(last) + 1], 206
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            site.sent += len(data)
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(remote_servers, "PAUSES", (0.01, 0.01))
    handler = type("Here", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.site = Site(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield handler.site
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_numbered(tmp_path_factory.mktemp("clip") / "a.mp4", 40).read_bytes()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("long")
    return write_numbered(folder / "a.mp4", 400).read_bytes()


def frames_of(video: Video, **options: object) -> list[int] | VideoFailed:
    """Return the numbers of four frames, read in this process."""
    wanted = {"test": Sampling("middles", 4)}
    ((_, frames),) = read_videos([video], wanted, VideoOptions(**{"workers": 0, **options}))
    return frames if isinstance(frames, VideoFailed) else numbers_in(frames["test"])


def test_a_video_on_a_web_server_has_the_frames_of_the_file(site: Site, clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(clip)
    site.files["/clips/a.mp4"] = clip
    (video,) = find_videos(f"{site.url}/clips/a.mp4")
    (local,) = find_videos(tmp_path / "a.mp4")
    assert (video.id, str(video.path)) == ("a.mp4", f"{site.url}/clips/a.mp4")
    assert frames_of(video) == frames_of(local) == [5, 15, 25, 35]


@pytest.mark.long
def test_only_the_window_of_a_long_video_is_fetched(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 64, 96, 3), dtype=np.uint8)
    site.files["/a.mp4"] = write(
        tmp_path / "a.mp4", noise, Coding(codec="mpeg4", gop=5, bit_rate=8_000_000)
    ).read_bytes()
    monkeypatch.setattr(remote_file, "BLOCK", 1 << 15)
    ((_, frames),) = read_videos(
        [Video("a", as_path(f"{site.url}/a.mp4"), 4.0, 4.4)], {"test": Sampling("middles", 4)}, VideoOptions(workers=0)
    )
    assert not isinstance(frames, VideoFailed)
    assert (frames.found, site.sent < len(site.files["/a.mp4"]) / 2) == (10, True), site.sent


def test_a_server_without_ranges_sends_each_file_whole_and_once(
    site: Site, clip: bytes, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(remote_file, "BLOCK", 1 << 10)
    site.files["/a.mp4"], site.ranges = clip, False
    (video,) = find_videos(f"{site.url}/a.mp4")
    assert frames_of(video) == [5, 15, 25, 35]
    assert frames_of(video) == [5, 15, 25, 35]
    assert [line for line in logged if "answers no ranges" in line]
    assert site.sent <= 3 * len(clip), "the part that was asked for, and once the whole for both"


def test_a_list_may_be_remote_and_name_remote_videos_with_labels(site: Site, clip: bytes, tmp_path: Path) -> None:
    site.files |= {"/s/a b.mp4": clip, "/s/c.mp4": clip}
    text = f"a b.mp4 3\n{site.url}/s/c.mp4?token=abcdefghij 4 5\nhttps://other.example/d.mp4\n"
    site.files["/s/list.txt"] = text.encode()
    videos = list(find_videos(f"{site.url}/s/list.txt"))
    assert [video.id for video in videos] == ["a b.mp4", "c.mp4", "https://other.example/d.mp4"]
    assert [frames_of(video) for video in videos[:2]] == [[5, 15, 25, 35]] * 2
    (tmp_path / "list.csv").write_text(f"path,start,end\n{site.url}/s/c.mp4,0,1\n")
    (row,) = find_videos(tmp_path / "list.csv")
    assert row == Video(f"{site.url}/s/c.mp4#t=0,1", as_path(f"{site.url}/s/c.mp4"), 0.0, 1.0)
    with pytest.raises(UsageError, match=r"line 2: 'http://127.0.0.1:\d+/s/c.mp4' is not in"):
        find_videos(f"{site.url}/s/list.txt", root=f"{site.url}/other")


def test_a_remote_list_names_no_file_of_this_machine(site: Site) -> None:
    site.files |= {"/a.txt": b"/etc/passwd\n", "/b.txt": b"../../a.mp4\n"}
    for name in ("a", "b"):
        with pytest.raises(UsageError, match=r"txt, line 1: '.*' (is not in|leads out of)"):
            find_videos(f"{site.url}/{name}.txt")


def test_a_tar_on_a_web_server_is_read_where_it_lies(site: Site, clip: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("b.mp4", "a.mp4", "notes.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(clip)
            tar.addfile(info, io.BytesIO(clip))
    site.files["/x.tar"] = (tmp_path / "x.tar").read_bytes()
    site.tags["/x.tar"] = '"one"'
    videos = list(find_videos(f"{site.url}/x.tar"))
    assert [video.id for video in videos] == ["x.tar/b.mp4", "x.tar/a.mp4"]
    assert frames_of(videos[1]) == [5, 15, 25, 35]
    url, size, tag, offset, length = video_identity(videos[1].path)
    assert (url, size, tag) == (f"{site.url}/x.tar", len(site.files["/x.tar"]), '"one"')
    assert site.files["/x.tar"][offset : offset + length] == clip
    assert [video.id for video in find_videos(f"{site.url}/x.tar/a.mp4")] == ["x.tar/a.mp4"]


def test_credentials_are_used_and_stand_nowhere(site: Site, clip: bytes) -> None:
    site.files["/a.mp4"] = clip
    address = site.url.removeprefix("http://")
    query = "v=2&X-Amz-Signature=0123456789abcdef&X-Amz-Expires=3600&token=abcdefghij"
    (video,) = find_videos(f"http://someone:pass%40word9@{address}/a.mp4?{query}")
    assert str(video.path) == f"{site.url}/a.mp4?v=2"
    assert video_identity(video.path)[0] == f"{site.url}/a.mp4?v=2"
    assert frames_of(video) == [5, 15, 25, 35]
    credentials = base64.b64encode(b"someone:pass@word9").decode()
    assert {line.partition(" ")[2] for line in site.asked} == {f"/a.mp4?{query} Basic {credentials}"}
    again = as_path(f"{site.url}/a.mp4?v=2&X-Amz-Signature=another")
    assert video_identity(again) == video_identity(video.path), "a signature that is renewed makes no other video"
    said = without_secrets("at http://u:p@h/a.mp4?v=2&X-Amz-Signature=0123&sig=x&se=5 with pass@word9")
    assert said == "at http://***@h/a.mp4?v=2&X-Amz-Signature=***&sig=***&se=5 with ***"


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (403, r"/a.mp4 may not be read \(status 403\); give the URL its user, or a signature"),
        (404, r"there is nothing at http://.*/a.mp4; correct it, or take it off the list"),
        (503, r"the server of http://.*/a.mp4 failed \(status 503\); try again"),
    ],
)
def test_a_fault_of_the_server_is_one_line(site: Site, clip: bytes, status: int, line: str) -> None:
    site.files["/a.mp4"] = clip
    (video,) = find_videos(f"{site.url}/a.mp4")
    site.faults = [status] * 9
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert re.search(line, failed.reason)
    assert "Traceback" not in failed.reason


def test_what_passes_is_tried_again(site: Site, clip: bytes) -> None:
    site.files["/a.mp4"] = clip
    (video,) = find_videos(f"{site.url}/a.mp4")
    site.faults = [503, 500]
    assert frames_of(video) == [5, 15, 25, 35]


@pytest.mark.long
def test_a_video_that_changed_is_refused_and_then_another(site: Site, clip: bytes, long_clip: bytes) -> None:
    site.files["/a.mp4"], site.tags["/a.mp4"] = clip, '"one"'
    (video,) = find_videos(f"{site.url}/a.mp4")
    before = video_identity(video.path)
    site.files["/a.mp4"], site.tags["/a.mp4"] = long_clip, '"two"'
    failed = frames_of(video)
    assert isinstance(failed, VideoFailed)
    assert (failed.error, "changed while it was in use" in failed.reason) == ("changed", True)
    find_videos(f"{site.url}/a.mp4")
    assert video_identity(video.path) != before
    assert frames_of(video) == [50, 150, 250, 350]


@pytest.mark.long
def test_what_is_no_video_is_named(site: Site) -> None:
    site.files |= {"/page.mp4": b"<html>log in</html>", "/empty.mp4": b"", "/text.mp4": b"words\n" * 9}
    site.types["/page.mp4"] = "text/html"
    with pytest.raises(RemoteError, match=r"page.mp4 is a web page \(text/html\), not a file"):
        find_videos(f"{site.url}/page.mp4")
    kinds = [frames_of(Video("v", as_path(f"{site.url}/{name}.mp4"))) for name in ("page", "empty", "text", "none")]
    assert [one.error for one in kinds if isinstance(one, VideoFailed)] == [
        "not-a-video",
        "empty",
        "not-a-video",
        "missing",
    ]


def test_a_server_that_is_not_there_is_one_line(site: Site) -> None:
    with pytest.raises(RemoteError, match=r"the server of http://127.0.0.1:9/a.mp4 cannot be reached; look at the net"):
        find_videos("http://127.0.0.1:9/a.mp4")


def test_a_dictionary_may_be_remote(site: Site) -> None:
    site.files["/actions.txt"] = b"archery\nrunning\n"
    found = read_dictionary(f"{site.url}/actions.txt?token=abcdefghij")
    assert found == Dictionary(f"{site.url}/actions.txt", ("archery", "running"))
    with pytest.raises(UsageError, match="there is nothing at"):
        read_dictionary(f"{site.url}/none.txt")


def test_remote_paths_behave_as_paths(site: Site) -> None:
    path = as_path("s3:/bucket/a/b.MP4")
    assert (str(path), path.name, path.suffix, path.stem) == ("s3://bucket/a/b.MP4", "b.MP4", ".MP4", "b")
    assert (str(path.parent / "c"), os.fspath(path), path.absolute()) == ("s3://bucket/a/c", str(path), path)
    assert as_path(str(path)) == path
    assert not isinstance(as_path("s3/bucket"), RemotePath)
    with pytest.raises(UsageError, match="has // in its name"):
        as_path("s3://bucket//a.mp4")
    with pytest.raises(UsageError, match="is remote, and maxi writes on this machine"):
        path.open("wb")


@pytest.mark.long
def test_a_decoder_of_files_gets_a_copy(site: Site, clip: bytes) -> None:
    pytest.importorskip("decord")
    site.files["/a.mp4"] = clip
    assert frames_of(Video("a", as_path(f"{site.url}/a.mp4")), decoder="decord") == [5, 15, 25, 35]


def test_a_source_without_frames_opens_the_video(site: Site, clip: bytes) -> None:
    site.files["/a.mp4"] = clip
    with Clip(Video("a", as_path(f"{site.url}/a.mp4")), None).open() as file:  # type: ignore[arg-type]
        assert file.read() == clip


@pytest.mark.long
def test_a_run_of_signed_urls_keeps_no_credentials_and_asks_nothing_twice(
    site: Site, clip: bytes, tmp_path: Path, maxi: Callable[..., Ran]
) -> None:
    site.files |= {"/a.mp4": clip, "/actions.txt": b"archery\nrunning\n"}
    host = site.url.removeprefix("http://")
    for run, signature in ("one", "0123456789abcdef"), ("two", "fedcba9876543210"):
        url = f"http://user:pa55word99@{host}"
        typed = [f"{url}/a.mp4?X-Amz-Signature={signature}", "--dictionary", f"{url}/actions.txt?token={signature}"]
        ran = maxi("bags", *typed, "--out", tmp_path / run, "--config", "sandbox")
        assert ran.code == 0, ran.err
    assert "asked now: dictionary 0, " in ran.out
    home = Path(os.environ["MAXI_HOME"])
    for file in (path for folder in (tmp_path, home) for path in folder.rglob("*") if path.is_file()):
        assert not re.search(rb"pa55word99|0123456789abcdef|fedcba9876543210", file.read_bytes()), file
    for typed in (["--out", "http://h/run"], ["--out", tmp_path / "three", "--store", "http://h/store"]):
        refused = maxi("bags", f"{site.url}/a.mp4", "--dictionary", f"{site.url}/actions.txt", *typed)
        assert (refused.code, "cannot be written: http:// is for reading" in refused.err) == (2, True)


def test_a_recipe_keeps_addresses_without_credentials() -> None:
    assert clean("http://me:word@h/v1?token=x&v=2") == "http://h/v1?v=2"
    for text in ("http://h//v1/", "s3://b/a?b", "no address", "./s3:/x"):
        assert clean(text) == text
    with pytest.raises(UsageError, match=r"ftp:// is not read; copy the files to where one of s3, gs, hf, http"):
        as_path("ftp://h/a.mp4")


@pytest.mark.long
def test_a_benchmark_is_scored_on_videos_of_a_web_server(
    site: Site, clip: bytes, tmp_path: Path, maxi: Callable[..., Ran]
) -> None:
    site.files["/a.mp4"] = clip
    (tmp_path / "bench.csv").write_text("path,label\na.mp4,archery\nnone.mp4,running\n")
    said = ["eval", "sandbox", "-b", tmp_path / "bench.csv", "--videos", site.url, "--out", tmp_path / "scores"]
    ran = maxi(*said, "--max-skipped", "1")
    assert (ran.code, "skipped none.mp4: there is nothing at" in ran.err + ran.out) == (0, True), ran.err


def test_the_matches_and_classes_of_a_release_may_be_on_a_server(site: Site, tmp_path: Path) -> None:
    (tmp_path / "gpt3_verbs").mkdir()
    (tmp_path / "gpt3_verbs" / "applauding.txt").write_text("clap\n")
    site.files |= {"/matches.txt": b"3/a.mp4 3\n", "/labels.csv": b"id,name\n3,applauding\n"}
    release = find_release(tmp_path, f"{site.url}/matches.txt", f"{site.url}/labels.csv")
    assert import_released(release, tmp_path / "run").videos == 1
    assert [bag.match.entry for bag in read_bags(tmp_path / "run")] == ["applauding"]
    with pytest.raises(RemoteError, match=f"nothing at {site.url}/lost.txt"):
        import_released(find_release(tmp_path, f"{site.url}/lost.txt", f"{site.url}/labels.csv"), tmp_path / "lost")
