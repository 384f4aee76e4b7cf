"""`metrics.jsonl`: one record per step, the same after a resume as of an unbroken run (method.md, files)."""

import atexit
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from maxi_core.batches.batch import Examples
from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import fix_for, parsed_json, to_json, write_lines

SCHEMA = 1

Report = Callable[[Mapping[str, Any]], None]

LARGEST = 2**63  # of steps
METRICS, CURVE = "metrics.jsonl", "loss.png"  # in the folder of a training


class MetricsFile:
    """Appends records; those after step `start`, which a stopped run wrote and which come again, are taken out first.

    Every record is also told to `reports`.
    """

    def __init__(self, path: Path, start: int = 0, reports: tuple[Report, ...] = ()) -> None:
        self._path, self._reports = path, reports
        write_lines(path, [to_json(record) for record in read_metrics(path) if record["step"] <= start])
        self._file: IO[str] | None = None

    def __enter__(self) -> "MetricsFile":
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise MaxiError(f"cannot write {self._path}: {error.strerror or error}", fix_for(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record; raises MaxiError if it cannot be written."""
        assert self._file is not None
        try:
            self._file.write(to_json({"schema": SCHEMA, **record}) + "\n")
            self._file.flush()
        except OSError as error:
            raise MaxiError(f"cannot write {self._path}: {error.strerror or error}", fix_for(error)) from error
        for report in self._reports:
            report(record)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a metrics file; a line that was cut off, and all after it, count as not there."""
    records = []
    for _, found in _lines(path):
        if isinstance(found, str):
            break
        records.append(found)
    return records


def read_through(path: Path, *, finished: bool) -> tuple[list[dict[str, Any]], str]:
    """Return the records of a metrics file without the lines that are damaged, and of which lines that is so, or "".

    What a run that is not `finished` is writing, a last line without its end, is not damaged.
    """
    found = list(_lines(path))
    if found and isinstance(found[-1][1], str) and not finished and path.read_bytes()[-1:] != b"\n":
        del found[-1]
    wrong = [(place, one) for place, one in found if isinstance(one, str)]
    more = f" ({len(wrong)} lines are damaged)" if len(wrong) > 1 else ""
    return [one for _, one in found if not isinstance(one, str)], "".join(
        f"line {place} is no record of a step: {why}{more}" for place, why in wrong[:1]
    )


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each line with its number: the record, or what is wrong with it."""
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "chmod u+r it, or delete it") from None
    for place, line in enumerate(lines, 1):
        try:
            record = parsed_json(line)
        except ValueError:
            yield place, "it is not JSON"
        else:
            yield place, _wrong_in(record) or record


def _wrong_in(record: object) -> str:
    """Return what keeps a value from being a record: of a step with its loss, or of a validation."""
    if not isinstance(record, dict):
        return "it is no table"
    step, loss = record.get("step"), record.get("loss")
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < LARGEST:
        return "it has no step"
    if "val" in record:
        return "" if isinstance(record["val"], dict) else "its val is no table"
    if "loss" not in record or not (loss is None or (isinstance(loss, (int, float)) and abs(loss) < math.inf)):
        return "it has no loss"
    return ""


# The loss curve as a picture: every step in grey, the running mean in colour.

WIDTH, HEIGHT, MARGIN = 720, 360, 48
INK, GREY, BLUE = (60, 60, 60), (200, 200, 200), (31, 100, 180)
SMOOTH = 0.05  # of all steps go into each point of the running mean


def draw_curve(metrics: Path, picture: Path) -> None:
    """Draw the losses of a metrics file into a PNG of 720 x 360 pixels; nothing if there are fewer than two.

    Raises MaxiError if the picture cannot be written.
    """
    from PIL import Image, ImageDraw

    records = [one for one in read_metrics(metrics) if not one.get("skipped") and one.get("loss") is not None]
    if len(records) < 2:
        picture.unlink(missing_ok=True)  # of a training that was here before
        return
    steps, losses = [record["step"] for record in records], [record["loss"] for record in records]
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    low = min(losses)
    high = max(*losses, low + 1e-9)

    def places(values: Sequence[float]) -> list[tuple[float, float]]:
        across, up = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
        first, last = steps[0], max(steps[-1], steps[0] + 1)
        return [
            (MARGIN + across * (step - first) / (last - first), HEIGHT - MARGIN - up * (value - low) / (high - low))
            for step, value in zip(steps, values, strict=True)
        ]

    pen.rectangle((MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN), outline=GREY)
    pen.line(places(losses), fill=GREY, width=1)
    pen.line(places(running_mean(losses, max(1, round(SMOOTH * len(losses))))), fill=BLUE, width=2)
    for text, place in (
        (f"{high:.3g}", (6, MARGIN - 6)),
        (f"{low:.3g}", (6, HEIGHT - MARGIN - 6)),
        (f"step {steps[0]}", (MARGIN, HEIGHT - MARGIN + 8)),
        (f"{steps[-1]}", (WIDTH - MARGIN - 30, HEIGHT - MARGIN + 8)),
        ("loss", (MARGIN, MARGIN - 18)),
    ):
        pen.text(place, text, fill=INK)
    try:
        image.save(picture)
    except OSError as error:
        raise MaxiError(f"cannot write {picture}: {error.strerror or error}", fix_for(error)) from error


def running_mean(values: Sequence[float], over: int) -> list[float]:
    """Return the mean of each value and the `over` - 1 before it, as far as there are any."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [(sums[i + 1] - sums[max(0, i + 1 - over)]) / min(over, i + 1) for i in range(len(values))]


# Telling others what is in metrics.jsonl, and what the bags are like, if they are installed and asked for.

COLUMNS = ("video", "match", "texts", "bag")
SHOWN = 100  # bags in a table
PROJECT = "maxi"

Table = Sequence[Sequence[str]]  # a row of COLUMNS for each bag


def bag_table(examples: Examples) -> list[list[str]]:
    """Return what the first bags hold, for a person to look at; nothing of labelled videos, which have none."""
    first = (examples[place] for place in range(min(SHOWN, len(examples))))
    rows = [[one.video.id, one.matched, str(len(one.texts)), ", ".join(one.texts)] for one in first]
    return rows if examples.empty < len(examples) else []


def make_reports(
    names: Iterable[str], out: Path, name: str, settings: Mapping[str, str], bags: Table
) -> tuple[Report, ...]:
    """Return one report for each of `tensorboard`, `trackio` and `wandb`, told of the bags as it begins.

    Raises UsageError for one that is not installed.
    """
    makers = {"tensorboard": _tensorboard, "trackio": _trackio, "wandb": _wandb}
    return tuple(makers[asked](out, name, settings, bags) for asked in names)


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a record by name, those of a validation after `val/`; without the step itself."""
    named = {key: value for key, value in record.items() if key not in ("step", "val")}
    named |= {f"val/{key}": value for key, value in record.get("val", {}).items()}
    return {key: float(value) for key, value in named.items() if isinstance(value, (int, float))}


def _tensorboard(out: Path, _name: str, _settings: Mapping[str, str], bags: Table) -> Report:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("TensorBoard is not installed", "pip install tensorboard, or leave it out") from None
    writer: Any = SummaryWriter(str(out / "tensorboard"))
    if bags:
        rows = [[cell.replace("|", "\\|") for cell in row] for row in (COLUMNS, ["---"] * len(COLUMNS), *bags)]
        writer.add_text("bags", "\n".join(f"| {' | '.join(row)} |" for row in rows), 0)

    def report(record: Mapping[str, Any]) -> None:
        for key, value in numbers_of(record).items():
            writer.add_scalar(key, value, record["step"])
        writer.flush()

    return report


def _trackio(out: Path, name: str, settings: Mapping[str, str], bags: Table) -> Report:
    """Report to Trackio, which knows a run by its name: that of the folder is added, so that no two are mixed."""
    trackio = _installed("trackio")
    with redirect_stdout(sys.stderr):  # it greets
        run = trackio.init(project=PROJECT, name=f"{name} in {out}", config=dict(settings), resume="allow")
    atexit.register(_finish, trackio)
    return _with_table(trackio, run, bags)


def _finish(trackio: Any) -> None:
    with redirect_stdout(sys.stderr):  # it says good-bye
        trackio.finish()


def _wandb(out: Path, name: str, settings: Mapping[str, str], bags: Table) -> Report:
    wandb = _installed("wandb")
    run = wandb.init(project=PROJECT, name=name, dir=str(out), config=dict(settings), resume="allow")
    return _with_table(wandb, run, bags)


def _with_table(module: Any, run: Any, bags: Table) -> Report:
    if bags:
        run.log({"bags": module.Table(columns=list(COLUMNS), data=[list(row) for row in bags])}, step=0)
    return lambda record: run.log(numbers_of(record), step=record["step"])


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed", f"pip install {name}, or leave it out") from None
