"""The lines of `bags.jsonl`, written and read again (method.md, files)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError
from maxi_core.types import Match, Text, TextBag, Video

SCHEMA = 1
BAGS = "bags.jsonl"


def as_record(bag: TextBag) -> dict[str, object]:
    """Return a bag as plain values."""
    video = bag.match.video
    return {
        "schema": SCHEMA,
        "video": video.id,
        "path": str(video.path),
        "start": video.start,
        "end": video.end,
        "match": {"entry": bag.match.entry, "score": bag.match.score, "top": [list(pair) for pair in bag.match.top]},
        "kept": bag.kept,
        "texts": [_text(text) for text in bag.texts],
        "said": {source: list(texts) for source, texts in bag.said},
    }


def to_line(bag: TextBag) -> str:
    """Return a bag as one line of JSON, without its end."""
    record = as_record(bag)
    line = json.dumps(record, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(record)  # a name that is not UTF-8 is written in escapes


def _text(text: Text) -> dict[str, object]:
    record: dict[str, object] = {"text": text.text, "source": text.source, "of": text.of, "kind": text.kind}
    return {**record, "also": list(text.also)} if text.also else record


def from_line(line: str) -> TextBag:
    """Return the bag of one line; raises ValueError or KeyError for anything else."""
    record: dict[str, Any] = json.loads(line)
    if record["schema"] != SCHEMA:
        raise ValueError(f"schema {record['schema']}, and this maxi reads {SCHEMA}")
    video = Video(record["video"], Path(record["path"]), record["start"], record["end"])
    match = record["match"]
    texts = tuple(Text(t["text"], t["source"], t["of"], t["kind"], tuple(t.get("also", ()))) for t in record["texts"])
    said = tuple((source, tuple(texts)) for source, texts in record["said"].items())
    top = tuple((entry, score) for entry, score in match["top"])
    return TextBag(Match(video, match["entry"], match["score"], top), record["kept"], texts, said)


def read_bags(run: Path) -> Iterator[TextBag]:
    """Yield the bags of a run folder in order; raises UsageError that names the line of anything else."""
    path = run / BAGS
    if not path.is_file():
        raise UsageError(f"there are no bags in {run}: no {BAGS}", f"make them: maxi bags VIDEOS --out {run}")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_line(line)
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{path}:{number} is not a bag: {error}", "run maxi bags again") from None
