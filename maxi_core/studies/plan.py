"""From a study and a recipe to rows and steps: what each variant is made of, and which steps variants share."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from maxi_core.dictionaries import is_dictionary, read_dictionary
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.world_paths import world_path
from maxi_core.recipe.parts import cast_parts, drop_parts
from maxi_core.recipe.recipe import Recipe, Setting, from_flag
from maxi_core.settings.sections import BagsSection, EvalSection, SourcesSection, StudySection, VideoOptions
from maxi_core.studies.step import Step
from maxi_core.studies.steps import BagsStep, MixStep, ScoreStep, TrainStep, VoteStep, videos_of_benchmark
from maxi_core.studies.study import Study, Variant
from maxi_core.system.remote_errors import RemoteError
from maxi_core.system.urls import refuse_remote
from maxi_core.texts import by_comma
from maxi_core.training.options import TrainSection
from maxi_core.training.plan import with_modules

# settings below those that were typed, settings above them -> the settled recipe
Settle = Callable[[Sequence[Setting], Sequence[Setting]], Recipe]
Trained = TrainStep | MixStep | None


@dataclass(frozen=True)
class Row:
    """A variant, its scores (one for each seed; one in all where nothing is trained), and the bags it is trained on."""

    variant: Variant
    scores: tuple[Step, ...]
    bags: BagsStep | None = None
    keep: float = 1.0


@dataclass(frozen=True)
class Plan:
    """A study as steps; `left_out` says which variants are not in it and why, `notes` what else to know of it."""

    study: Study
    section: StudySection
    rows: tuple[Row, ...]
    benchmarks: tuple[OpenedBenchmark, ...]
    seeds: tuple[int, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def base(self) -> Row:
        """The row that the others are held against."""
        name = self.study.head.base or self.rows[0].variant.name
        return next(row for row in self.rows if row.variant.name == name)

    def units(self) -> list[Step]:
        """Return the distinct scores in the order in which they are made: all variants with the first seed first."""
        most = max(len(row.scores) for row in self.rows)
        found = [row.scores[place] for place in range(most) for row in self.rows if place < len(row.scores)]
        return list({step.key: step for step in found}.values())

    def steps(self) -> list[Step]:
        """Return all distinct steps, each after those that it needs."""
        found: dict[str, Step] = {}
        for unit in self.units():
            for step in _with_needs(unit):
                found.setdefault(step.key, step)
        return list(found.values())


def _with_needs(step: Step) -> Iterator[Step]:
    for need in step.needs:
        yield from _with_needs(need)
    yield step


def make_plan(study: Study, variants: Sequence[Variant], settle: Settle, catalog: Catalog) -> Plan:
    """Settle the recipe of each variant and say what it takes; nothing is made.

    Raises UsageError for whatever is missing or wrong in any variant, and for a typed setting that a variant sets.
    """
    recipe = settle(study.settings, ())
    section = recipe.core("study", StudySection)
    refuse_remote(section.out)
    shown = recipe.core("eval", EvalSection)
    if not section.benchmark:
        raise UsageError("which benchmarks? neither --benchmark nor [study] benchmark says", "see maxi data list")
    shots = section.shots if any(variant.then for variant in variants) else None
    opened = tuple(
        open_benchmark(name, catalog, data_root=shown.data_root, spelling=shown.names or "written")
        for name in dict.fromkeys(section.benchmark)
        if name != shots  # no test on what is trained on
    )
    if not opened:
        raise UsageError(f"nothing to score: {shots} is what the shots are drawn from", "name another --benchmark")
    if twice := next((one.name for one in opened if [other.name for other in opened].count(one.name) > 1), None):
        raise UsageError(f"two of the benchmarks are called {twice}", "name one of them, or rename its folder")
    first = recipe.core("train", TrainSection).seed
    maker = _Maker(study, settle, catalog, section, opened, tuple(range(first, first + section.seeds)), recipe)
    rows, left_out = [], {}
    for variant in variants:
        if not maker.fits(variant):
            continue
        try:
            rows.append(maker.row(variant))
        except UsageError as error:
            if not variant.about.optional:
                kind = UsageError if isinstance(error, RemoteError) else type(error)
                raise kind(f"variant {variant.name}: {error.problem}", error.fix) from None
            left_out[variant.name] = str(error)
    _check_rows(study, rows, left_out)
    notes = (f"{shots} is not scored: its videos are the shots",) if shots in section.benchmark else ()
    return Plan(study, section, tuple(rows), opened, maker.seeds, left_out, notes)


def _check_rows(study: Study, rows: Sequence[Row], left_out: Mapping[str, str]) -> None:
    """Raise UsageError for a study without rows, or without the one that the others are held against."""
    wanted = study.head.base
    if rows and (not wanted or any(row.variant.name == wanted for row in rows)):
        return
    reasons = [f"{name}: {why}" for name, why in left_out.items() if not wanted or name == wanted]
    why = f" ({'; '.join(reasons) or 'the recipe does not agree with its when'})"
    if not rows:
        raise UsageError(f"no variant of {study.name} is left{why}", "change the recipe, or the variants")
    raise UsageError(f"base = '{wanted}' of {study.name} is left out{why}", "name another base in the study")


@dataclass(frozen=True)
class _Maker:
    """Makes rows; `recipe` is what all variants have in common."""

    study: Study
    settle: Settle
    catalog: Catalog
    section: StudySection
    benchmarks: tuple[OpenedBenchmark, ...]
    seeds: tuple[int, ...]
    recipe: Recipe
    bags: dict[str, BagsStep] = field(default_factory=dict)

    def fits(self, variant: Variant) -> bool:
        """Whether the recipe agrees with the variant's `when`."""
        if not variant.when:
            return True
        wanted = with_modules(self.catalog, self.settle(self.study.settings, variant.when))
        is_set = with_modules(self.catalog, self.recipe)  # full names on both sides
        return all(wanted.sections[name] == is_set.sections.get(name) for name, _ in _set(wanted, variant.when))

    def row(self, variant: Variant) -> Row:
        """Return the row of a variant."""
        above = [*self._parts(variant), *self._added(variant), *self._counted(variant), *variant.settings]
        recipe = self._settled(above)
        about = variant.about
        if about.on == "vote":
            return Row(variant, (self._vote(recipe),))
        if about.on == "nothing" and not variant.then:
            return Row(variant, (ScoreStep(recipe, self.benchmarks),))
        bags = self._bags(recipe) if about.on == "bags" else None
        second = None
        if variant.then:
            typed = [from_flag(text, "--then") for text in self.section.then]
            second = self._settled([*above, *self.study.then, *typed, *variant.then])
        scores = [self._score(variant, recipe, second, bags, seed) for seed in self.seeds]
        keep = recipe.core("train", TrainSection).keep
        return Row(variant, tuple(scores), bags, bags.section.keep if bags and keep is None else keep or 1.0)

    def _settled(self, above: Sequence[Setting]) -> Recipe:
        """Settle the variant's recipe; raises UsageError if it sets what was typed."""
        recipe = with_modules(self.catalog, self.settle(self.study.settings, above))
        for key, origin in self.recipe.origins.items():
            if origin.startswith("-") and recipe.origins.get(key) != origin:
                raise UsageError(
                    f"{origin} is what this study varies: {recipe.origins[key]} sets {'.'.join(key)}",
                    "leave it out, or write a study of your own (docs/studies.md)",
                )
        return recipe

    def _parts(self, variant: Variant) -> list[Setting]:
        """Return what `sources` and `without` say of the parts."""
        found: list[Setting] = []
        for said, cast in ((variant.about.sources, cast_parts), (variant.about.without, self._dropped)):
            if names := by_comma(said):
                parts = cast(self.catalog, names)
                found += [Setting("sources", key, who, variant.name, typed=False) for key, who in parts.items()]
        return found

    def _added(self, variant: Variant) -> list[Setting]:
        """Return the objectives of the recipe with those that are added."""
        names = by_comma(variant.about.objectives)
        loss = [*self.recipe.core("train", TrainSection).loss, *names]
        return [Setting("train", "loss", loss, variant.name, typed=False)] if names else []

    def _dropped(self, catalog: Catalog, names: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
        return drop_parts(catalog, self.recipe.core("sources", SourcesSection), names)

    def _counted(self, variant: Variant) -> list[Setting]:
        """Return the settings that follow from how many entries the dictionary has."""
        share, found = variant.about.entries, []
        if share is None and not variant.per_entry:
            return []
        name = self.recipe.core("bags", BagsSection).dictionary
        assert name is not None
        count = len(read_dictionary(name, self.catalog).entries)
        if share is not None:
            if not is_dictionary(self.catalog, name):
                raise UsageError(
                    f"a part of the dictionary {name} cannot be drawn, since it is a file",
                    "write a study of your own that names files",
                )
            drawn = f"{name}:{max(1, round(share * count))}"
            found.append(Setting("bags", "dictionary", drawn, variant.name, typed=False))
        for one in variant.per_entry:
            if isinstance(one.value, bool) or not isinstance(one.value, (int, float)) or not math.isfinite(one.value):
                raise UsageError(f"{one.origin}: {one.section}.{one.key} is no finite number", "such as 1.0")
            found.append(replace(one, value=max(1, round(one.value * count))))
        return found

    def _bags(self, recipe: Recipe) -> BagsStep:
        step = BagsStep(recipe, self.catalog)
        return self.bags.setdefault(step.key, step)

    def _score(
        self, variant: Variant, recipe: Recipe, second: Recipe | None, bags: BagsStep | None, seed: int
    ) -> ScoreStep:
        about = variant.about
        model: Trained = None
        if about.on != "nothing":
            data = bags or self._labelled(str(self.section.labels or ""), "labels", _folder(recipe))
            averages = any(other.about.average for other in self.study.variants)  # which share their trainings
            model = self._mixed(TrainStep(recipe, seed, data, every_epoch=averages), about.average)
        if second is not None:
            shots = self._labelled(self.section.shots or "", "shots", self.section.shots_videos)
            set_then = _set(second, (*self.study.then, *variant.then))
            again = TrainStep(second, seed, shots, model)
            model = self._mixed(again) if ("train", "ensemble") in set_then else again
        return ScoreStep(second or recipe, self.benchmarks, model)

    def _mixed(self, step: TrainStep, average: bool = False) -> TrainStep | MixStep:
        ratio = step.section.ensemble
        return step if ratio is None and not average else MixStep(step.recipe, step, ratio or 0.0, average)

    def _labelled(self, name: str, what: str, videos: Path | None) -> tuple[Path, Path | None]:
        """Return where labels are, and the folder that their paths start from, of a path or of what a world has."""
        if not name:
            raise UsageError(
                f"it needs {'labelled videos' if what == 'shots' else 'true labels'}, and nobody names any",
                f"type --{what}, or set [study] {what}",
            )
        if (world := world_path(self.catalog, "labels", name)) is not None:
            return world, world_path(self.catalog, "videos", name)
        path = world_path(self.catalog, "benchmark", name) or Path(name)
        if not path.exists():
            raise UsageError(f"there are no labelled videos at {path}", f"correct --{what}")
        return path, videos

    def _vote(self, recipe: Recipe) -> VoteStep:
        """Return the vote on the benchmarks whose videos have one label each."""
        if len(recipe.core("sources", SourcesSection).texts) != 1:
            raise UsageError("a vote is over the captions of one source", "write sources = NAME")
        single = tuple(one for one in self.benchmarks if not one.multi_label)
        reading = recipe.core("video", VideoOptions)
        runs = [BagsStep(recipe, self.catalog, (one.name, videos_of_benchmark(one, reading))) for one in single]
        return VoteStep(recipe, single, tuple(self.bags.setdefault(run.key, run) for run in runs))


def _folder(recipe: Recipe) -> Path | None:
    """Return the folder of the videos of the bags, from which the paths of their labels start; None if it is none."""
    section = recipe.core("bags", BagsSection)
    videos = section.videos if isinstance(section.videos, str) else (section.videos or ("",))[0]
    return section.root or (Path(videos) if videos and Path(videos).is_dir() else None)


def _set(recipe: Recipe, settings: Sequence[Setting]) -> set[tuple[str, str]]:
    """Return the (section, key) of a recipe that come from these settings."""
    origins = {one.origin for one in settings}
    return {key for key, origin in recipe.origins.items() if origin in origins}
