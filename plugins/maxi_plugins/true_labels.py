"""`true-labels`: each video is matched to its true label, as the bound of what matching may reach (paper Table 4)."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import Field

import maxi_core
from maxi_core import Clip, Dictionary, Failed, Match, Matcher, Source, WorldPath, hookimpl
from maxi_core.errors import UsageError
from maxi_core.texts import name_key


class TrueLabels(Matcher):
    """Match a video to the entry that is its true label, with a score of 1: to measure what wrong matches cost."""

    name = "true-labels"
    frames = None  # it looks at no video

    class Options(maxi_core.Options):
        """Whose labels."""

        list: Annotated[Path | None, WorldPath("labels")] = Field(
            None, description="CSV video,label, a split list beside its labels.csv, or the name of a world"
        )

    options: Options

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        """Return the entry that is each video's label; Failed for one without a label, or whose label is no entry."""
        entries = {name_key(entry): entry for entry in dictionary.entries}
        return [self._of(clip, entries) for clip in clips]

    def _of(self, clip: Clip, entries: dict[str, str]) -> Match | Failed:
        label = self._labels.get(clip.video.id)
        if label is None:
            return Failed(f"it has no label in {self.options.list}")
        entry = entries.get(name_key(label))
        if entry is None:
            return Failed(f"its label '{label}' is no entry of the dictionary")
        return Match(clip.video, entry, 1.0, ((entry, 1.0),))

    def fingerprint(self) -> dict[str, str]:
        """Return what the list holds: an answer that is kept is asked again when it changes."""
        return {"labels": sha256(repr(sorted(self._labels.items())).encode()).hexdigest()}

    @cached_property
    def _labels(self) -> dict[str, str]:
        from maxi_core.bags.stats import labels_of

        if self.options.list is None:
            raise UsageError("true-labels has no list to take them from", "type -o true-labels.list=FILE")
        return labels_of(self.options.list)


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `true-labels`."""
    return [TrueLabels]
