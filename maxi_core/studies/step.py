"""What a step of a study is, where steps are done, and who watches."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from maxi_core.bags.progress import NewProgress, Unwatched
from maxi_core.plugin.catalog import Catalog
from maxi_core.recipe.recipe import Recipe
from maxi_core.studies.study import STEPS
from maxi_core.system.store import digest

Facts = dict[str, object]


@dataclass(frozen=True)
class Watch:
    """Who watches the loops of a step: of bags, of a training, of an evaluation."""

    bags: NewProgress = Unwatched
    training: Callable[[Iterator[Any]], Iterator[Any]] = iter
    evaluation: Callable[[str, int, Iterable[Any]], Iterator[Any]] = lambda _title, _total, items: iter(items)


@dataclass(frozen=True)
class Place:
    """Where steps are done: the folder of all studies, the plugins, what was typed, and who watches."""

    out: Path
    catalog: Catalog
    argv: tuple[str, ...] = ()
    watch: Watch = Watch()


@dataclass(frozen=True, eq=False)
class Step(ABC):
    """One piece of work; two with equal `key` are the same work."""

    recipe: Recipe = field(repr=False)
    kind: ClassVar[str]

    @property
    def needs(self) -> tuple["Step", ...]:
        """The steps that must be done before."""
        return ()

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a few letters for the name of its folder."""

    @abstractmethod
    def made_of(self) -> Mapping[str, object]:
        """Return everything that decides what comes of it, as plain values."""

    @abstractmethod
    def run(self, place: Place, folder: Path) -> Facts:
        """Do it in its folder, going on where a killed process stopped; return what a table may say of it."""

    def whole(self, _folder: Path, _facts: Mapping[str, object]) -> bool:
        """Whether what it made is still as it was made, where that can be said and made anew."""
        return True

    @cached_property
    def key(self) -> str:
        """The hash of what it is made of."""
        return digest(self.kind, self.made_of())

    def folder(self, out: Path) -> Path:
        """Return its folder below that of all studies."""
        return out / STEPS / self.kind / f"{self.title}-{self.key[:10]}"

    def with_options(self, section: str, **update: object) -> Recipe:
        """Return the recipe with other options in a section."""
        options = self.recipe.sections[section].model_copy(update=update)
        return replace(self.recipe, sections={**self.recipe.sections, section: options})
