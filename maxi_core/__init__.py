"""maxi: zero-shot action recognition from unlabelled videos.

What plugin authors need is here, imported when it is first used; nothing in this list imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maxi_core.version import __version__

if TYPE_CHECKING:
    from maxi_core.hookspecs import hookimpl
    from maxi_core.options import Options
    from maxi_core.sources import Augmenter, Captioner, Expander, Injector, Matcher, Source
    from maxi_core.temporal import Temporal
    from maxi_core.types import Dictionary, Failed, Form, Match, TextsOf, Video

_HOME = {
    "hookimpl": "hookspecs",
    "Options": "options",
    **dict.fromkeys(["Augmenter", "Captioner", "Expander", "Injector", "Matcher", "Source"], "sources"),
    "Temporal": "temporal",
    **dict.fromkeys(["Dictionary", "Failed", "Form", "Match", "TextsOf", "Video"], "types"),
}

__all__ = [
    "Augmenter",
    "Captioner",
    "Dictionary",
    "Expander",
    "Failed",
    "Form",
    "Injector",
    "Match",
    "Matcher",
    "Options",
    "Source",
    "Temporal",
    "TextsOf",
    "Video",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'maxi_core' has no attribute '{name}'")
    return getattr(import_module(f"maxi_core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
