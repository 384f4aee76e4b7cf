"""Small real plugins, good ones and ones with a single fault each."""

from collections.abc import Iterable, Iterator

from pydantic import Field

import maxi_core
from maxi_core import Expander, Failed


class Echo(Expander):
    """Says each entry again, so many times."""

    name = "echo"

    class Options(maxi_core.Options):
        limit: int = Field(2, ge=1, description="how many times")
        words: tuple[str, ...] = Field((), description="what to say besides")

    options: Options

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [f"{entry} {turn}" for turn in range(self.options.limit)] + list(self.options.words)
