"""What the files of an evaluation must hold for their readers: the keys of scores.json and of predictions."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maxi_core.clip.model_rules import COUNT, FLAG, NUMBER, PLACE, Rule, number, whole
from maxi_core.errors import UsageError
from maxi_core.system.files import parsed_json
from maxi_core.system.text_files import excerpt

Predictions = dict[str, dict[str, Any]]  # video -> its line

TEXT = Rule("a text", lambda value: isinstance(value, str))
TABLE = Rule("a table", lambda value: isinstance(value, dict))


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(one is None or number(one) for one in value.values())


def _is_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


NUMBERS = Rule("numbers by name", _numbers)
NEEDED: Mapping[str, Rule] = {
    **dict.fromkeys(("benchmark", "split", "model"), TEXT),
    "metrics": NUMBERS,
    "n": PLACE,
}
KNOWN: Mapping[str, Rule] = {  # may be missing or null
    "predictions": Rule("the name of a file", lambda value: isinstance(value, str) and _is_path(value)),
    **dict.fromkeys(("metric", "list_sha256", "weights_sha256"), TEXT),
    **dict.fromkeys(("prompt", "names", "views", "normalisation", "precision"), TEXT),
    "skipped": PLACE,
    "mostly_skipped": FLAG,
    "frames": COUNT,
    "prompts": TABLE,
    "deviations": NUMBERS,
    "groups": Rule(
        "tables of numbers by name", lambda value: isinstance(value, dict) and all(map(_numbers, value.values()))
    ),
}


def wrong_in(record: object) -> str:
    """Return what keeps a value from being a record of scores.json, "" for one that every reader takes.

    Other keys than those in `NEEDED` and `KNOWN` are shown as they are, whatever they hold.
    """
    if not isinstance(record, dict):
        return "it is no table"
    return _missing(record, NEEDED) or _not_allowed(record, {**NEEDED, **KNOWN})


def _missing(record: Mapping[str, Any], needed: Mapping[str, Rule]) -> str:
    return next((f"it has no {key}" for key in needed if record.get(key) is None), "")


def _not_allowed(record: Mapping[str, Any], rules: Mapping[str, Rule]) -> str:
    for key, rule in rules.items():
        if record.get(key) is not None and not rule.holds(record[key]):
            return f"{key} is {excerpt(repr(record[key]), 60)}, not {rule.says}"
    return ""


def own_score(record: Mapping[str, Any]) -> tuple[str, float]:
    """Return the metric that a benchmark is measured by, and what a record has of it; NaN where that is null.

    Raises UsageError for a record without it.
    """
    metric = record.get("metric") or "top1"
    if metric not in record["metrics"]:
        what = f"{record.get('from')} has no {metric} of {record['benchmark']}:{record['split']}"
        raise UsageError(what, f"maxi eval it on {record['benchmark']} again")
    value = record["metrics"][metric]
    return metric, float("nan") if value is None else float(value)


# The lines of predictions-*.jsonl, as far as intervals are made of them.

NAMES = Rule(
    "names", lambda value: isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
)
VIDEO: Mapping[str, Rule] = {
    "video": TEXT,
    "ids": Rule(
        "class numbers", lambda value: isinstance(value, list) and bool(value) and all(whole(one, 0) for one in value)
    ),
}
RANKED: Mapping[str, Rule] = {**VIDEO, "rank": COUNT}
LABELLED: Mapping[str, Rule] = {"video": TEXT, "rank": COUNT, "labels": NAMES}
VOTED: Mapping[str, Rule] = {**VIDEO, "right": NUMBER}  # of captions, where there is no rank
SCORES = Rule("numbers", lambda value: isinstance(value, list) and all(map(number, value)))


def read_predictions(path: Path, needed: Mapping[str, Rule]) -> Predictions:
    """Return the lines of a file of predictions by video; OSError if it is not there.

    Raises UsageError with the line for one that lacks what is `needed`, or has scores of another number of classes.
    """
    found: Predictions = {}
    classes: int | None = None
    for place, text in enumerate(path.read_bytes().splitlines(), 1):
        try:
            line = parsed_json(text)
        except ValueError as error:
            raise _wrong(path, place, f"it is not JSON ({error})") from None
        if not isinstance(line, dict):
            raise _wrong(path, place, "it is no table")
        if what := _missing(line, needed) or _not_allowed(line, {**needed, "scores": SCORES}):
            raise _wrong(path, place, what)
        if scores := line.get("scores"):
            classes = classes or len(scores)
            if len(scores) != classes or max(line["ids"]) >= classes:
                raise _wrong(path, place, "its scores are of other classes than those before")
        found[line["video"]] = line
    return found


def _wrong(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{path}, line {line}, is no prediction: {what}", "evaluate the model again: maxi eval")
