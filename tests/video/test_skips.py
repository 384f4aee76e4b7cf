"""Videos that are left out: one record each, and an early end when there are too many."""

import json
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode, MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Failed, Video
from maxi_core.video.frames import Frames
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import HOPELESS, SkipLog, TooManySkippedError, VideoFailed

BAD = VideoFailed("the file is empty (0 bytes); get it again", "empty", "get it again", "pyav")


def test_a_record_says_which_video_where_why_and_who_decoded(tmp_path: Path) -> None:
    log = SkipLog(tmp_path / "skipped.jsonl", None, "bags")
    log.skip("dir/ü\n.mp4", BAD)
    log.skip("b.mp4", Failed("the service refused"), source="gpt3")
    first, second = [json.loads(line) for line in (tmp_path / "skipped.jsonl").read_bytes().split(b"\n")[:-1]]
    assert first == {
        "schema": 1,
        "video": "dir/ü\n.mp4",
        "stage": "bags",
        "source": "",
        "error": "empty",
        "message": BAD.reason,
        "decoder": "pyav",
    }
    assert (second["source"], second["error"], second["message"]) == ("gpt3", "failed", "the service refused")


def test_more_than_the_limit_ends_the_run_with_the_first_three_reasons() -> None:
    log = SkipLog(None, 3, "bags")
    log.use()
    for number in range(3):
        log.skip(f"{number}.mp4", BAD)
    with pytest.raises(TooManySkippedError, match="more .*than --max-skipped 3 .* 0.mp4: .* 1.mp4: .* 2.mp4: ") as stop:
        log.skip("3.mp4", BAD)
    assert "3.mp4" not in stop.value.problem
    assert stop.value.exit_code == ExitCode.SKIPPED


def test_a_run_of_nothing_but_failures_ends_early_and_failed(tmp_path: Path) -> None:
    videos = []
    for number in range(HOPELESS * 2):
        (tmp_path / f"{number:03d}.mp4").write_text("text")
        videos.append(Video(f"{number:03d}.mp4", tmp_path / f"{number:03d}.mp4"))
    log, seen = SkipLog(None, None, "bags"), []

    def run() -> None:
        for video, answer in read_videos(videos, {"clip": Sampling("middles", 4)}, VideoOptions(workers=2)):
            assert not isinstance(answer, Frames)
            seen.append(video)
            log.skip(video.id, answer)

    with pytest.raises(TooManySkippedError, match=f"the first {HOPELESS} videos .*000.mp4: this is a text") as stop:
        run()
    assert (len(seen), stop.value.exit_code) == (HOPELESS, ExitCode.FAILED)


def test_a_short_run_of_nothing_but_failures_has_failed_at_its_end() -> None:
    log = SkipLog(None, None, "bags")
    log.finish()  # nothing at all is no failure
    log.skip("a.mp4", BAD)
    with pytest.raises(TooManySkippedError, match="not one of 1 video could be used") as stop:
        log.finish()
    assert stop.value.exit_code == ExitCode.FAILED
    log.use()
    log.finish()


def test_a_record_that_cannot_be_written_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(MaxiError, match="cannot write .*nowhere"):
        SkipLog(tmp_path / "nowhere" / "skipped.jsonl", None, "bags").skip("a.mp4", BAD)
