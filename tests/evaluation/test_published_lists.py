"""The lists that ViFi-CLIP and the authors distribute, if they are here, and official files made to match them."""

from pathlib import Path

import pytest

from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Annotations, Listing, read_list, read_names
from maxi_core.evaluation.benchmarks.opening import benchmarks_of, open_benchmark
from maxi_core.plugin.catalog import discover
from tests.evaluation import official

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the published lists are not here")

KNOWN = {known.name: known for known in benchmarks_of(discover(only=[])) if known.lists}

# As published, in the order of the tables. Counts of Kinetics-600 are those of line breaks, and the last line.
COUNTS = {
    "ucf101": (101, [3783, 3734, 3696]),
    "hmdb51": (51, [1530, 1530, 1530]),
    "kinetics600-novel": (160, [14083 + 1, 13977 + 1, 14135 + 1]),
    "minissv2": (87, [11799]),
    "ssv2": (174, [24777]),
    "charades": (157, [1814]),
    "moments": (305, [30500]),
    "uav-human": (155, [6191, 6292]),
    "kinetics400": (400, [19877]),
}


def listed(name: str, split: str = "1") -> Listing:
    known, files = KNOWN[name], Annotations(DATA)
    path = files.find(*(pattern.format(split) for pattern in known.lists))
    labels = files.find(*(pattern.format(split) for pattern in known.labels))
    return read_list(path, labels, multi_label=known.multi_label)


@pytest.mark.parametrize("name", [*KNOWN])
def test_each_list_has_the_published_number_of_videos_and_classes(name: str) -> None:
    benchmark = open_benchmark(name, annotations=DATA)
    classes, counts = COUNTS[name]
    assert [len(split.samples) for split in benchmark.splits] == counts
    assert {len(split.classes) for split in benchmark.splits} == {classes}
    assert {place for split in benchmark.splits for sample in split.samples for place in sample.labels} == set(
        range(classes)
    )


def test_the_hmdb51_lists_are_told_to_swap_two_pairs_of_classes() -> None:
    """Files named `..._kick_...` carry the number of `kick ball` and so on: 120 of the 1530 videos of each split."""
    for split in open_benchmark("hmdb51", annotations=DATA).splits:
        (note,) = split.notes
        assert "120 videos have another class in the list" in note
        assert "30 x 'kick ball' for 'kick'" in note
    right = open_benchmark("hmdb51:1", annotations=DATA, trust="official").splits[0]
    labels = {sample.id: right.classes[sample.labels[0]] for sample in right.samples}
    assert labels["The_Matrix_2_kick_f_cm_np1_le_med_6"] == "kick"
    assert labels["FOOT_2009_(REMI_GAILLARD)_kick_ball_f_cm_np1_ba_bad_1"] == "kick ball"


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in ("hmdb51", "uav-human")])
def test_official_files_of_the_same_videos_agree_with_the_list(name: str, tmp_path: Path) -> None:
    listing = listed(name)
    makers = {
        "ucf101": lambda: official.ucf101(tmp_path, listing, "1"),
        "kinetics600-novel": lambda: official.kinetics(tmp_path, listing, "test"),
        "kinetics400": lambda: official.kinetics(tmp_path, listing, "validate"),
        "ssv2": lambda: official.ssv2(tmp_path, listing),
        "minissv2": lambda: official.ssv2(tmp_path, listing),
        "charades": lambda: official.charades(tmp_path, listing),
        "moments": lambda: official.moments(tmp_path, listing),
    }
    makers[name]()
    known = KNOWN[name]
    labels = Annotations(DATA).find(*(pattern.format("1") for pattern in known.labels))
    (tmp_path / labels.name).write_bytes(labels.read_bytes())
    alone = open_benchmark(f"{name}:1", annotations=tmp_path).splits[0]
    (tmp_path / "lists").mkdir()
    for path in listing.files[:1]:
        folder = tmp_path / "lists" / path.parent.name
        folder.mkdir()
        (folder / path.name).write_bytes(path.read_bytes())
    both = open_benchmark(f"{name}:1", annotations=tmp_path).splits[0]
    assert alone.sha256 == both.sha256 == open_benchmark(f"{name}:1", annotations=DATA).splits[0].sha256


def test_official_hmdb51_files_contradict_the_lists_until_the_user_says_which_is_right(tmp_path: Path) -> None:
    right = open_benchmark("hmdb51:1", annotations=DATA, trust="official").splits[0]
    from maxi_core.evaluation.benchmarks.lists import Row

    rows = tuple(Row(sample.path, (right.classes[sample.labels[0]],)) for sample in right.samples)
    official.hmdb51(tmp_path, Listing(right.classes, rows, ()), "1")
    alone = open_benchmark("hmdb51:1", annotations=tmp_path).splits[0]
    assert alone.sha256 == right.sha256
    for path in ("splits/hmdb_splits/val1.txt", "labels/hmdb_51_labels.csv"):
        (tmp_path / Path(path).name).write_bytes((DATA / path).read_bytes())
    with pytest.raises(UsageError, match="120 videos have another class in the list.*--trust"):
        open_benchmark("hmdb51:1", annotations=tmp_path)
    assert open_benchmark("hmdb51:1", annotations=tmp_path, trust="official").splits[0].sha256 == right.sha256
    listed_split = open_benchmark("hmdb51:1", annotations=tmp_path, trust="lists").splits[0]
    assert listed_split.sha256 == open_benchmark("hmdb51:1", annotations=DATA).splits[0].sha256


@pytest.mark.parametrize("split", ["1", "2"])
def test_the_uav_human_lists_hold_the_subjects_of_their_split_and_the_actions_of_their_names(split: str) -> None:
    from maxi_plugins.benchmarks.uav_human import TEST_SUBJECTS, subject_and_action

    benchmark = open_benchmark(f"uav-human:{split}", annotations=DATA).splits[0]
    said = [subject_and_action(sample.id) for sample in benchmark.samples]
    assert {subject for subject, _ in said} <= TEST_SUBJECTS[split]
    assert [action for _, action in said] == [sample.labels[0] for sample in benchmark.samples]


def test_uav_human_files_alone_give_the_split_of_their_subjects(tmp_path: Path) -> None:
    benchmark = open_benchmark("uav-human:1", annotations=DATA).splits[0]
    for sample in benchmark.samples[:40]:
        (tmp_path / sample.path).touch()
    (tmp_path / "P002S00G20B40H20UC072000LC021000A070R0_08241838.avi").touch()  # a subject of training
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "UAV_human_labels.csv").write_bytes((DATA / "labels/UAV_human_labels.csv").read_bytes())
    found = open_benchmark("uav-human:1", annotations=labels, videos=tmp_path).splits[0]
    assert {(sample.id, sample.labels) for sample in found.samples} == {
        (sample.id, sample.labels) for sample in benchmark.samples[:40]
    }


def test_base_and_novel_halves_divide_the_classes(tmp_path: Path) -> None:
    whole = open_benchmark("ucf101:1", annotations=DATA).splits[0]
    halves = [
        open_benchmark("ucf101:1", annotations=DATA, classes=DATA / f"labels/ucf_101_{half}_labels.csv").splits[0]
        for half in ("base", "novel")
    ]
    assert [len(half.classes) for half in halves] == [51, 50]
    assert sum(len(half.samples) for half in halves) == len(whole.samples)


def test_the_published_few_shot_lists_have_k_videos_of_each_class() -> None:
    from collections import Counter

    for name, classes in (("ucf", 101), ("hmdb", 51), ("ssv2", 174)):
        labels = DATA / "labels" / {"ucf": "ucf_101", "hmdb": "hmdb_51", "ssv2": "ssv2"}[name]
        for shots in (2, 4, 8, 16):
            path = DATA / f"splits/{name}_splits/train1_few_shot_{shots}.txt"
            rows = read_list(path, labels.with_name(f"{labels.name}_labels.csv")).rows
            assert Counter(Counter(row.names for row in rows).values()) == {shots: classes}


def test_minikinetics_is_its_published_list_and_the_videos_of_kinetics400_that_have_these_classes() -> None:
    mini = open_benchmark("minikinetics", annotations=DATA).splits[0]
    assert (
        mini.classes == read_dictionary("minikinetics").entries == read_names(DATA / "labels/minikinetics_labels.csv")
    )
    whole = open_benchmark("kinetics400", annotations=DATA).splits[0]
    names = {sample.id: whole.classes[sample.labels[0]] for sample in whole.samples}
    assert {sample.id: mini.classes[sample.labels[0]] for sample in mini.samples} == {
        video: name for video, name in names.items() if name in mini.classes
    }
