"""Scores while training: benchmarks opened before the first step, evaluated on rank 0 (method.md, evaluation)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from maxi_core.clip.model import VideoCLIP
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.evaluating import evaluate
from maxi_core.evaluation.protocol import Protocol
from maxi_core.plugins import Catalog
from maxi_core.video.options import VideoOptions


def make_validation(
    catalog: Catalog, names: Sequence[str], data_root: Path | None, protocol: Protocol, reading: VideoOptions
) -> Callable[[VideoCLIP], Mapping[str, float]]:
    """Return what evaluates a model on the benchmarks, in order: `benchmark:split metric` -> score in percent.

    Raises UsageError for a benchmark that is not there. Features are not kept, as weights change.
    """
    benchmarks = [open_benchmark(name, catalog, data_root=data_root, spelling=protocol.spelling) for name in names]

    def validate(model: VideoCLIP) -> dict[str, float]:
        found = evaluate([model], benchmarks, protocol, reading=reading)
        assert found is not None
        return {
            f"{record['benchmark']}:{record['split']} {metric}": 100 * float(value)
            for record in found.models[0].records()
            for metric, value in record["metrics"].items()
            if metric == record["metric"] and isinstance(value, (int, float))
        }

    return validate
