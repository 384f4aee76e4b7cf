"""Reading benchmarks: official files, lists, benchmarks of one's own; every mistake is named with its line."""

import gzip
import os
import re
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Annotations, Listing, Names, Row, read_labels, read_list, write_list
from maxi_core.evaluation.benchmarks.opening import benchmarks_of, open_benchmark
from maxi_core.plugin.catalog import discover
from maxi_plugins.benchmarks.hmdb51 import class_in_name
from maxi_plugins.benchmarks.uav_human import subject_and_action
from tests.evaluation import official
from tests.evaluation.own import litter, own

CLASSES = ("ApplyEyeMakeup", "YoYo")
ROWS = (Row("v_ApplyEyeMakeup_g01_c01.avi", ("ApplyEyeMakeup",)), Row("v_YoYo_g02_c03.avi", ("YoYo",)))


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        ("a.mp4 0\nb.mp4 2\n", "split.txt, line 2: label 2 is not in .*labels.csv \\(0 to 1\\)"),
        ("a.mp4 0\nb.mp4\n", "split.txt, line 2: no label after 'b.mp4'"),
        ("a.mp4 0\n\nb.mp4 0 1\n", "split.txt, line 3: 2 labels where each video has one"),
        ("a.mp4 0\na.mp4 1\n", "split.txt, line 2: 'a.mp4' is on line 1 already"),
        ("walk/a.mp4 0\nx/Run_Fast/b.mp4 0\n", "line 2: label 'walk' and the folder 'Run_Fast' are two classes"),
        ("a.mp4 -1\n", "label -1 is not in"),
        ("", "split.txt is empty"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(tmp_path: Path, split: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        open_benchmark(str(own(tmp_path, split)))


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("walk\nrun\n", "line 1: 'walk' is not a name with a number; write a table id,name"),
        ("id,name\n0,walk\n0,run\n", "line 3: the number 0 is 'walk' already"),
        ("id,name\n0,Put On\n1,put_on\n", "line 3: 'put_on' is 'Put On' of line 2 again"),
        ("id,name\n0,putting a, b\n", "line 2: 3 columns"),
        ("id,name\n0,walk\n2,run\n", "has no class 1"),
        ("id,name\none,walk\n", "line 2: 'walk' is not a name with a number"),
        ("id,name\n", "names no class"),
    ],
)
def test_a_wrong_line_of_the_labels_is_named(tmp_path: Path, labels: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        open_benchmark(str(own(tmp_path, "a.mp4 0\n", labels)))


def test_labels_go_by_their_numbers_and_not_by_their_order(tmp_path: Path) -> None:
    split = open_benchmark(str(own(tmp_path, "a.mp4 0\nb.mp4 1\n", "id,name\n1,walk\n0,run\n"))).splits[0]
    assert [split.classes[sample.labels[0]] for sample in split.samples] == ["run", "walk"]


def test_several_labels_are_read_once_each_where_all_videos_may_have_several(tmp_path: Path) -> None:
    benchmark = open_benchmark(str(own(tmp_path, "a.mp4 0 1 1\nb.mp4 1\n")), multi_label=True)
    assert [sample.labels for sample in benchmark.splits[0].samples] == [(0, 1), (1,)]
    assert benchmark.metric == "map"


def test_a_folder_for_each_class_and_a_table_are_the_same_benchmark(tmp_path: Path) -> None:
    folder = tmp_path / "folders"
    for name in ("walk/a.mp4", "walk/b.mp4", "run fast/c.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (tmp_path / "table.csv").write_text('path,label\nwalk/a.mp4,walk\n"walk/b.mp4",walk\nrun fast/c.mp4,run fast\n')
    by_folder = open_benchmark(str(folder)).splits[0]
    by_table = open_benchmark(str(tmp_path / "table.csv"), videos=folder).splits[0]
    assert by_folder.classes == by_table.classes == ("run fast", "walk")
    assert by_folder.sha256 == by_table.sha256
    (folder / "loose.mp4").touch()
    with pytest.raises(UsageError, match="holds 1 video in no class's folder \\(loose.mp4\\)"):
        open_benchmark(str(folder))


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("video,start\n", "line 1: the header is 'video,start'"),
        ("path,label\na.mp4,\n", "line 2: a row without path or label"),
        ("path,label\na.mp4,x|y\n", "line 2: 2 labels"),
        ("path,label\na.mp4,x\na.mp4,x\n", "line 3: 'a.mp4' is on line 2 already"),
        ("path,label\n", "has no rows"),
    ],
)
def test_a_wrong_row_of_a_table_is_named(tmp_path: Path, table: str, wanted: str) -> None:
    (tmp_path / "table.csv").write_text(table)
    with pytest.raises(UsageError, match=wanted):
        open_benchmark(str(tmp_path / "table.csv"))


def test_class_names_that_differ_between_list_and_official_files_are_shown_from_both_sides(tmp_path: Path) -> None:
    official.ucf101(tmp_path, Listing(CLASSES, ROWS, ()), "1")
    (tmp_path / "val1.txt").write_text("v_ApplyEyeMakeup_g01_c01.avi 0\nv_YoYo_g02_c03.avi 1\n")
    (tmp_path / "ucf_101_labels.csv").write_text("id,name\n0,Apply Eye makeup\n1,Juggling\n")
    with pytest.raises(UsageError, match="only the list has 'Juggling', only the official files has 'YoYo'"):
        open_benchmark("ucf101:1", annotations=tmp_path)
    (tmp_path / "ucf_101_labels.csv").write_text("id,name\n1,yo_yo\n0,Apply Eye makeup\n")
    split = open_benchmark("UCF-101:1", annotations=tmp_path).splits[0]
    assert split.classes == ("Apply Eye makeup", "yo_yo")
    assert split.notes == ("2 classes, and 101 in the published benchmark", "2 videos, and 3783 in the published split")


def test_videos_that_only_one_source_has_stop_the_reading(tmp_path: Path) -> None:
    official.ucf101(tmp_path, Listing(CLASSES, ROWS, ()), "1")
    (tmp_path / "val1.txt").write_text("v_ApplyEyeMakeup_g01_c01.avi 0\nother.avi 1\n")
    (tmp_path / "ucf_101_labels.csv").write_text("id,name\n0,ApplyEyeMakeup\n1,YoYo\n")
    with pytest.raises(UsageError) as caught:
        open_benchmark("ucf101:1", annotations=tmp_path)
    assert "1 video only in the list (other.avi)" in str(caught.value)
    assert "1 video only in the official files (YoYo/v_YoYo_g02_c03.avi)" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "wanted"),
    [
        ("classInd.txt", "ApplyEyeMakeup\n", "classInd.txt, line 1: 'ApplyEyeMakeup' is not a name with a number"),
        ("testlist01.txt", "Archery/v_Archery_g01_c01.avi\n", "line 1: .* lies in no folder of a class"),
        ("testlist01.txt", "YoYo/v_YoYo_g02_c03.avi 1\n", "line 1: number 1 is not that of 'YoYo'"),
    ],
)
def test_a_wrong_line_of_the_official_ucf101_files_is_named(tmp_path: Path, file: str, text: str, wanted: str) -> None:
    official.ucf101(tmp_path, Listing(CLASSES, ROWS, ()), "1")
    (tmp_path / file).write_text(text)
    with pytest.raises(UsageError, match=wanted):
        open_benchmark("ucf101:1", annotations=tmp_path)


def test_wrong_official_files_of_the_other_benchmarks_are_named(tmp_path: Path) -> None:
    cases = {
        "hmdb51:1": ({"brush_hair_test_split1.txt": "a.avi 3 \n"}, "line 1: 'a.avi 3' is not a file and 0, 1 or 2"),
        "kinetics400": (
            {"k.csv": "label,youtube_id,time_start,time_end,split\nwalking,abc,x,10,val\n"},
            "k.csv, line 2: 'abc' has no start and end in seconds",
        ),
        "ssv2": (
            {"labels.json": '{"Push [it]": "0"}', "validation.json": '[{"id": "1", "template": "Pull [it]"}]'},
            "validation.json, entry 1: 'Pull it' is not in",
        ),
        "charades": (
            {"Charades_v1_classes.txt": "c000 Hold\n", "Charades_v1_test.csv": "id,actions\nAB,c001 0.1 2.0\n"},
            "Charades_v1_test.csv, line 2: 'c001' is not in",
        ),
        "moments": (
            {"moments_categories.txt": "clapping,0\n", "validationSet.csv": "x/a.mp4,waving,1\n"},
            "validationSet.csv, line 1: 'x/a.mp4,waving' is not a file and a class",
        ),
    }
    for name, (files, wanted) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
        with pytest.raises(UsageError, match=re.escape(wanted)):
            open_benchmark(name, annotations=folder)


def test_charades_videos_without_actions_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = (Row("AAAAA.mp4", ("holding a cup", "opening a door")),)
    official.charades(tmp_path, Listing(("holding a cup", "opening a door"), rows, ()))
    split = open_benchmark("charades", annotations=tmp_path).splits[0]
    assert [sample.labels for sample in split.samples] == [(0, 1)]
    assert "left out: 1 video without any label" in split.notes


def test_an_unknown_benchmark_split_or_place_is_an_error_that_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no benchmark 'ufc101' \\(did you mean 'ucf101'\\?\\)"):
        open_benchmark("ufc101", annotations=tmp_path)
    with pytest.raises(UsageError, match="ucf101 has no split '4'; its splits are 1, 2, 3"):
        open_benchmark("ucf101:4", annotations=tmp_path)
    with pytest.raises(UsageError, match="where is ucf101\\? name its files with --annotations"):
        open_benchmark("ucf101")
    with pytest.raises(UsageError, match="it takes classInd.txt and testlist01.txt, or val1.txt and ucf_101_labels"):
        open_benchmark("ucf101", annotations=tmp_path)


def test_a_data_root_has_one_folder_for_each_benchmark_in_any_spelling(tmp_path: Path) -> None:
    folder = tmp_path / "UCF-101" / "annotations"
    folder.mkdir(parents=True)
    (folder.parent / "videos").mkdir()
    official.ucf101(folder, Listing(CLASSES, ROWS, ()), "1")
    benchmark = open_benchmark("ucf101:1", data_root=tmp_path)
    assert benchmark.videos == folder.parent / "videos"
    (tmp_path / "ucf101").mkdir()
    with pytest.raises(UsageError, match="must have one folder named ucf101, and has .* and "):
        open_benchmark("ucf101:1", data_root=tmp_path)


def test_two_files_that_fit_equally_are_not_guessed_between(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "val1.txt").touch()
    with pytest.raises(UsageError, match="could both be the 'val1.txt'"):
        Annotations(tmp_path).find("val1.txt")


def test_hidden_files_and_folders_are_no_classes_no_videos_and_no_annotations(tmp_path: Path) -> None:
    folders, root = tmp_path / "folders", tmp_path / "root" / "ucf101"
    for name in ("walk/a.mp4", "run fast/c.mp4", "@eaDir/a.mp4", "__MACOSX/walk/._a.mp4", ".ipynb_checkpoints/x.mp4"):
        (folders / name).parent.mkdir(parents=True, exist_ok=True)
        (folders / name).touch()
    litter(folders / "walk", "a.mp4")
    assert open_benchmark(str(folders)).splits[0].classes == ("run fast", "walk")
    assert [one.path for one in open_benchmark(str(folders)).splits[0].samples] == ["run fast/c.mp4", "walk/a.mp4"]
    root.mkdir(parents=True)
    official.ucf101(root, Listing(CLASSES, ROWS, ()), "1")
    litter(root, "classInd.txt", "testlist01.txt", "other.csv")
    (root.parent / ".ucf101").mkdir()
    assert [one.id for one in open_benchmark("ucf101:1", data_root=root.parent).splits[0].samples] == [
        row.stem for row in ROWS
    ]
    (tmp_path / "hmdb").mkdir()
    rows = (Row("a_brush_hair_x.avi", ("brush_hair",)), Row("b_catch_x.avi", ("catch",)))
    official.hmdb51(tmp_path / "hmdb", Listing(("brush_hair", "catch"), rows, ()), "1")
    litter(tmp_path / "hmdb", "clap_test_split1.txt")
    assert open_benchmark("hmdb51:1", annotations=tmp_path / "hmdb").splits[0].classes == ("brush hair", "catch")


@pytest.mark.parametrize(
    ("data", "why"), [(b"id,name\n0,\0\n", "NUL"), (gzip.compress(b"id,name", mtime=0), "compressed")]
)
def test_annotations_that_are_no_text_are_refused_without_a_byte_of_them(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(UsageError, match=f"labels.csv is .*{why}"):
        read_labels(tmp_path / "labels.csv")


def test_what_is_quoted_of_a_long_line_is_short_and_has_no_control_characters(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1: no label after") as raised:
        open_benchmark(str(own(tmp_path, "\x1b[31m" + "x" * 10_000)))
    assert len(str(raised.value)) < len(str(tmp_path)) + 400
    assert str(raised.value).isprintable()


@pytest.mark.timeout(20)
def test_pipes_for_annotations_lists_and_labels_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for asked in ({"annotations": pipe}, {"annotations": tmp_path / "link.csv"}):
        (tmp_path / "link.csv").unlink(missing_ok=True)
        (tmp_path / "link.csv").symlink_to(pipe)
        with pytest.raises(UsageError, match="is a named pipe and not an ordinary file"):
            open_benchmark("ucf101", **asked)
    (tmp_path / "split.txt").write_text("a.mp4 0\n")
    for name, labels in ((str(pipe), None), (str(tmp_path / "split.txt"), pipe)):
        with pytest.raises(UsageError, match="is a named pipe and not an ordinary file"):
            open_benchmark(name, labels=labels)


def test_a_benchmark_name_that_is_too_long_for_a_file_is_one_line() -> None:
    with pytest.raises(UsageError, match="no benchmark"):
        open_benchmark("x" * 5000)


def test_the_checksum_depends_on_videos_and_classes_and_on_nothing_else(tmp_path: Path) -> None:
    first = open_benchmark(str(own(tmp_path, "a.mp4 0\nb.mp4 1\n"))).splits[0]
    again = own(tmp_path, "b.mp4 0\na.mp4 1\n", "id,name\n0,Run_Fast\n1,Walk\n")
    assert open_benchmark(str(again)).splits[0].sha256 == first.sha256
    assert open_benchmark(str(again), spelling="spaced").splits[0].sha256 == first.sha256
    assert open_benchmark(str(own(tmp_path, "a.mp4 0\nb.mp4 0\n"))).splits[0].sha256 != first.sha256


def test_what_is_converted_reads_back_as_the_same_split(tmp_path: Path) -> None:
    listing = Listing(("putting a, b", "walk"), (Row("x y.mp4", ("walk",)), Row("b.mp4", ("putting a, b",))), ())
    write_list(listing, tmp_path / "split.txt", tmp_path / "labels.csv")
    back = read_list(tmp_path / "split.txt", tmp_path / "labels.csv")
    assert (back.classes, [(row.path, row.names) for row in back.rows]) == (
        listing.classes,
        [(row.path, row.names) for row in listing.rows],
    )


def test_names_find_each_other_by_their_words() -> None:
    names = Names(["female adult speaking", "male adult speaking", "Brush hair"], "here")
    assert names.find("adult+female+speaking") == 0
    assert names.find("brush_hair") == 2
    assert names.find("adult speaking") is None


def test_the_class_in_an_hmdb51_file_name_stands_before_the_marks() -> None:
    classes = ("kick", "kick ball", "sword", "draw sword")
    assert class_in_name("My_kick_ball_of_2008_kick_f_cm_np1_ba_med_5", classes) == "kick"
    assert class_in_name("FOOT_kick_ball_l_nm_np1_fr_med_0", classes) == "kick ball"
    assert class_in_name("A_draw_sword_u_cm_np2_ri_goo_0", classes) == "draw sword"
    assert class_in_name("whatever", classes) is None


def test_every_known_benchmark_has_names_of_its_own() -> None:
    names = [name for known in benchmarks_of(discover(only=[])) for name in (known.name, *known.aliases)]
    assert len(set(names)) == len(names)


def test_a_label_number_may_be_of_any_size_without_harm(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,name\n99999999999999999999,walk\n")
    assert list(read_labels(tmp_path / "labels.csv")) == [99999999999999999999]
    with pytest.raises(UsageError, match="has no class 0"):
        open_benchmark(str(own(tmp_path, "a.mp4 0\n", "id,name\n99999999999999999999,walk\n")))


@pytest.mark.parametrize("header", ["path,label", "video,name", "filename,Class Name", "id,action"])
def test_a_table_may_call_its_columns_as_people_do(tmp_path: Path, header: str) -> None:
    (tmp_path / "table.csv").write_text(f"{header}\na.mp4,walk\nb.mp4,run_fast\n")
    assert open_benchmark(str(tmp_path / "table.csv")).splits[0].classes == ("run_fast", "walk")
    (tmp_path / "labels.json").write_text('{"walk": 0, "Run Fast": 1}')
    named = open_benchmark(str(tmp_path / "table.csv"), labels=tmp_path / "labels.json").splits[0]
    assert (named.classes, [sample.labels for sample in named.samples]) == (("walk", "Run Fast"), [(0,), (1,)])
    (tmp_path / "labels.json").write_text('{"walk": 0}')
    with pytest.raises(UsageError, match="line 3: 'run_fast' is not in .*labels.json"):
        open_benchmark(str(tmp_path / "table.csv"), labels=tmp_path / "labels.json")


def test_classes_that_are_kept_need_no_numbers_and_have_the_spelling_that_was_asked_for(tmp_path: Path) -> None:
    folder = own(tmp_path, "a.mp4 0\nb.mp4 1\n", "id,name\n0,walk\n1,RunFast\n")
    (tmp_path / "half.txt").write_text("run_fast\n")
    split = open_benchmark(str(folder), classes=tmp_path / "half.txt", spelling="spaced").splits[0]
    assert (split.classes, [sample.path for sample in split.samples]) == (("run fast",), ["b.mp4"])


def test_names_of_uav_human_say_subject_and_action_in_any_case() -> None:
    name = "P001S00G20B40H20UC072000LC021000A070R0_08241838"
    assert subject_and_action(name) == subject_and_action(name.lower()) == (1, 70)
