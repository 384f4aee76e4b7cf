"""maxi: zero-shot action recognition from unlabelled videos.

What plugin authors need is here, all that an annotation of theirs may name, imported when it is first used; nothing in
this list imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maxi_core.version import __version__

if TYPE_CHECKING:
    from maxi_core.errors import MaxiError, UsageError
    from maxi_core.evaluation.benchmarks.benchmark import Benchmark, BenchmarkFiles
    from maxi_core.evaluation.benchmarks.lists import Annotations, Listing, Row
    from maxi_core.plugin.engine import Engine, Work
    from maxi_core.plugin.hookspecs import hookimpl
    from maxi_core.plugin.roles import (
        Augment,
        Augmenter,
        Captioner,
        Expander,
        Filter,
        Injector,
        Matcher,
        Pooling,
        Source,
        Temporal,
        World,
    )
    from maxi_core.settings.options import Options, WorldPath
    from maxi_core.training.objective import Encoded, Features, Objective, Teacher
    from maxi_core.types import Clip, Dictionary, Failed, Form, FormKind, Match, Text, TextBag, Video
    from maxi_core.video.decoders import Choose, Decoder, Side
    from maxi_core.video.frames import Decoded, Info, Pixels
    from maxi_core.video.sampling import Sampling
    from maxi_core.video.skips import VideoError

_HOME = {
    **dict.fromkeys(["MaxiError", "UsageError"], "errors"),
    **dict.fromkeys(["Benchmark", "BenchmarkFiles"], "evaluation.benchmarks.benchmark"),
    **dict.fromkeys(["Annotations", "Listing", "Row"], "evaluation.benchmarks.lists"),
    **dict.fromkeys(["Engine", "Work"], "plugin.engine"),
    "hookimpl": "plugin.hookspecs",
    **dict.fromkeys(["Options", "WorldPath"], "settings.options"),
    **dict.fromkeys(["Augment", "Augmenter", "Captioner", "Expander", "Filter"], "plugin.roles"),
    **dict.fromkeys(["Injector", "Matcher", "Source", "Pooling", "Temporal", "World"], "plugin.roles"),
    **dict.fromkeys(["Encoded", "Features", "Objective", "Teacher"], "training.objective"),
    **dict.fromkeys(["Clip", "Dictionary", "Failed", "Form", "FormKind", "Match", "Text", "TextBag", "Video"], "types"),
    **dict.fromkeys(["Choose", "Decoder", "Side"], "video.decoders"),
    **dict.fromkeys(["Decoded", "Info", "Pixels"], "video.frames"),
    "Sampling": "video.sampling",
    "VideoError": "video.skips",
}

__all__ = [
    "Annotations",
    "Augment",
    "Augmenter",
    "Benchmark",
    "BenchmarkFiles",
    "Captioner",
    "Choose",
    "Clip",
    "Decoded",
    "Decoder",
    "Dictionary",
    "Encoded",
    "Engine",
    "Expander",
    "Failed",
    "Features",
    "Filter",
    "Form",
    "FormKind",
    "Info",
    "Injector",
    "Listing",
    "Match",
    "Matcher",
    "MaxiError",
    "Objective",
    "Options",
    "Pixels",
    "Pooling",
    "Row",
    "Sampling",
    "Side",
    "Source",
    "Teacher",
    "Temporal",
    "Text",
    "TextBag",
    "UsageError",
    "Video",
    "VideoError",
    "Work",
    "World",
    "WorldPath",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'maxi_core' has no attribute '{name}'")
    return getattr(import_module(f"maxi_core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
