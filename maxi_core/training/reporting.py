"""Telling others what is in metrics.jsonl: TensorBoard and Weights & Biases, if they are installed and asked for."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError

Report = Callable[[Mapping[str, Any]], None]


def make_reports(names: Iterable[str], out: Path, name: str, settings: Mapping[str, str]) -> tuple[Report, ...]:
    """Return one report for each of `tensorboard` and `wandb`; raises UsageError for one that is not installed."""
    makers = {"tensorboard": _tensorboard, "wandb": _wandb}
    return tuple(makers[asked](out, name, settings) for asked in names)


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a record by name, those of a validation after `val/`; without the step itself."""
    named = {key: value for key, value in record.items() if key not in ("step", "val")}
    named |= {f"val/{key}": value for key, value in record.get("val", {}).items()}
    return {key: float(value) for key, value in named.items() if isinstance(value, (int, float))}


def _tensorboard(out: Path, _name: str, _settings: Mapping[str, str]) -> Report:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("TensorBoard is not installed", "pip install tensorboard, or leave it out") from None
    writer: Any = SummaryWriter(str(out / "tensorboard"))

    def report(record: Mapping[str, Any]) -> None:
        for key, value in numbers_of(record).items():
            writer.add_scalar(key, value, record["step"])
        writer.flush()

    return report


def _wandb(out: Path, name: str, settings: Mapping[str, str]) -> Report:
    try:
        from importlib import import_module

        wandb: Any = import_module("wandb")
    except ImportError:
        raise UsageError("wandb is not installed", "pip install wandb, or leave it out") from None
    run = wandb.init(project="maxi", name=name, dir=str(out), config=dict(settings), resume="allow")
    return lambda record: run.log(numbers_of(record), step=record["step"])
