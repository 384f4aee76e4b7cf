"""What a run counts, and what its stages share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from maxi_core.bags.askers import Failures
from maxi_core.bags.progress import NewProgress
from maxi_core.types import Failed

Skip = Callable[[str, Failed, str, str], None]  # video, entry or text; reason; stage; source


@dataclass
class Heard:
    """What one source said in a run, from the store or now: answers, and how many of them are of no use."""

    answers: int = 0
    failed: int = 0
    empty: int = 0
    asked: int = 0  # really asked, now
    off: str = ""  # why it was switched off
    texts: int = 0  # in the bags that a filter was asked of
    dropped: int = 0  # of them

    @property
    def useless(self) -> bool:
        """Whether there were answers and not one says anything."""
        return self.answers > 0 and self.failed + self.empty == self.answers

    def count(self, answer: object) -> None:
        """Count one answer."""
        self.answers += 1
        self.failed += isinstance(answer, Failed)
        self.empty += answer == []


@dataclass
class Tally:
    """What a run did: videos, bags, in how many passes over the videos, and what was heard of each source."""

    videos: int = 0
    matched: int = 0
    kept: int = 0
    threshold: float = 0.0
    passes: int = 0
    heard: dict[str, Heard] = field(default_factory=dict)

    @property
    def asked(self) -> dict[str, int]:
        """How many items each source was really asked now."""
        return {name: heard.asked for name, heard in self.heard.items()}

    def of(self, source: str) -> Heard:
        """Return what was heard of a source."""
        return self.heard.setdefault(source, Heard())


@dataclass(frozen=True)
class Stages:
    """What all stages share: where answers are kept, how videos are read, who is told of progress and of skips.

    `passes` is over how many passes the videos are matched and captioned, if that was decided before.
    """

    store: Path
    progress: NewProgress
    skip: Skip
    use: Callable[[], None]  # hears of each video that was matched
    strict: bool = False
    passes: int | None = None
    decided: Callable[[int], None] = lambda _: None  # hears in how many passes, once it is decided
    failed: Failures = field(default_factory=dict)  # what workers of this run could not answer
