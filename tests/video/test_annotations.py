"""Lists of ActivityNet, HACS and mmaction2 as inputs of bags and as benchmarks; pickles and frames are refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.benchmarks.reading import Places
from maxi_core.video.inputs import find_videos


def segment(start: Any, end: Any, label: str = "Archery") -> dict[str, Any]:
    return {"segment": [start, end], "label": label}


DATABASE = {
    "version": "1.3",
    "taxonomy": [],
    "database": {
        "--0edUL8zmA": {
            "annotations": [segment(5.4, 11.6), segment(12.6, "88.16"), segment(5.4, 11.6, "Dodgeball")],
            "subset": "training",
            "duration": "92.166667",
        },
        "a2X2hz1G6i8": {"annotations": [segment(15, 15)], "subset": "training", "duration": 20},
        "v_whole": {"annotations": [], "subset": "testing", "duration": 3.5},
    },
}


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def found(*arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    return [(video.id, video.path.name, video.start, video.end) for video in find_videos(*arguments, **options)]


def test_segments_of_activitynet_are_windows_each_once(tmp_path: Path, logged: list[str]) -> None:
    (tmp_path / "videos" / "deep").mkdir(parents=True)
    for name in ("deep/v_--0edUL8zmA.mkv", "a2X2hz1G6i8.mp4"):
        (tmp_path / "videos" / name).write_bytes(b"\0")
    source = written(tmp_path / "anet.json", DATABASE)
    assert found(source, tmp_path / "videos") == [
        ("deep/v_--0edUL8zmA.mkv#t=5.4,11.6", "v_--0edUL8zmA.mkv", 5.4, 11.6),
        ("deep/v_--0edUL8zmA.mkv#t=12.6,88.16", "v_--0edUL8zmA.mkv", 12.6, 88.16),
        ("v_whole.mp4", "v_whole.mp4", None, None),
    ]
    assert any(
        "left out 1 segment with an end before the beginning" in line and "a2X2hz1G6i8 from 15 to 15" in line
        for line in logged
    )
    assert any("training 2, testing 1), and all are taken" in line for line in logged)
    assert [one[0] for one in found(f"{source}:testing", tmp_path / "videos")] == ["v_whole.mp4"]
    with pytest.raises(UsageError, match=r"no subset 'test' \(did you mean 'testing'\?\)"):
        find_videos(f"{source}:test")
    (tmp_path / "videos" / "--0edUL8zmA.mp4").write_bytes(b"\0")
    (tmp_path / "videos" / "deep" / "--0edUL8zmA.avi").write_bytes(b"\0")
    with pytest.raises(UsageError, match="'--0edUL8zmA' could be --0edUL8zmA.mp4 or deep/--0edUL8zmA.avi"):
        find_videos(source, tmp_path / "videos")


def activity(start: Any, end: Any, what: str) -> dict[str, Any]:
    return {"description": what, "timestamp": {"start_timestamp": start, "end_timestamp": end}}


def fine(name: str | None, *scenes: Any) -> dict[str, Any]:
    video = {"content_fine_category": "Cooking", "content_metadata": {"description": "a film", "scenes": list(scenes)}}
    return video | ({"original_video_filename": name} if name else {})


FINE = fine(
    "a.mp4",
    {
        "sceneId": 1,
        "title": "Kitchen",
        "timestamps": {"start_timestamp": "00:00:00.000", "end_timestamp": "00:00:30.000"},
        "activities": [activity("00:00:01.500", "00:00:04", "Chops onions"), activity("0:05", 7, "Stirs a pot")],
    },
    {
        "sceneId": 2,
        "title": "Table",
        "timestamps": {"start_timestamp": "00:01:00.000", "end_timestamp": "01:00:02.250"},
        "activities": [],
    },
)


@pytest.mark.parametrize(
    "document",
    [FINE, [FINE], [{"mp4": None, "json": FINE}], {"a.mp4": fine(None, *FINE["content_metadata"]["scenes"])}],
)
def test_activities_of_finevideo_are_windows_with_their_descriptions(document: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "fine.json", document)
    windows = ["a.mp4#t=1.5,4", "a.mp4#t=5,7", "a.mp4#t=60,3602.25"]
    assert [one[0] for one in found(source)] == windows
    (tmp_path / "a.mp4").write_bytes(b"\0")
    (split,) = open_benchmark(str(source)).splits
    assert split.classes == ("Chops onions", "Stirs a pot", "Table")
    assert [(one.start, one.end) for one in split.samples] == [(1.5, 4.0), (5.0, 7.0), (60.0, 3602.25)]


def test_the_warnings_of_a_list_come_once_however_often_it_is_gone_through(tmp_path: Path, logged: list[str]) -> None:
    videos = find_videos(written(tmp_path / "anet.json", DATABASE))
    assert len(list(videos)) == len(list(videos)) == 3
    assert sum("an end before the beginning" in line for line in logged) == 1


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"video1": {"duration_second": 9.5, "annotations": [segment(1, 2)], "fps": 30}}, ["video1.mp4#t=1,2"]),
        ([{"filename": "a b.mp4", "label": 3}, {"filename": "c/d.avi", "label": [1, 2]}], ["a b.mp4", "c/d.avi"]),
        ({"metainfo": {}, "data_list": [{"video_path": "a.mp4", "label": 0}]}, ["a.mp4"]),
        ([{"video": "a.mp4", "start": 1, "end": 2}, {"video": "a.mp4"}], ["a.mp4#t=1,2", "a.mp4"]),
        (["a.mp4", "b.webm", "a.mp4"], ["a.mp4", "b.webm"]),
        ({"database": {"k.mp4": {"annotations": [], "subset": "x"}}}, ["k.mp4"]),
    ],
)
def test_other_forms_of_json_are_read(document: Any, ids: list[str], tmp_path: Path) -> None:
    assert [one[0] for one in found(written(tmp_path / "list.json", document))] == ids


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a": 1}, "JSON of another form"),
        (3, "JSON of another form"),
        ([], "names no videos"),
        ([3], "entry 1: this is neither"),
        ([{"label": 3}], "entry 1: there is no path"),
        (["a.mp4", "../b.mp4"], "entry 2: '../b.mp4' leads out of"),
        ([{"frame_dir": "a", "total_frames": 9, "label": 1}], "entry 1: this is a folder of frames"),
        ([{"video": "a.mp4", "segment": [1]}], "entry 1: the segment .* is not two times"),
        ([{"video": "a.mp4", "segment": [-1, 2]}], "entry 1: the segment .* is not two times"),
        ([{"video": "a.mp4", "segment": "soon"}], "entry 1: the segment 'soon' is not two times"),
        ({"database": {"a": {"annotations": [3]}}}, "entry 1: an annotation that is no object"),
        ([FINE | {"content_metadata": {}}], "entry 1: content_metadata has no scenes"),
        ([FINE | {"content_metadata": {"scenes": [{"activities": [3]}]}}], "entry 1: content_metadata has no scenes"),
        ([FINE | {"content_metadata": 3}], "entry 1: content_metadata has no scenes"),
        ([fine("a.mp4", {"activities": [activity("1:75", "2:00", "x")]})], "entry 1: the segment .* is not two times"),
        ([fine("a.mp4", {"activities": [activity("1:2:3:4", "5", "x")]})], "entry 1: the segment .* is not two times"),
        ([fine(None, {"activities": [activity(1, 2, "x")]})], "entry 1: there is no path"),
    ],
)
def test_json_that_is_not_right_is_named_with_its_entry(document: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        find_videos(written(tmp_path / "list.json", document))
    (tmp_path / "list.json").write_text("{")
    with pytest.raises(UsageError, match="list.json is not JSON"):
        find_videos(tmp_path / "list.json")


def test_text_lists_of_mmaction2_are_read_and_those_of_frames_refused(tmp_path: Path) -> None:
    (tmp_path / "videos.txt").write_text("some/path/000.mp4 1\nsome/my clip.mp4 1 3 5\n")
    assert [one[0] for one in found(tmp_path / "videos.txt")] == ["some/path/000.mp4", "some/my clip.mp4"]
    (tmp_path / "some" / "directory-1").mkdir(parents=True)
    (tmp_path / "frames.txt").write_text("some/directory-1 163 1\n")
    with pytest.raises(UsageError, match="line 1: 'some/directory-1' is a folder of frames"):
        find_videos(tmp_path / "frames.txt")


@pytest.mark.parametrize("name", ["list.pkl", "list.PICKLE"])
def test_a_pickle_is_refused_in_one_line_wherever_a_list_is_read(name: str, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / name).write_bytes(pickle.dumps([Evil()]))
    for read in (find_videos, lambda path: open_benchmark(str(path), labels=path)):
        with pytest.raises(UsageError, match="is a pickle, and those may run code"):
            read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_segments_are_the_videos_of_a_benchmark(tmp_path: Path) -> None:
    database = {"database": {**DATABASE["database"], "x": {"annotations": [segment(0, 2, "Dodgeball")], "subset": "v"}}}
    source = written(tmp_path / "anet.json", database)
    (split,) = open_benchmark(f"{source}:v").splits
    assert (split.benchmark, split.classes) == ("anet-v", ("Dodgeball",))
    with pytest.raises(UsageError, match="entry 1: 2 labels where each video has one"):
        open_benchmark(f"{source}:training")
    (split,) = open_benchmark(f"{source}:training", multi_label=True, videos=tmp_path).splits
    assert [(one.id, one.labels) for one in split.samples] == [
        ("--0edUL8zmA#t=5.4,11.6", (0, 1)),
        ("--0edUL8zmA#t=12.6,88.16", (0,)),
    ]
    (tmp_path / "v_--0edUL8zmA.mkv").write_bytes(b"\0")
    placed = Places(tmp_path).place(split)
    assert placed.missing == ()
    assert [(video.path.name, video.start, video.end) for video in placed.videos] == [
        ("v_--0edUL8zmA.mkv", 5.4, 11.6),
        ("v_--0edUL8zmA.mkv", 12.6, 88.16),
    ]


def test_numbers_of_a_list_of_mmaction2_take_their_names_from_labels(tmp_path: Path) -> None:
    source = written(tmp_path / "list.json", [{"filename": "a.mp4", "label": 1}, {"filename": "b.mp4", "label": 0}])
    (tmp_path / "names.csv").write_text("id,name\n0,waving\n1,clapping\n")
    (split,) = open_benchmark(str(source), labels=tmp_path / "names.csv").splits
    assert (split.classes, [one.labels for one in split.samples]) == (("waving", "clapping"), [(1,), (0,)])
    with pytest.raises(UsageError, match="entry 1: the label 1 has no name"):
        open_benchmark(str(source))
    (tmp_path / "names.csv").write_text("id,name\n0,waving\n")
    with pytest.raises(UsageError, match="entry 1: label 1 is not in"):
        open_benchmark(str(source), labels=tmp_path / "names.csv")
