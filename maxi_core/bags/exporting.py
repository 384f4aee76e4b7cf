"""The bags of a run in the files of other people's tools: tables, a dataset of the Hub, FiftyOne, the authors' own."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from maxi_core.bags.bag import read_bags
from maxi_core.bags.manifest import bags_of
from maxi_core.bags.releasing import captioners, write_release
from maxi_core.errors import MaxiError, UsageError
from maxi_core.evaluation.saving import to_csv
from maxi_core.system.files import refuse_existing, whole_file, whole_folder, write_lines, write_text
from maxi_core.system.text_files import read_text
from maxi_core.texts import counted
from maxi_core.types import TextBag, Video
from maxi_core.video.archives import archive_of, open_video, video_exists
from maxi_core.video.lists import is_video_name
from maxi_core.video.skips import to_line

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["parquet", "jsonl", "hf", "fiftyone", "released"]
Row = dict[str, Any]
Predictions = Mapping[str, list[Row]]  # video -> its best classes, best first

EXTRA = "pip install 'maxi[data]'"
AT_ONCE = 10_000  # rows of a group in Parquet
VIDEOS = "videos"  # folder of a dataset of the Hub


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many bags, and the videos that are not there, of a format that holds videos."""

    path: Path
    bags: int
    missing: tuple[str, ...] = ()


def export_bags(run: Path, out: Path, to: Format, predictions: Path | None = None) -> Exported:
    """Write the bags of a run folder for another program.

    `parquet` and `jsonl` write a file (`bags.parquet`, `bags.jsonl` where `out` has no such ending) with one row for
    each bag, the others a folder. `predictions` are joined by the id of the video: what `maxi eval` or `maxi predict
    --json` wrote. Raises UsageError for what is at `out` already, for predictions of other videos, and where pyarrow
    is missing.
    """
    if predictions is not None and to == "released":
        raise UsageError("the authors' files hold no predictions", "leave out --predictions, or export to jsonl")
    bags_of(run)  # says what is wrong with the run before anything is written
    try:
        return _exported(run, out, to, predictions)
    except UnicodeEncodeError as error:
        what = f"{run} has a text that is not UTF-8, {error.object[max(0, error.start - 9) : error.end + 9]!a}"
        raise UsageError(f"{what}, which {to} cannot hold", "export to jsonl") from None


def _exported(run: Path, out: Path, to: Format, predictions: Path | None) -> Exported:
    foreseen = None if predictions is None else read_predictions(predictions)
    if to in ("parquet", "jsonl"):
        path = out if out.suffix == f".{to}" else out / f"bags.{to}"
        refuse_existing(path)
        rows = _joined(run, foreseen)
        predicted = foreseen is not None
        return Exported(path, _write_jsonl(path, rows) if to == "jsonl" else _write_parquet(path, rows, predicted))
    with whole_folder(out) as folder:
        if to == "released":
            return Exported(out, write_release(run, folder))
        done = (_write_hub if to == "hf" else _write_fiftyone)(run, folder, out, _joined(run, foreseen))
        if not done.bags:
            what = f"not one of {counted(len(done.missing), 'video')} is there, such as {', '.join(done.missing[:1])}"
            raise MaxiError(what, f"export to jsonl, or make {run} with the folder that has them")
        return done


# One row for each bag.


def as_row(bag: TextBag) -> Row:
    """Return a bag as one row of a table: every column has one type, and no name has lone surrogates."""
    match, video = bag.match, bag.match.video
    row = {
        "video": video.id,
        "path": str(video.path),
        "start": video.start,
        "end": video.end,
        "entry": match.entry,
        "score": float(match.score),
        "top": [{"entry": entry, "score": float(score)} for entry, score in match.top],
        "kept": bag.kept,
        "bag": [text.text for text in bag.texts],
        "texts": [
            {"text": text.text, "source": text.source, "of": text.of, "kind": text.kind, "also": list(text.also)}
            for text in bag.texts
        ],
        "said": [{"source": source, "texts": list(texts)} for source, texts in bag.said],
    }
    return row if _is_unicode(video) else _escaped(row)


def _is_unicode(video: Video) -> bool:
    try:
        f"{video.id}{video.path}".encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(value: Any) -> Any:
    """Write the bytes of names that are not UTF-8 as `\\udcff`, which every reader takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _joined(run: Path, foreseen: Predictions | None) -> Iterator[Row]:
    found = 0
    for bag in read_bags(run):
        row = as_row(bag)
        if foreseen is not None:
            row["predictions"] = foreseen.get(bag.match.video.id, [])
            found += bag.match.video.id in foreseen
        yield row
    if foreseen is not None and not found:
        raise UsageError(
            f"none of the {counted(len(foreseen), 'prediction')} is of a video of {run}, such as "
            f"'{next(iter(foreseen), '')}'",
            "predict the same videos, by the same folder",
        )


def read_predictions(path: Path) -> dict[str, list[Row]]:
    """Return {video: [{"class", "score"}, ...]} of what `maxi eval` (JSON lines) or `maxi predict --json` wrote.

    Scores are cosines of the former and shares of the latter. Raises UsageError for any other file.
    """
    text = read_text(path)
    try:
        try:
            whole = json.loads(text)
            records = whole.get("predictions", [whole])
        except json.JSONDecodeError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        if found := {str(record["video"]): [_guess(one) for one in record["top"]] for record in records}:
            return found
        raise ValueError("an empty file")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"{path} holds no predictions", "name predictions-*.jsonl of maxi eval, or what maxi predict --json printed"
        ) from None


def _guess(one: Any) -> Row:
    name, score = (one["label"], one["share"]) if isinstance(one, dict) else one
    return {"class": str(name), "score": float(score)}


# Tables.


def _write_jsonl(path: Path, rows: Iterable[Row]) -> int:
    written: list[None] = []

    def lines() -> Iterator[str]:
        for row in rows:
            written.append(None)
            yield to_line(row)

    write_lines(path, lines())
    return len(written)


def _write_parquet(path: Path, rows: Iterable[Row], predicted: bool) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed", f"{EXTRA}, or export to jsonl") from None
    schema, count, left = _schema(pa, predicted), 0, iter(rows)
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(left, AT_ONCE)):
            count += len(some)
            writer.write_table(pa.Table.from_pylist(some, schema))
    return count


def _schema(arrow: Any, predicted: bool) -> "pa.Schema":
    text, number, texts = arrow.string(), arrow.float64(), arrow.list_(arrow.string())
    item = {**dict.fromkeys(("text", "source", "of", "kind"), text), "also": texts}
    fields = {
        **dict.fromkeys(("video", "path"), text),
        **dict.fromkeys(("start", "end"), number),
        "entry": text,
        "score": number,
        "top": arrow.list_(arrow.struct({"entry": text, "score": number})),
        "kept": arrow.bool_(),
        "bag": texts,
        "texts": arrow.list_(arrow.struct(item)),
        "said": arrow.list_(arrow.struct({"source": text, "texts": texts})),
    }
    if predicted:
        fields["predictions"] = arrow.list_(arrow.struct({"class": text, "score": number}))
    return arrow.schema(fields)


# Folders with videos.

CARD = """---
pretty_name: {name}
task_categories:
- video-classification
tags:
- text-bags
---

# {name}

Videos with the action name that CLIP matches each to (`match`, `score`), what an image captioner said of its frames
(`captions`), what a language model said of the name (`phrases`), and the words that came of both (`bag`). Made by maxi
with `maxi export bags --to hf`; no label of a video was used. The licence is that of the videos: name it above.
"""


def _spoken(row: Row, captioners: Collection[str]) -> Row:
    """Return what a person reads of a bag: the match, captions, phrases and the words."""
    captions = [text for one in row["said"] if one["source"] in captioners for text in one["texts"]]
    phrases = [text for one in row["said"] if one["source"] not in captioners for text in one["texts"]]
    return {
        "id": row["video"],
        "start": row["start"],
        "end": row["end"],
        "match": row["entry"],
        "score": row["score"],
        "kept": row["kept"],
        "captions": captions,
        "phrases": phrases,
        "bag": row["bag"],
        **({"predictions": row["predictions"]} if "predictions" in row else {}),
    }


def _there(rows: Iterable[Row], missing: list[str]) -> Iterator[Row]:
    """Yield the rows whose videos are there; note the others."""
    for row in rows:
        if video_exists(Path(row["path"])):
            yield row
        else:
            missing.append(row["video"])


def _write_hub(run: Path, folder: Path, out: Path, rows: Iterable[Row]) -> Exported:
    """Write a dataset of the Hugging Face Hub, whose viewer shows it: copies of the videos, metadata.jsonl, a card."""
    names: dict[str, str] = {}  # path -> its copy; windows of one video share it
    missing: list[str] = []
    of_videos = captioners(run)

    def copied() -> Iterator[Row]:
        for row in _there(rows, missing):
            if row["path"] not in names:
                names[row["path"]] = _copy(Path(row["path"]), folder, _file_name(row), names.values())
            yield {"file_name": names[row["path"]], **_spoken(row, of_videos)}

    count = _write_jsonl(folder / "metadata.jsonl", copied())
    write_text(folder / "README.md", CARD.format(name=out.name))
    return Exported(out, count, tuple(missing))


def _file_name(row: Row) -> str:
    """Return the name of a video's copy: its id without the window, below VIDEOS whatever the id is."""
    name = row["video"] if row["start"] is row["end"] is None else row["video"].rpartition("#t=")[0] or row["video"]
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")] or ["video"]
    ending = _ending(Path(row["path"]))
    return "/".join([VIDEOS, *parts]) + ("" if parts[-1].endswith(ending) else ending)


def _ending(video: Path) -> str:
    """Return the ending of a copy, by which others know that it is a video; a row of a table may have none."""
    return video.suffix if is_video_name(video.name) else ".mp4"


def _copy(video: Path, folder: Path, name: str, taken: Collection[str]) -> str:
    while name in taken:  # ids that differ only in what a copy's name cannot have
        name = f"{name.removesuffix(_ending(video))}_{_ending(video)}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with open_video(video) as file, (folder / name).open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    return name


def _write_fiftyone(run: Path, folder: Path, out: Path, rows: Iterable[Row]) -> Exported:
    """Write FiftyOne's CSV dataset and the lines that load it; the videos stay where they are.

    FiftyOne knows a row by its file, so a second window of one is a row of a link to it, in the folder `data`, and what
    is in an archive has a copy there.
    """
    missing: list[str] = []
    of_videos = captioners(run)
    table: list[list[object]] = [list(COLUMNS)]
    seen: set[str] = set()
    for row in _there(rows, missing):
        spoken = _spoken(row, of_videos)
        best = (spoken.get("predictions") or [{"class": "", "score": ""}])[0]
        cells = {**spoken, "filepath": str(Path(row["path"]).resolve()), "video": row["video"]}
        cells |= {"prediction": best["class"], "confidence": best["score"]}
        held = archive_of(video := Path(row["path"])) is not None
        if held or cells["filepath"] in seen:
            name = f"data/{len(table)}{_ending(video)}"
            if held:
                _copy(video, folder, name, ())
            else:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).symlink_to(cells["filepath"])
            cells["filepath"] = Path(name).name
        seen.add(cells["filepath"])
        table.append([json.dumps(cells[key]) if isinstance(cells[key], list) else cells[key] for key in COLUMNS])
    write_text(folder / "labels.csv", to_csv(table))
    write_text(folder / "load.py", LOAD)
    return Exported(out, len(table) - 1, tuple(missing))


COLUMNS = (
    *("filepath", "video", "start", "end", "match", "score", "kept", "captions", "phrases", "bag"),
    *("prediction", "confidence"),
)
LOAD = '''"""Load this folder into FiftyOne: python load.py"""

import json
from pathlib import Path

import fiftyone as fo

text = lambda cell: cell.removeprefix("'")  # what keeps a cell from being a formula
fields = dict.fromkeys(("video", "match", "prediction"), text) | {"kept": lambda cell: cell == "True"}
fields |= dict.fromkeys(("start", "end", "score", "confidence"), float)
fields |= dict.fromkeys(("captions", "phrases", "bag"), json.loads)
dataset = fo.Dataset.from_dir(
    dataset_dir=str(Path(__file__).resolve().parent), dataset_type=fo.types.CSVDataset, fields=fields
)
print(dataset)
fo.launch_app(dataset).wait()
'''
