"""Which videos: folders, lists of every kind, names of every kind, and what leads out of the root."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maxi_core.errors import NothingError, UsageError
from maxi_core.system.hidden import is_hidden
from maxi_core.types import Video
from maxi_core.video.inputs import VideoList, cut, find_videos, parse_list_line
from maxi_core.video.skips import skip_record, to_line
from tests.video.clips import MATRIX, write_numbered

SPLITS = Path(__file__).parents[2].parent / "shared" / "data" / "splits"


def ids(videos: VideoList) -> list[str]:
    found = [video.id for video in videos]
    assert len(found) == len(videos)
    return found


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_a_folder_is_searched_deeply_and_sorted_for_the_usual_extensions(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP4", "a/z.webm", "a/c d.avi", "a.mkv", "notes.txt", "a/labels.csv", "x.ts")
    assert ids(find_videos(tmp_path)) == ["a.mkv", "a/c d.avi", "a/z.webm", "b.MP4", "x.ts"]
    assert [video.path for video in find_videos(tmp_path)][1] == tmp_path / "a" / "c d.avi"


def test_a_video_that_begins_like_a_text_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "raw.y4m").write_bytes(b"YUV4MPEG2 W2 H2 F25:1 C420jpeg\n" + 3 * b"FRAME\n\x10\x10\x10\x10\x80\x80")
    assert ids(find_videos(tmp_path / "raw.y4m")) == ids(find_videos(tmp_path)) == ["raw.y4m"]


def test_the_same_name_in_two_folders_and_the_same_content_are_two_videos(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.mp4", "val/a.mp4")
    assert ids(find_videos(tmp_path)) == ["train/a.mp4", "val/a.mp4"]


def test_a_folder_named_like_a_video_is_reported_if_it_holds_none(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "empty.mp4").mkdir()
    touch(tmp_path, "full.mp4/inside.avi")
    assert ids(find_videos(tmp_path)) == ["a.mp4", "empty.mp4", "full.mp4/inside.avi"]


def test_ids_are_relative_to_the_root_that_was_named(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.mp4")
    assert ids(find_videos(tmp_path / "train", root=tmp_path)) == ["train/a.mp4"]
    assert ids(find_videos(tmp_path / "train" / "a.mp4")) == ["a.mp4"]
    assert ids(find_videos(tmp_path / "train" / "a.mp4", root=tmp_path)) == ["train/a.mp4"]
    with pytest.raises(UsageError, match="is not in the root"):
        find_videos(tmp_path, root=tmp_path / "train")


@pytest.mark.parametrize(
    ("line", "path", "labels"),
    [
        ("dir/my clip.mp4 3 17", "dir/my clip.mp4", (3, 17)),
        ("a.avi 0", "a.avi", (0,)),
        ("a.avi\t5", "a.avi", (5,)),
        ("a.avi", "a.avi", ()),
        ("#122 what_a_name.avi 7", "#122 what_a_name.avi", (7,)),
        ("a.mp4 3.mp4", "a.mp4 3.mp4", ()),
        ("a.mp4 3.mp4 4", "a.mp4 3.mp4", (4,)),
        ("clip 3", "clip 3", ()),
        ("clip.xyz 3", "clip.xyz 3", ()),
        (" led by a space.WEBM 1", " led by a space.WEBM", (1,)),
        ("a, b; c.mov -1", "a, b; c.mov", (-1,)),
        ("a.mp4 3 x", "a.mp4 3 x", ()),
    ],
)
def test_integers_behind_a_known_extension_are_labels_and_all_else_is_the_path(
    line: str, path: str, labels: tuple[int, ...]
) -> None:
    assert parse_list_line(line) == (path, labels)


@pytest.mark.skipif(not SPLITS.is_dir(), reason="the split lists of the field are not here")
def test_the_split_lists_of_the_field_are_read() -> None:
    lists = sorted(path for path in SPLITS.glob("*/*.txt") if path.stat().st_size < 300_000)
    assert len(lists) >= 10
    for path in lists:
        lines = [line for line in path.read_text().split("\n") if line.strip()]
        if len(set(lines)) < len(lines):
            continue  # it names a video twice, which is refused elsewhere
        videos = find_videos(path)
        assert len(videos) == len(lines)
        for line, video in zip(lines, videos, strict=True):
            assert line.startswith(video.id + " ")
            assert line.removeprefix(video.id).split()[0].isdigit()


TABLE = [
    ("a, b.mp4", None, None),
    ("ü \U0001f600.mp4", 0.0, 2.5),
    ("two\nlines.mp4", 2.5, None),
    ('"q".mp4', None, 4.0),
]


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl"])
def test_tables_give_paths_and_windows(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"list{kind}"
    if kind == ".jsonl":
        rows = [{"path": path, "start": start, "end": end, "label": 3} for path, start, end in TABLE]
        source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        with source.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file, delimiter="," if kind == ".csv" else "\t")
            writer.writerows([("label", "path", "start", "end"), *((3, *row) for row in TABLE)])
    assert list(find_videos(source)) == [
        Video("a, b.mp4", tmp_path / "a, b.mp4"),
        Video("ü \U0001f600.mp4#t=0,2.5", tmp_path / "ü \U0001f600.mp4", 0.0, 2.5),
        Video("two\nlines.mp4#t=2.5", tmp_path / "two\nlines.mp4", 2.5, None),
        Video('"q".mp4#t=,4', tmp_path / '"q".mp4', None, 4.0),
    ]


def test_a_column_of_ids_alone_names_the_files_and_beside_paths_it_names_the_videos(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("id\na.mp4\nsub/b.mp4\n")
    assert [(video.id, video.path) for video in find_videos(tmp_path / "one.csv")] == [
        ("a.mp4", tmp_path / "a.mp4"),
        ("sub/b.mp4", tmp_path / "sub/b.mp4"),
    ]
    (tmp_path / "two.csv").write_text("id,path,start,end\nfirst,a.mp4,0,1\nsecond,a.mp4,1,2\n")
    assert ids(find_videos(tmp_path / "two.csv")) == ["first", "second"]


@pytest.mark.parametrize(
    ("name", "content", "line", "what"),
    [
        ("l.txt", "a.mp4 1\nb.mp4\n\na.mp4 2\n", 4, "the id 'a.mp4' is already on line 1"),
        ("l.txt", "a.mp4\n./a.mp4\n", 2, "the id 'a.mp4' is already on line 1"),
        ("l.csv", "path,start\na.mp4,0\na.mp4,0\n", 3, "the id 'a.mp4#t=0' is already on line 2"),
        ("l.csv", "photo,label\na.mp4,0\n", 1, "no column 'path' or 'id'"),
        ("l.csv", "path,label\na.mp4\n", 2, "1 cell under 2 columns"),
        ("l.csv", 'path\n"a.mp4\n', 2, "not a row of a table"),
        ("l.csv", "path,start\na.mp4,one\n", 2, "start is 'one', not a time"),
        ("l.csv", "path,start\na.mp4,-1\n", 2, "start is '-1', not a time"),
        ("l.csv", "path,start,end\na.mp4,5,5\n", 2, r"the end \(5 s\) is not after the start \(5 s\)"),
        ("l.csv", "path,start\n,5\n", 2, "neither a path nor an id"),
        ("l.jsonl", '{"path": "a.mp4"}\n{"path": "b.mp4"\n', 2, "this is not JSON"),
        ("l.jsonl", '"a.mp4"\n', 1, "not a JSON object"),
        ("l.jsonl", '{"photo": "a.mp4"}\n', 1, "neither a path nor an id"),
        ("l.jsonl", '{"path": 7}\n', 1, "neither a path nor an id"),
        ("l.jsonl", '{"path": "a.mp4", "end": true}\n', 1, "end is True, not a time"),
        ("l.jsonl", '{"path": "a.mp4", "end": NaN}\n', 1, "end is nan, not a time"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str, line: int, what: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=f"{name}, line {line}: .*{what}"):
        find_videos(tmp_path / name)


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder, video or list at"):
        find_videos(tmp_path / "nothing")


def test_nothing_named_is_refused() -> None:
    with pytest.raises(NothingError, match="no videos are named"):
        find_videos([])


def test_an_empty_folder_and_an_empty_list_have_no_videos(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("\n")
    assert ids(find_videos(tmp_path)) == ids(find_videos(tmp_path / "l.txt")) == []


@pytest.mark.parametrize(
    ("path", "bare", "rooted", "allowed"),
    [
        ("a.mp4", True, True, True),
        ("sub/a.mp4", True, True, True),
        ("..a/b..mp4", True, True, True),
        ("~/a.mp4", True, True, True),  # an ordinary folder called "~"
        ("../a.mp4", False, False, True),
        ("sub/../../a.mp4", False, False, True),
        ("../../etc/passwd", False, False, True),
        ("/etc/passwd", True, False, True),
        ("{root}/a.mp4", True, True, True),
        ("{root}/../a.mp4", False, False, True),
        ("link out.mp4", False, False, True),
        ("folder out/a.mp4", False, False, True),
        ("link in.mp4", True, True, True),
        ("folder in/a.mp4", True, True, True),
        ("a.mp4\0.txt", False, False, False),
    ],
)
@pytest.mark.parametrize("mode", ["bare", "rooted", "allowed"])
def test_a_list_leads_out_of_its_root_only_when_asked(
    tmp_path: Path, path: str, bare: bool, rooted: bool, allowed: bool, mode: str
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(root, "a.mp4", "sub/a.mp4")
    touch(outside, "a.mp4")
    (root / "link out.mp4").symlink_to(outside / "a.mp4")
    (root / "folder out").symlink_to(outside)
    (root / "link in.mp4").symlink_to(root / "a.mp4")
    (root / "folder in").symlink_to(root / "sub")
    source = root / "list.jsonl"
    source.write_text(json.dumps({"path": path.format(root=root)}))
    named = None if mode == "bare" else root
    if {"bare": bare, "rooted": rooted, "allowed": allowed}[mode]:
        [video] = find_videos(source, root=named, allow_outside_root=mode == "allowed")
        assert "~" not in path or video.path == root / "~" / "a.mp4"
        assert video.id == path.format(root=root).removeprefix(f"{root}/") or mode == "allowed"
        return
    with pytest.raises(UsageError, match=r"list.jsonl, line 1: ") as refusal:
        find_videos(source, root=named, allow_outside_root=mode == "allowed")
    assert ("--allow-outside-root" in refusal.value.fix) == ("\0" not in path)


def test_links_out_of_a_folder_are_refused_unless_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / "outside", "a.mp4", "b.txt")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "b.txt").symlink_to(tmp_path / "outside" / "b.txt")
    assert ids(find_videos(tmp_path / "root")) == []
    (tmp_path / "root" / "more").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="is a link that leads out of .*--allow-outside-root"):
        find_videos(tmp_path / "root")
    assert ids(find_videos(tmp_path / "root", allow_outside_root=True)) == ["more/a.mp4"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path / "root", "sub/a.mp4")
    (tmp_path / "root" / "sub" / "up").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "self.mp4").symlink_to(tmp_path / "root" / "self.mp4")
    assert ids(find_videos(tmp_path / "root")) == ["self.mp4", "sub/a.mp4"]
    assert ids(find_videos(tmp_path / "root", allow_outside_root=True)) == ["self.mp4", "sub/a.mp4"]


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda name: not is_hidden(name) and len(name.encode()) <= 250
)


@given(st.lists(names, min_size=1, max_size=5, unique=True))
@example(["two\nlines", "tab\t", 'quote"', "comma,", "  spaces  ", "\u2028", "\x85", "e\u0301", "\xe9"])
@example(["n" * 250, "\u4e2d" * 83])
def test_any_name_survives_folder_list_table_and_record(stems: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written = [f"{stem}.mp4" for stem in stems]
        for name in written:
            (root / name).write_text("x")
        videos = list(find_videos(root))
        assert sorted(video.id for video in videos) == sorted(path.name for path in root.iterdir())
        from maxi_core.types import Failed

        for video in videos:
            line = to_line(skip_record(video.id, Failed("x"), "bags"))
            assert "\n" not in line
            assert json.loads(line.encode())["video"] == video.id
        with (root / "list.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path",), *((name,) for name in written)])
        (root / "list.jsonl").write_text("\n".join(json.dumps({"path": name}) for name in written))
        assert ids(find_videos(root / "list.csv")) == written
        assert ids(find_videos(root / "list.jsonl")) == written
        marked = written[0].startswith("\ufeff")  # at the beginning of a text that is the mark of its encoding
        if not marked and not any("\n" in name or name.endswith("\r") for name in written):
            with (root / "list.txt").open("w", newline="") as file:
                file.write("\n".join(f"{name} 3" for name in written))
            assert ids(find_videos(root / "list.txt")) == written


def test_a_name_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    raw = b"caf\xe9.mp4"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_text("x")
    (tmp_path / "list.txt").write_bytes(raw + b" 3\n")
    [video] = find_videos(tmp_path / "list.txt")
    assert ids(find_videos(tmp_path)) == [video.id]
    assert video.path.exists()
    from maxi_core.types import Failed

    assert json.loads(to_line(skip_record(video.id, Failed("x"), "bags")).encode("ascii"))["video"] == video.id


def test_long_videos_are_cut_into_windows_that_hold_every_frame_once(tmp_path: Path) -> None:
    write_numbered(tmp_path / "a.mp4", 90, MATRIX["h264"])  # 3.6 s
    (tmp_path / "b.mp4").write_text("no video")
    assert ids(find_videos(tmp_path, clip_seconds=1.0)) == [
        "a.mp4#t=0,1",
        "a.mp4#t=1,2",
        "a.mp4#t=2,3",
        "a.mp4#t=3",
        "b.mp4",
    ]
    assert ids(find_videos(tmp_path, clip_seconds=1.5)) == ["a.mp4#t=0,1.5", "a.mp4#t=1.5", "b.mp4"]
    assert ids(find_videos(tmp_path, clip_seconds=10)) == ["a.mp4", "b.mp4"]
    given_window = Video("x", tmp_path / "a.mp4", 0.5, 3.0)
    assert list(cut([given_window], 1.0)) == [given_window]
    from tests.video.clips import numbers_in
    from tests.video.decoding import decode

    windows = [video for video in find_videos(tmp_path, clip_seconds=1.0) if video.start is not None]
    seen = [decode("pyav", video.path, range, start=video.start, end=video.end).pixels for video in windows]
    assert [number for pixels in seen for number in numbers_in(pixels)] == list(range(90))


def test_listing_a_folder_imports_no_decoder_no_numpy_and_no_torch(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    code = (
        "import sys; from maxi_core.video.inputs import find_videos; from maxi_core.video.reader import read_videos\n"
        "assert len(find_videos(sys.argv[1])) == 1\n"
        "print(sorted({'av', 'decord', 'numpy', 'torch'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"


COUNTING = """
import sys, tracemalloc
from pathlib import Path
from maxi_core.video.inputs import find_videos
tracemalloc.start()
videos = find_videos(Path(sys.argv[1]))
total = sum(1 for _ in videos)
print(total, len(videos), tracemalloc.get_traced_memory()[1])
"""


def test_a_list_of_many_lines_is_not_held_in_memory(tmp_path: Path) -> None:
    source = tmp_path / "many.txt"
    source.write_text("".join(f"folder {i % 50}/my clip {i}.mp4 {i % 400}\n" for i in range(20_000)))
    # in a process of its own: the threads of other tests would be counted too
    counted = subprocess.run([sys.executable, "-c", COUNTING, str(source)], capture_output=True, text=True, check=True)
    total, length, peak = map(int, counted.stdout.split())
    assert total == length == 20_000
    assert peak < 20_000 * 250  # bytes a line: a hash in a set that grows; the videos themselves would take more


@pytest.mark.parametrize("header", ["path", "video", "filename", "File Name", "video_path", "id", "Clip Name"])
def test_a_list_may_call_the_column_of_its_paths_as_people_do(tmp_path: Path, header: str) -> None:
    (tmp_path / "l.csv").write_text(f"label,{header}\n0,sub/a.mp4\n")
    (tmp_path / "l.jsonl").write_text(f'{{"label": 0, "{header}": "sub/a.mp4"}}\n')
    assert ids(find_videos(tmp_path / "l.csv")) == ids(find_videos(tmp_path / "l.jsonl")) == ["sub/a.mp4"]


def test_several_videos_and_folders_have_the_ids_of_the_folder_they_share(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4", "x/b.mp4", "y/a.mp4", "y/list.txt", "y/more.csv")
    x, y = tmp_path / "x", tmp_path / "y"
    assert ids(find_videos([x / "b.mp4", x / "a.mp4"])) == ids(find_videos(x)) == ["a.mp4", "b.mp4"]
    assert ids(find_videos([y / "a.mp4", x])) == ["x/a.mp4", "x/b.mp4", "y/a.mp4"]
    assert ids(find_videos([x / "a.mp4", x / "b.mp4"], root=tmp_path)) == ["x/a.mp4", "x/b.mp4"]
    assert ids(find_videos([x])) == ["a.mp4", "b.mp4"]


def test_several_videos_are_no_lists_and_each_is_named_once(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4", "x/b.mp4", "notes.txt")
    (tmp_path / "one.txt").write_text("x/a.mp4\n")
    (tmp_path / "two.txt").write_text("x/b.mp4\n")
    assert ids(find_videos([tmp_path / "two.txt", tmp_path / "one.txt"])) == ["x/b.mp4", "x/a.mp4"]
    with pytest.raises(UsageError, match=r"notes.txt is no video; name videos and folders together, and a list by"):
        find_videos([tmp_path / "notes.txt", tmp_path / "x"])
    with pytest.raises(UsageError, match=r"'a.mp4' is named twice"):
        find_videos([tmp_path / "x", tmp_path / "x" / "a.mp4"])
    with pytest.raises(UsageError, match=r"there is no folder, video or list at .*nowhere.mp4"):
        find_videos([tmp_path / "x", tmp_path / "nowhere.mp4"])
