"""`maxi report` of evaluations."""

import json
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.reporting.report import Wanted, make_report
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import write_text
from tests.reporting.evaluations import CLASSES, write_scores
from tests.video.clips import numbered
from tests.video.clips import write as write_clip

LABELS = (0, 0, 1, 1, 2, 0)
FIRST = [[0.9, 0.1, 0.0], [0.1, 0.3, 0.2], [0.1, 0.9, 0.0], [0.9, 0.1, 0.2], [0.3, 0.2, 0.31], [0, 0, 0]]
SECOND = [[0.9, 0.1, 0.0], [0.4, 0.3, 0.2], [0.1, 0.9, 0.0], [0.1, 0.9, 0.2], [0.1, 0.2, 0.31], [0, 0, 0]]


@pytest.fixture
def evaluated(tmp_path: Path) -> list[Path]:
    write_clip(tmp_path / "clip 0.mp4", [numbered(index, 96, 96) for index in range(9)])
    return [
        write_scores(tmp_path / name, name, scores, LABELS, videos=tmp_path, skipped=1)
        for name, scores in {"<b>raw</b>": FIRST, "mine": SECOND}.items()
    ]


def page(places: list[Path], folder: Path) -> Path:
    write_text(folder / "report.html", make_report(places, Wanted(reading=VideoOptions(workers=0))).html)
    return folder / "report.html"


def test_models_stand_beside_each_other_and_the_published_numbers(evaluated, tmp_path: Path, opened) -> None:
    shown = opened(page(evaluated, tmp_path))
    rows = shown.texts("table >> nth=0 >> tbody tr")
    assert rows[0].split("\t")[:4] == ["ucf101", "top-1", "<b>raw</b>", "50.0"]
    assert rows[1].split("\t")[2:5] == ["mine", "83.3", "+33.3 [+0.0, +66.7]"]
    assert "ucf101\ttop-1\tMAXI +GPT3+BLIP\t78.2±0.8\t\ttable 1" in rows


def test_classes_are_sorted_confusions_counted_and_groups_shown(evaluated, tmp_path: Path, opened) -> None:
    shown = opened(page(evaluated, tmp_path))
    text = shown.page.locator("details").first.inner_text()
    classes = shown.texts("details >> nth=0 >> table:has-text('best first') tbody tr")
    assert [row.split("\t")[:2] for row in classes] == [
        [CLASSES[2], "100.0 %"], [CLASSES[1], "50.0 %"], [CLASSES[0], "33.3 %"],
    ]  # fmt: skip
    matrix = shown.page.locator("details").first.locator("table.matrix tbody tr").all_inner_texts()
    assert [row.split("\t") for row in matrix] == [
        [CLASSES[0], "1", "1", "", "1"], [CLASSES[1], "1", "1", "", ""], [CLASSES[2], "", "", "1", ""],
    ]  # fmt: skip
    assert f"{CLASSES[1]}\t{CLASSES[0]}\t1\t50.0 %" in text
    assert "novel\t3\t6\t50.0 %" in text


def test_the_best_and_the_worst_videos_have_predictions_and_pictures(evaluated, tmp_path: Path, opened) -> None:
    shown = opened(page(evaluated, tmp_path))
    first = shown.page.locator("details").first
    assert first.locator("h4").all_inner_texts() == [
        "Right by the widest margin",
        "Wrong, the true class farthest down",
    ]
    right, wrong = first.locator(".cards").all()
    assert right.locator("h5").all_inner_texts() == ["clip 0.mp4", "clip 2.mp4", "clip 4.mp4"]
    assert wrong.locator("h5").all_inner_texts() == ["clip 3.mp4", "clip 1.mp4"]
    assert f"true: {CLASSES[1]}, in place 3" in wrong.inner_text()
    assert right.locator("img").evaluate_all("all => all.map((one) => one.naturalWidth)") == [96]
    assert "no picture: no such file" in wrong.inner_text()
    lines = (evaluated[0] / "predictions-ucf101-1.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["file"] == str(tmp_path / "clip 0.mp4")


def test_a_single_scores_json_is_as_good_as_its_folder(evaluated, tmp_path: Path) -> None:
    made = make_report([evaluated[0] / "scores.json"], Wanted())
    assert "Right by the widest margin" in made.html


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("predictions-ucf101-1.jsonl", '{"top": [["a", 1]]}\n'),
        ("predictions-ucf101-1.jsonl", "[]\n"),
        ("predictions-ucf101-1.jsonl", "[" * 100_000),
        ("predictions-ucf101-1.jsonl", None),
        ("classes-ucf101-1.csv", "id,name,videos,accuracy\n1,2\n"),
        ("classes-ucf101-1.csv", None),
        ("confusion-ucf101-1.csv", "true,a\nb,c\n"),
        ("confusion-ucf101-1.csv", "true,a\nb,1,2,3\n"),
        ("confusion-ucf101-1.csv", None),
    ],
)
def test_a_file_that_is_damaged_or_gone_is_named_and_the_rest_is_shown(
    evaluated, tmp_path: Path, file: str, text: str | None
) -> None:
    path = evaluated[0] / file
    path.unlink() if text is None else path.write_text(text)
    html = make_report(evaluated[:1], Wanted()).html
    assert f"Not shown, since it cannot be read: {file}: " in html
    assert html.count("Not shown") == 1
    assert "50.0 %" in html


def test_predictions_are_looked_for_in_the_folder_alone(evaluated, tmp_path: Path) -> None:
    scores = evaluated[0] / "scores.json"
    records = json.loads(scores.read_text())
    (tmp_path / "predictions-other.jsonl").write_text('{"video": "secret", "labels": [], "top": [["secret", 1]]}\n')
    records[0]["predictions"] = "../predictions-other.jsonl"
    scores.write_text(json.dumps(records))
    assert "secret" not in make_report([evaluated[0]], Wanted()).html


@pytest.mark.parametrize(
    "said", [{}, {"metrics": {"top1": "<b>"}}, {"metrics": [1]}, {"model": None}, {"benchmark": 1}]
)
def test_what_is_no_scores_is_one_line(tmp_path: Path, said: dict) -> None:
    record = {"schema": 1, "benchmark": "a", "split": "1", "model": "m", "metrics": {"top1": 1}, "n": 1}
    (tmp_path / "scores.json").write_text(json.dumps([{**record, **said}] if said else {}))
    with pytest.raises(UsageError, match="holds no scores"):
        make_report([tmp_path], Wanted())


def test_videos_with_several_labels_have_precisions_and_no_confusion(evaluated, tmp_path: Path) -> None:
    folder = evaluated[0]
    records = json.loads((folder / "scores.json").read_text())
    records[0] |= {"metrics": {"map": 0.4, "map_cosine": None}, "groups": {"novel": {"classes": 3, "n": 6, "map": 0.4}}}
    (folder / "scores.json").write_text(json.dumps(records))
    lines = [json.loads(line) for line in (folder / "predictions-ucf101-1.jsonl").read_text().splitlines()]
    lines = [{key: value for key, value in line.items() if key != "rank"} for line in lines]
    (folder / "predictions-ucf101-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    html = make_report([folder], Wanted()).html
    assert "Wrong by the widest margin" in html
    assert "Confusion" not in html
    assert "40.0 %" in html
    assert "Not shown" not in html
