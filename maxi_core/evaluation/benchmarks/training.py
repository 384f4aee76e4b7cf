"""The training splits that few-shot lists are drawn from, out of the official files (SPEC section 8)."""

from collections.abc import Callable, Mapping

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks import charades, hmdb51, kinetics, moments, ssv2, ucf101
from maxi_core.evaluation.benchmarks.known import find_known
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing

_TRAINING: Mapping[str, Callable[[Annotations, str], Listing | None]] = {
    "ucf101": lambda files, split: ucf101.official(files, split, "train"),
    "hmdb51": lambda files, split: hmdb51.official(files, split, "train"),
    "ssv2": lambda files, _: ssv2.official(files, "train"),
    "kinetics400": lambda files, _: kinetics.official(files, ("train",)),
    "moments": lambda files, _: moments.official(files, "training"),
    "charades": lambda files, _: charades.official(files, "train"),
}


def training_split(name: str, files: Annotations) -> Listing:
    """Return the training split of a benchmark (`hmdb51`, or `hmdb51:2`; split 1 unless named).

    Raises UsageError for a benchmark without one and if its files are not there.
    """
    first, _, split = name.partition(":")
    known = find_known(first)
    if known is None or known.name not in _TRAINING:
        raise UsageError(f"no training split is known of '{name}'", f"one of {', '.join(_TRAINING)}")
    found = _TRAINING[known.name](files, split or "1")
    if found is None or not found.rows:
        raise UsageError(
            f"the training split of {known.name} is not in {files.place}: it takes the official files",
            "correct --annotations",
        )
    return found
