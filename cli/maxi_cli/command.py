"""A command whose flags are the options of sections: each is written once, as a field of its section."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_origin

import typer
from typer.core import TyperCommand
from typer.main import get_command

from maxi_cli.flags import BENCHMARK, RECIPE, completing, named, read_catalog, read_recipe
from maxi_cli.terminal import own_stdout
from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark
    from maxi_core.plugin.catalog import Catalog
    from maxi_core.recipe.recipe import Recipe, Setting
    from maxi_core.texts import Spelling

PLACES = ("against", "base", "classes", "dictionary", "labels", "matches", "models", "videos")  # paths, or names
Run = TypeVar("Run", bound=Callable[..., None])


@dataclass(frozen=True)
class Taken:
    """The flags that `takes` gives to a command."""

    paths: Sequence[str] = ()
    but: Sequence[str] = ()
    said: Mapping[str, str] = field(default_factory=dict)
    shared: Sequence[str] = ()

    def options(self) -> Iterator[str]:
        """Yield the paths of the options, as `train.lr`."""
        from maxi_core.settings.sections import core_section

        for path in self.paths:
            section, _, one = path.partition(".")
            for key in [one] if one else core_section(section).model_fields:
                if f"{section}.{key}" not in self.but:
                    yield f"{section}.{key}"


def takes(
    *paths: str,
    but: Sequence[str] = (),
    said: Mapping[str, str] | None = None,
    shared: Sequence[str] = tuple(RECIPE),
) -> Callable[[Run], Run]:
    """Give a command a flag for each option of whole sections (`video`) and for single ones (`eval.data_root`).

    Those in `but` get none, those in `said` have another help there. `shared` are names of `RECIPE` and
    `BENCHMARK`. The command gets a `Settings` as its context.
    """

    def mark(command: Run) -> Run:
        command.__dict__["taken"] = Taken(paths, but, said or {}, shared)
        return command

    return mark


class Settings(typer.Context):
    """What was typed for the flags of `takes`, and the catalog and the recipe that follow from it."""

    given: dict[str, Any]  # by path of the option, or name of what is shared; None was not typed

    @property
    def aliases(self) -> dict[str, Any]:
        """The options that have flags of their own, by path."""
        return {path: value for path, value in self.given.items() if "." in path}

    @cached_property
    def catalog(self) -> "Catalog":
        """The plugins, with those of --plugin and --config."""
        return read_catalog(self.given.get("no_plugin"), self.given.get("plugin"), self.given.get("config"))

    def recipe(
        self, more: "Iterable[Setting]" = (), *, under: "Iterable[Setting]" = (), sources: bool = False
    ) -> "Recipe":
        """Settle the recipe as `read_recipe` does; raises UsageError for a required option that nobody set, too."""
        config, options = self.given.get("config"), self.given.get("option")
        recipe = read_recipe(self.catalog, config, options, self.aliases, more=more, under=under, sources=sources)
        recipe.require(self.aliases)
        return recipe

    def benchmarks(self, recipe: "Recipe", spelling: "Spelling" = "written") -> "list[OpenedBenchmark]":
        """Open what --benchmark names, with the flags that say where its files are; raises UsageError if it cannot."""
        from maxi_core.evaluation.benchmarks.opening import open_benchmark
        from maxi_core.settings.sections import EvalSection

        names = named(self.given["benchmark"])
        if len(names) > 1 and (self.given["annotations"] or self.given["videos"]):
            raise UsageError("--annotations and --videos belong to one benchmark", "use --data-root for several")
        where = {key: self.given[key] for key in ("annotations", "videos", "labels", "classes", "trust")}
        where |= {"multi_label": bool(self.given["multi_label"]), "spelling": spelling}
        root = recipe.core("eval", EvalSection).data_root
        opened = [open_benchmark(name, self.catalog, data_root=root, **where) for name in names]
        _check_told_apart(names, opened)
        return opened


def _check_told_apart(names: "Sequence[str]", opened: "Sequence[OpenedBenchmark]") -> None:
    """Raise UsageError if two lists of one name would be taken for one."""
    seen: dict[str, tuple[str, str]] = {}
    for typed, benchmark in zip(names, opened, strict=True):
        for split in benchmark.splits:
            other, digest = seen.setdefault(split.label, (typed, split.sha256))
            if digest != split.sha256:
                what = f"{other} and {typed} would both be called '{split.label}'"
                raise UsageError(what, "rename one of the files, or name them in two commands with two --out")


class Command(TyperCommand):
    """A command with the flags of `takes`; they are made when they are wanted, so `maxi --help` reads no options."""

    context_class = Settings

    @cached_property
    def _taken(self) -> dict[str, Any]:
        """The parameters by path, and those that are shared by name."""
        taken: Taken = getattr(self.callback, "taken", Taken())
        made = {path: _parameter(path, taken.said.get(path, "")) for path in taken.options()}
        made |= {name: _typed(name, (RECIPE | BENCHMARK)[name]) for name in taken.shared}

        def holder() -> None: ...

        holder.__dict__["__signature__"] = Signature(list(made.values()))
        app = typer.Typer(add_completion=False)
        app.command()(holder)
        return dict(zip(made, get_command(app).params, strict=True))

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters of the function, those that it takes, and --help."""
        *own, helps = super().get_params(ctx)
        return [*own, *self._taken.values(), helps]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; raises UsageError for an empty text where a path belongs, which `Path` takes for `.`."""
        typed, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for param in () if ctx.resilient_parsing or "help" in typed else self.get_params(ctx):
            value = typed.get(param.name)
            if (value == "" or (isinstance(value, (list, tuple)) and "" in value)) and self._takes_path(param):
                named = param.metavar or param.name.upper()
                what = named if param.param_type_name == "argument" else max(param.opts, key=len)
                raise UsageError(f"{what} is empty", "name one, or leave it out")
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def _takes_path(self, param: Any) -> bool:
        """Whether a parameter takes a path, or a name in the place of one; of an option of a section, "" is none."""
        if param.param_type_name == "argument":
            return True
        if any(param is one and "." in path for path, one in self._taken.items()):
            return False
        return param.type_descriptor.annotation in (Path, list[Path]) or param.name in PLACES

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what was typed for its flags is in the context, and stdout is for its own data."""
        ctx.params = {name: _placed(value) for name, value in ctx.params.items()}
        ctx.given = {path: _one(param, ctx.params.pop(param.name)) for path, param in self._taken.items()}
        with own_stdout():
            return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the help of all parameters, the options of each section by themselves."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            title = "Arguments" if param.param_type_name == "argument" else param.rich_help_panel or "Options"
            if (row := param.get_help_record(ctx)) is not None:
                groups.setdefault(title, []).append(row)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _placed(value: Any) -> Any:
    """Return paths that were typed as URLs as such; raises UsageError for what is none and was meant for one."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_placed, value))
    if not isinstance(value, Path) or ":" not in str(value):
        return value
    from maxi_core.system.remote import as_path

    return as_path(value)


def _one(param: Any, value: Any) -> Any:
    """Return what was typed for an argument that takes one or several; None if nothing was."""
    if param.param_type_name != "argument" or not isinstance(value, (list, tuple)):
        return value
    return value[0] if len(value) == 1 else tuple(value) or None


def _typed(name: str, annotation: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parameter(path: str, said: str) -> Parameter:
    """Return the parameter of one option: its flag or argument, type, help and completion."""
    from maxi_core.settings.option_types import alternatives
    from maxi_core.settings.options import Flag, choices, described, is_list
    from maxi_core.settings.sections import core_section

    section, _, key = path.partition(".")
    model = core_section(section)
    flag, closed, kinds = Flag.of(model, key), choices(model, key), alternatives(model.model_fields[key].annotation)
    kind = next((kind for kind in (bool, int, float) if kind in kinds), str)
    metavar = "|".join(map(str, closed)) or ("path" if Path in kinds else "str")
    metavar = flag.metavar or (f"<{metavar},...>" if is_list(model, key) else f"<{metavar}>")
    required = "  [required, here or in maxi.toml]" if flag.required else ""
    shown: dict[str, Any] = {
        "help": said or described(model, key).sentence + required,
        "autocompletion": completing(model, key),
        "show_default": False,
    }
    if flag.argument:
        several = any(get_origin(kind) in (list, tuple) for kind in kinds)
        taken = list[str] if several else Path if Path in kinds else kind
        return _typed(key, Annotated[taken | None, typer.Argument(**shown)])
    if kind is str or flag.metavar:
        shown["metavar"] = metavar
    name = f"{flag.name}/--no-{flag.name[2:]}" if kind is bool else flag.name
    return _typed(key, Annotated[kind | None, typer.Option(name, rich_help_panel=f"Options of [{section}]", **shown)])
