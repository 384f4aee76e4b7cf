"""The core's own sections of a recipe. Every other section is named after a plugin's source or temporal module."""

from importlib import import_module

from pydantic import Field

from maxi_core.options import Options


class SourcesSection(Options):
    """Who plays which part in `maxi bags`; the defaults are the dictionary-only run (paper table 6, first row)."""

    injector: str = Field("none", description="changes the dictionary before matching; none for no change")
    matcher: str = Field("dictionary", description="matches each video to a dictionary entry")
    texts: tuple[str, ...] = Field((), description="expanders and captioners that fill the bags, in order")
    augmenter: str = Field("verbs", description="turns texts into word forms; none puts the texts in as they are")


# section -> where its model is; a command that brings a section of its own adds a line here
CORE = {
    "sources": "maxi_core.sections:SourcesSection",
    "video": "maxi_core.video.options:VideoOptions",
}

# what a source may not be called: the sections above, and words that mean something else in a recipe
RESERVED = frozenset({*CORE, "none", "maxi", "schema"})


def core_section(name: str) -> type[Options]:
    """Return the options model of a core section."""
    module, _, attribute = CORE[name].partition(":")
    model: type[Options] = getattr(import_module(module), attribute)
    return model
