"""What each share leaves for the merge: one line for each of its videos with all that was said of it (bags.md).

So the merge goes through these files once for the threshold and once for the bags, and asks the store for nothing but
what failed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from maxi_core.bags.shard import FOLDER, Shard
from maxi_core.errors import UsageError
from maxi_core.system.files import parsed_json
from maxi_core.system.remote import as_path
from maxi_core.types import Form, Match, Video

SCHEMA = 1
FIELDS = ("id", "path", "start", "end", "match", "said", "forms")


@dataclass(frozen=True, slots=True)
class Answered:
    """A video with its match (None if that failed), captions by source, and the forms of the captions.

    A captioner that failed is not among `said`; `forms` is None where there is no augmenter, or it failed.
    """

    video: Video
    match: Match | None = None
    said: Mapping[str, list[str]] | None = None
    forms: Mapping[str, list[Form]] | None = None


def answers_of(folder: Path, shard: Shard) -> Path:
    """Return the file of a share's answers in a run folder."""
    return folder / FOLDER / f"{shard.name}.answers.jsonl"


def to_lines(key: str, answered: Iterable[Answered]) -> Iterator[str]:
    """Yield the lines of a file; `key` says what its answers depend on."""
    yield json.dumps({"schema": SCHEMA, "share": key})
    for one in answered:
        video, match, forms = one.video, one.match, None
        if one.forms is not None:
            forms = {text: [[form.text, form.kind, form.lemma] for form in found] for text, found in one.forms.items()}
        matched = match and [match.entry, match.score, match.top]
        yield json.dumps([video.id, str(video.path), video.start, video.end, matched, one.said, forms])


@dataclass(frozen=True)
class Answers:
    """The answers of all `count` videos of a run, share by share; `failed` are the shares with videos without match.

    Raises UsageError that names a share to be run again where its file is not as it was left.
    """

    folder: Path
    key: str
    of: int
    count: int
    failed: Sequence[Shard]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Answered]:
        return map(as_answered, self.rows())

    def rows(self) -> Iterator[list[Any]]:
        """Yield the answers as they are written: id, path, start, end, match, captions and forms."""
        count = 0
        for number in range(1, self.of + 1):
            for one in _read(self.folder, self.key, Shard(self.of, number)):
                yield one
                count += 1
        if count != self.count:
            what = f"the shares of {self.folder} have answers of {count} videos, and the run has {self.count}"
            raise UsageError(what, "run its shares again: maxi bags ... --shard i/n")

    def unmatched(self) -> Iterator[Answered]:
        """Yield the answers of the shares with videos without match."""
        return (as_answered(row) for shard in self.failed for row in _read(self.folder, self.key, shard))


def _read(folder: Path, key: str, shard: Shard) -> Iterator[list[Any]]:
    path, number = answers_of(folder, shard), 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number > 1:
                    yield _row(line)
                elif parsed_json(line) != {"schema": SCHEMA, "share": key}:
                    raise ValueError("it is of another run")
    except OSError as error:
        raise _again(f"cannot read {path}: {error.strerror or error}", shard) from None
    except (ValueError, LookupError, TypeError) as error:
        raise _again(f"{path}:{number} has no answers of this run: {error}", shard) from None


def _again(problem: str, shard: Shard) -> UsageError:
    return UsageError(problem, f"run that share again: maxi bags ... --shard {shard}")


def _row(line: bytes) -> list[Any]:
    try:
        row: Any = from_json(line)
    except ValueError:  # a name that is not UTF-8
        row = parsed_json(line)
    if not isinstance(row, list) or len(row) != len(FIELDS):
        raise ValueError("it is JSON of another form")
    return row


def as_answered(row: list[Any]) -> Answered:
    """Return the answers of a line."""
    name, path, start, end, matched, said, forms = row
    video = Video(name, Path(path) if path.startswith("/") else as_path(path), start, end)  # which is no URL, at once
    if matched is None:
        return Answered(video)
    entry, score, top = matched
    match = Match(video, entry, score, tuple(map(tuple, top)))
    if forms is not None:
        forms = {text: list(starmap(Form, found)) for text, found in forms.items()}
    return Answered(video, match, said, forms)
