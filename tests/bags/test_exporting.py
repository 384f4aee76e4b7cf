"""Bags in other people's files, read by their own tools in a process that cannot import maxi."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maxi_core.bags.bag import to_line
from maxi_core.bags.exporting import LOAD, as_row, export_bags, read_predictions
from maxi_core.bags.manifest import BAGS, MANIFEST
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.files import write_lines
from maxi_core.types import Match, Text, TextBag, Video
from tests.video.clips import write

Maxi = Callable[..., Any]
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("maxi"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
import json
"""
ROLES = {"dictionary": "matcher", "gpt3": "expander", "blip": "captioner"}
ENTRY = "applying cream, <b>quickly</b>"


def bag(video: Video, *, kept: bool = True) -> TextBag:
    texts = (Text("rub", "blip", "a woman rubs", "verb", ("gpt3",)), Text("=smear \u00e9", "gpt3", ENTRY, "phrase"))
    said = (("gpt3", ("=smear \u00e9",)), ("blip", ("a woman rubs", "a dog")))
    match = Match(video, ENTRY, 0.25, ((ENTRY, 0.25), ("abseiling", 0.125)))
    return TextBag(match, kept, texts if kept else (), said if kept else ())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Write a run of two windows of one video, one with a strange name that is not kept, and one that is gone."""
    videos = tmp_path / "videos"
    (videos / "3").mkdir(parents=True)
    for name in ("3/-a b.mp4", "c\n#.mp4"):
        write(videos / name, [np.full((32, 40, 3), 90, np.uint8)] * 4)
    found = [
        bag(Video("3/-a b.mp4#t=0,1", videos / "3/-a b.mp4", 0.0, 1.0)),
        bag(Video("3/-a b.mp4#t=1", videos / "3/-a b.mp4", 1.0)),
        bag(Video("c\n#.mp4", videos / "c\n#.mp4"), kept=False),
        bag(Video("../gone.mp4", videos / "../gone.mp4")),
    ]
    write_lines(tmp_path / "run" / BAGS, map(to_line, found))
    (tmp_path / "run" / MANIFEST).write_text(json.dumps({"roles": ROLES}))
    return tmp_path / "run"


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """Write predictions as maxi eval does."""
    record = {"schema": 1, "video": "c\n#.mp4", "labels": ["x"], "top": [["clap", 2.5], ["wave", 1.0]]}
    (tmp_path / "predictions-own-1.jsonl").write_text(json.dumps(record) + "\n")
    return tmp_path / "predictions-own-1.jsonl"


def alone(code: str, *arguments: Path) -> Any:
    """Return what a program without maxi prints, as JSON."""
    home = {"HF_HOME": str(arguments[0].parent / "hf"), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", ALONE + code, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **home},
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


READ = """
import duckdb, pandas
from datasets import load_dataset
path = sys.argv[1]
kind = path.rpartition(".")[2]
frame = pandas.read_parquet(path) if kind == "parquet" else pandas.read_json(path, lines=True)
what = "video, score, kept, bag, texts[1].text, said[2].texts, predictions"
table = duckdb.sql(f"select {what} from '{path}'").fetchall()
kind = {"jsonl": "json"}.get(kind, kind)
rows = load_dataset(kind, data_files=path, split="train")
print(json.dumps({"pandas": json.loads(frame.to_json(orient="records")), "duckdb": table, "datasets": list(rows)}))
"""


@pytest.mark.parametrize("to", ["parquet", "jsonl"])
def test_pandas_duckdb_and_datasets_read_a_table(
    to: str, run: Path, predicted: Path, tmp_path: Path, maxi: Maxi
) -> None:
    ran = maxi("export", "bags", run, tmp_path / f"out.{to}", "--to", to, "--predictions", predicted)
    assert (ran.code, ran.err, ran.out.strip().endswith("4 bags")) == (ExitCode.DONE, "", True)
    read = alone(READ, tmp_path / f"out.{to}")
    wanted = [{**as_row(one), "predictions": []} for one in map(bag_of, (run / BAGS).read_text().splitlines())]
    wanted[2]["predictions"] = [{"class": "clap", "score": 2.5}, {"class": "wave", "score": 1.0}]
    assert read["pandas"] == wanted
    assert read["datasets"] == wanted
    shown = [[one["video"], 0.25, one["kept"], one["bag"]] for one in wanted]
    assert [row[:4] for row in read["duckdb"]] == shown
    assert read["duckdb"][0][4:6] == ["rub", ["a woman rubs", "a dog"]]
    assert read["duckdb"][2][6] == wanted[2]["predictions"]


def bag_of(line: str) -> TextBag:
    from maxi_core.bags.bag import from_line

    return from_line(line)


HUB = """
from datasets import Video, load_dataset
from pathlib import Path
rows = load_dataset(sys.argv[1], split="train").cast_column("video", Video(decode=False))
found = [{**row, "video": Path(row["video"]["path"]).stat().st_size} for row in rows]
print(json.dumps([rows.column_names, found]))
"""


def test_datasets_read_a_folder_for_the_hub_as_videos_with_captions_and_bags(
    run: Path, predicted: Path, tmp_path: Path, maxi: Maxi
) -> None:
    ran = maxi("export", "bags", run, tmp_path / "hub", "--to", "hf", "--predictions", predicted)
    assert (ran.code, "1 left out, whose videos are not there: ../gone.mp4" in ran.err) == (ExitCode.SKIPPED, True)
    names, rows = alone(HUB, tmp_path / "hub")
    assert {"video", "match", "captions", "phrases", "bag", "predictions"} <= {*names}
    sizes = [(tmp_path / "videos" / name).stat().st_size for name in ("3/-a b.mp4", "3/-a b.mp4", "c\n#.mp4")]
    assert [row["video"] for row in rows] == sizes
    assert (rows[0]["id"], rows[0]["start"], rows[0]["match"]) == ("3/-a b.mp4#t=0,1", 0.0, ENTRY)
    assert (rows[1]["captions"], rows[1]["phrases"]) == (["a woman rubs", "a dog"], ["=smear \u00e9"])
    assert (rows[0]["bag"], rows[2]["bag"], rows[2]["kept"]) == (["rub", "=smear \u00e9"], [], False)
    assert rows[2]["predictions"][0] == {"class": "clap", "score": 2.5}
    assert sorted(path.name for path in (tmp_path / "hub").rglob("*.mp4")) == ["-a b.mp4", "c\n#.mp4"]
    assert (tmp_path / "hub" / "README.md").read_text().startswith("---\npretty_name: hub\n")


FIFTYONE = """
import csv, json
from types import SimpleNamespace
types = SimpleNamespace(CSVDataset="csv")
class Dataset:
    @staticmethod
    def from_dir(dataset_dir, dataset_type, fields):
        rows = {row["filepath"]: row for row in csv.DictReader(open(dataset_dir + "/labels.csv"))}  # as FiftyOne does
        place = lambda path: path if path[0] == "/" else dataset_dir + "/data/" + path
        said = lambda row: {key: parse(row[key]) if row[key] else None for key, parse in fields.items()}
        return [{"filepath": place(path), **said(row)} for path, row in rows.items()]
def launch_app(dataset):
    print(json.dumps(dataset))
    return SimpleNamespace(wait=lambda: None)
"""


def test_the_lines_that_load_the_fiftyone_folder_give_back_what_was_said(
    run: Path, predicted: Path, tmp_path: Path, maxi: Maxi
) -> None:
    assert maxi("export", "bags", run, tmp_path / "fo", "--to", "fiftyone", "--predictions", predicted).code == 3
    assert (tmp_path / "fo" / "load.py").read_text() == LOAD
    (tmp_path / "fo" / "fiftyone.py").write_text(FIFTYONE)
    rows = alone(
        "import runpy\nsys.path.insert(0, sys.argv[1])\nrunpy.run_path(f'{sys.argv[1]}/load.py')", tmp_path / "fo"
    )
    assert [Path(row["filepath"]).is_file() for row in rows] == [True, True, True]
    assert [(row["video"], row["start"], row["end"]) for row in rows[:2]] == [
        ("3/-a b.mp4#t=0,1", 0.0, 1.0),
        ("3/-a b.mp4#t=1", 1.0, None),
    ]
    assert (rows[0]["bag"], rows[0]["captions"]) == (["rub", "=smear \u00e9"], ["a woman rubs", "a dog"])
    assert [(row["prediction"], row["confidence"], row["kept"]) for row in rows][1:] == [
        (None, None, True),
        ("clap", 2.5, False),
    ]
    with (tmp_path / "fo" / "labels.csv").open(newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_predictions_are_read_as_eval_and_predict_write_them(predicted: Path, tmp_path: Path) -> None:
    guess = {"label": "wave", "share": 0.75, "cosine": 0.3}
    printed = {"schema": 1, "predictions": [{"video": "a.mp4", "top": [guess], "skipped": None}]}
    (tmp_path / "printed.json").write_text(json.dumps(printed))
    assert read_predictions(tmp_path / "printed.json") == {"a.mp4": [{"class": "wave", "score": 0.75}]}
    assert read_predictions(predicted)["c\n#.mp4"][1] == {"class": "wave", "score": 1.0}
    for text in ("", "[1]", '{"predictions": 3}', "no JSON", '{"video": "a"}', "[" * 100_000):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UsageError, match="holds no predictions"):
            read_predictions(tmp_path / "bad.json")


def test_videos_in_archives_are_copied_where_a_format_holds_videos(run: Path, tmp_path: Path) -> None:
    data = (tmp_path / "videos" / "3" / "-a b.mp4").read_bytes()
    pq.write_table(pa.table({"video": [data, data]}), tmp_path / "t.parquet")
    rows = [bag(Video(f"t.parquet/{row}", tmp_path / "t.parquet" / str(row))) for row in range(2)]
    write_lines(run / BAGS, map(to_line, rows))
    assert export_bags(run, tmp_path / "hub", "hf").bags == 2
    assert [path.read_bytes() == data for path in (tmp_path / "hub").rglob("*.mp4")] == [True, True]
    assert export_bags(run, tmp_path / "fo", "fiftyone").bags == 2
    with (tmp_path / "fo" / "labels.csv").open(newline="") as file:
        names = [row["filepath"] for row in csv.DictReader(file)]
    assert [(tmp_path / "fo" / "data" / name).read_bytes() == data for name in names] == [True, True]


def test_the_page_shows_the_lines_that_load_fiftyone() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bags.md").read_text(encoding="utf-8")
    assert "```python\n" + LOAD.partition("\n\n")[2] + "```" in page


def test_a_name_that_is_not_utf_8_is_written_in_escapes_that_all_read(run: Path, tmp_path: Path) -> None:
    write_lines(run / BAGS, [to_line(bag(Video("\udcff.mp4", Path("/x/\udcff.mp4"))))])
    export_bags(run, tmp_path / "out.parquet", "parquet")
    export_bags(run, tmp_path / "out.jsonl", "jsonl")
    print_them = (
        "import duckdb\nprint(json.dumps([duckdb.sql(f\"select video from '{p}'\").fetchall() for p in sys.argv[1:]]))"
    )
    assert alone(print_them, tmp_path / "out.parquet", tmp_path / "out.jsonl") == [[["\\udcff.mp4"]]] * 2


def test_numbers_that_no_table_holds_as_they_are_become_the_nearest(run: Path, tmp_path: Path) -> None:
    line = json.loads(to_line(bag(Video("a.mp4", Path("/x/a.mp4"), 1.0, 2.0))))
    write_lines(run / BAGS, [json.dumps(line | {"end": 10**30})])
    export_bags(run, tmp_path / "out.parquet", "parquet")
    print_it = 'import duckdb\nprint(duckdb.sql(f"select \\"end\\" from \'{sys.argv[1]}\'").fetchall()[0][0])'
    assert alone(print_it, tmp_path / "out.parquet") == 1e30


@pytest.mark.parametrize("to", ["parquet", "fiftyone"])
def test_a_text_that_is_not_utf_8_is_one_line(run: Path, tmp_path: Path, to: Any) -> None:
    lines = (run / BAGS).read_text().splitlines()
    record = json.loads(lines[0])
    record["match"]["entry"] = "\ud800 jump"
    write_lines(run / BAGS, [json.dumps(record), *lines[1:]])
    said = r"has a text that is not UTF-8, '.*\\ud800 jump.*', which \w+ cannot hold; export to jsonl"
    with pytest.raises(UsageError, match=said):
        export_bags(run, tmp_path / f"out.{to}", to)
    assert not (tmp_path / f"out.{to}").exists()
    export_bags(run, tmp_path / "out.jsonl", "jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["entry"] == "\ud800 jump"


def test_what_cannot_be_exported_is_one_line_and_leaves_nothing(
    run: Path, predicted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_text("mine")
    for to in ("parquet", "jsonl", "hf", "fiftyone", "released"):
        out = tmp_path / "there" if to not in ("parquet", "jsonl") else (tmp_path / f"there.{to}")
        out.write_text("mine")
        with pytest.raises(UsageError, match="is there already"):
            export_bags(run, out, to)
        assert out.read_text() == "mine"
        out.unlink()
    with pytest.raises(UsageError, match="hold no predictions"):
        export_bags(run, tmp_path / "out", "released", predicted)
    with pytest.raises(UsageError, match="holds no predictions"):
        export_bags(run, tmp_path / "out", "jsonl", run / BAGS)
    predicted.write_text(predicted.read_text().replace("#.mp4", "other.mp4"))
    with pytest.raises(UsageError, match="none of the 1 prediction is of a video"):
        export_bags(run, tmp_path / "out", "hf", predicted)
    with pytest.raises(UsageError, match="there is no run folder"):
        export_bags(tmp_path / "nowhere", tmp_path / "out", "hf")
    (run / MANIFEST).write_text("{}")
    with pytest.raises(UsageError, match="did not note who captions"):
        export_bags(run, tmp_path / "out", "hf")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'maxi\[data\]'"):
        export_bags(run, tmp_path / "out.parquet", "parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [predicted.name, "run", "videos"]
