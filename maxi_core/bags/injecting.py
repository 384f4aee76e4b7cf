"""The dictionary after an injector, which is asked once for all runs, since it may read a million captions."""

from pathlib import Path

from maxi_core.bags.askers import shelf_about, shelf_name
from maxi_core.bags.shelf import Shelf, digest
from maxi_core.border import inject
from maxi_core.sources import Augmenter, Injector
from maxi_core.types import Dictionary
from maxi_core.video.options import VideoOptions


def injected(
    source: Injector,
    dictionary: Dictionary,
    augmenter: Augmenter | None,
    store: Path,
    reading: VideoOptions,
    *,
    keep: bool = True,
) -> Dictionary:
    """Return what the injector makes of the dictionary, from the store if it was asked before.

    It is known by its options, its fingerprint, the augmenter's, and the dictionary. Without `keep` nothing is written.
    """
    about = shelf_about(source, reading, shelf_about(augmenter, reading) if augmenter else None)
    key = digest(dictionary.name, dictionary.entries)
    with Shelf(store / shelf_name(about), about) as shelf:
        if (kept := shelf.get(key)) is not None:
            assert isinstance(kept, dict)
            return Dictionary(kept["name"], tuple(kept["entries"]))
        made = inject(source, dictionary, augmenter)
        if keep:
            shelf.put(key, dictionary.name, {"name": made.name, "entries": list(made.entries)})
        return made
