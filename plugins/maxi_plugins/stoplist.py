"""`stoplist`: texts that stand in a list are dropped from every bag."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from pydantic import Field

import maxi_core
from maxi_core import Clip, Failed, Filter, Source, TextBag, hookimpl
from maxi_core.errors import UsageError
from maxi_core.system.text_files import check_text, read_text
from maxi_core.texts import tidy


class StopList(Filter):
    """Drop the texts that stand in a list, whatever their case: words that say nothing, or that no bag should hold."""

    name = "stoplist"
    batch = 256

    class Options(maxi_core.Options):
        """The list: of a file, of one's own, or of both."""

        file: Path | None = Field(None, description="texts to drop, one a line; lines that begin with # say nothing")
        texts: tuple[str, ...] = Field((), description="texts to drop besides")

    options: Options

    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        """Return each bag without the texts of the list."""
        return [
            replace(bag, texts=tuple(text for text in bag.texts if _key(text.text) not in self._stopped))
            for bag in bags
        ]

    def fingerprint(self) -> dict[str, str]:
        """Return what the list holds; raises UsageError if it is empty or cannot be read."""
        return {"texts": sha256("\n".join(sorted(self._stopped)).encode(errors="replace")).hexdigest()}

    @cached_property
    def _stopped(self) -> frozenset[str]:
        lines = list(self.options.texts)
        if (file := self.options.file) is not None:
            check_text(file)
            lines += [line for line in read_text(file).splitlines() if not line.startswith("#")]
        if not (found := frozenset(filter(None, map(_key, lines)))):
            raise UsageError(
                f"{self.label} has no texts to drop" + (f": {file} is empty" if file else ""),
                f"type -o {self.label}.file=FILE, or -o {self.label}.texts=doing,making",
            )
        return found


def _key(text: str) -> str:
    return tidy(text).casefold()


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    """Offer `stoplist`."""
    return [StopList]
