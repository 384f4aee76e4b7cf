"""The nine benchmarks of the paper and its few-shot and training sets, each with the reader of its official files."""

from collections.abc import Iterable

from maxi_core import Benchmark, hookimpl
from maxi_plugins.benchmarks.charades import Charades
from maxi_plugins.benchmarks.hmdb51 import Hmdb51
from maxi_plugins.benchmarks.kinetics import Kinetics400, Kinetics600Novel, MiniKinetics
from maxi_plugins.benchmarks.moments import MomentsInTime
from maxi_plugins.benchmarks.ssv2 import MiniSomethingSomething, SomethingSomething
from maxi_plugins.benchmarks.uav_human import UavHuman
from maxi_plugins.benchmarks.ucf101 import Ucf101


@hookimpl
def maxi_register_benchmarks() -> Iterable[type[Benchmark]]:
    """Offer the benchmarks, in the order of the paper's tables."""
    return [
        Ucf101,
        Hmdb51,
        Kinetics600Novel,
        MiniSomethingSomething,
        SomethingSomething,
        Charades,
        MomentsInTime,
        UavHuman,
        Kinetics400,
        MiniKinetics,
    ]
