"""A study: variants of one recipe in a TOML file (docs/studies.md); those that ship have a name, others are files."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from maxi_core.errors import UsageError, nearest
from maxi_core.evaluation.published import TABLES, Published, published
from maxi_core.recipe.recipe import Setting
from maxi_core.settings.options import Options, make
from maxi_core.settings.sections import StudySection
from maxi_core.system.text_files import read_toml
from maxi_core.system.urls import refuse_reading
from maxi_core.texts import written_out

FOLDER = Path(__file__).parent
SHIPPED = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))  # the names of studies that need no file
SCHEMA = 1
STEPS = "steps"  # folder of the steps of all studies, beside those of their results
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
# of the settings of a recipe, what the study decides by itself, the same for all variants
DECIDED = {
    "bags": ("out",),
    "eval": ("data_root", "out"),
    "study": tuple(StudySection.model_fields),
    "train": ("labels", "name", "out", "run", "seed", "videos"),
}
_PARTS = ("then", "per_entry", "when")  # tables of a variant that are not sections of its recipe


class Head(Options):
    """What a study says of itself."""

    title: str = Field("", description="what is compared")
    base: str = Field("", description="variant that the others are held against; none: the first one")
    table: str = Field("", description="published table whose rows stand beside (maxi compare --tables)")
    about: str = Field("", description="what a reader of the table should know")


class About(Options):
    """What a variant is, besides the settings of its recipe."""

    title: str = Field("", description="its row in the table; none: its name")
    published: str = Field("", description="published row beside it: ROW, TABLE/ROW or TABLE/ROW/SETTING")
    on: Literal["bags", "labels", "nothing", "vote"] = Field(
        "bags", description="what its model is trained on; vote: no model, the verb that most captions of a video name"
    )
    sources: str = Field("", description="its sources, as for maxi bags --sources")
    without: str = Field("", description="sources that it lacks, as for maxi bags --without")
    objectives: str = Field("", description="objectives that are added to those of the recipe, with commas")
    entries: float | None = Field(None, gt=0, le=1, description="share of the dictionary that it has, drawn by seed 0")
    average: bool = Field(False, description="whether its model is the mean of the checkpoints after each epoch")
    optional: bool = Field(False, description="whether it is left out, and said so, where the recipe refuses it")


@dataclass(frozen=True)
class Variant:
    """One row: what it sets in the recipe, and `then` in that of a second training, from the first one's model.

    `per_entry` are numbers for each entry of the dictionary; the variant is in the study only where the recipe agrees
    with all of `when`.
    """

    name: str
    about: About
    settings: tuple[Setting, ...] = ()
    then: tuple[Setting, ...] = ()
    per_entry: tuple[Setting, ...] = ()
    when: tuple[Setting, ...] = ()

    @property
    def title(self) -> str:
        """The name of its row."""
        return self.about.title or self.name


@dataclass(frozen=True)
class Study:
    """The variants, in the order of the rows; `settings` are those of all, `then` those of all second trainings.

    `file` is where it stands; "" for one that ships.
    """

    name: str
    head: Head
    settings: tuple[Setting, ...]
    then: tuple[Setting, ...]
    variants: tuple[Variant, ...]
    file: str = ""


def read_study(name: str) -> Study:
    """Return the study of a name or of a TOML file; raises UsageError in one line for whatever is wrong with it."""
    refuse_reading(name, "studies are read")
    file = Path(name).expanduser()
    if name in SHIPPED:
        if file.exists():
            raise UsageError(f"'{name}' is a study and also a file in this folder", f"type ./{name} for the file")
        file = FOLDER / f"{name}.toml"
    elif not file.exists():
        raise UsageError(
            f"there is no study '{name}'{nearest(name, SHIPPED)}", f"name a TOML file, or one of {', '.join(SHIPPED)}"
        )
    return _read(file)


def _read(file: Path) -> Study:
    if not _NAME.fullmatch(file.stem) or file.stem == STEPS:
        raise UsageError(
            f"a study cannot be called '{file.stem}', since its results are in a folder named after it",
            f"rename the file: it takes letters, digits, and . + - _, and is not {STEPS}",
        )
    document = read_toml(file)
    if (schema := document.pop("schema", SCHEMA)) != SCHEMA:
        raise UsageError(f"{file} has schema {schema!r}, and this maxi reads {SCHEMA}", "pip install -U maxi")
    everyone, then, tables = (_table(file, document, key) for key in ("all", "then", "variants"))
    head = make(Head, file.name, document, dict.fromkeys(document, file.name))
    assert isinstance(head, Head)
    _check_words(file.name, head)
    variants = tuple(_variant(file, name, table) for name, table in tables.items())
    _check_published(file, head, variants)
    if not variants:
        raise UsageError(f"{file} has no variants", "write one: [variants.mine], and under it train.lr = 1e-5")
    if head.base and head.base not in tables:
        raise UsageError(f"{file}: base = '{head.base}' is none of its variants{nearest(head.base, tables)}")
    return Study(
        file.stem,
        head,
        tuple(_settings(everyone, f"{file.name} [all]")),
        tuple(_settings(then, f"{file.name} [then]")),
        variants,
        "" if file.parent == FOLDER else str(file.resolve()),
    )


def published_rows(head: Head, variant: Variant) -> list[Published]:
    """Return the numbers that a variant names: `ROW` of the study's table, `TABLE/ROW` or `TABLE/ROW/SETTING`."""
    first, *more = variant.about.published.split("/", 2)
    table, name, setting = (first, *more, "")[:3] if more else (head.table, first, "")
    return [one for one in published() if (one.table, one.method) == (table, name) and setting in ("", one.setting)]


def _check_published(file: Path, head: Head, variants: Iterable[Variant]) -> None:
    """Raise UsageError for a table or a row that was not published."""
    if head.table and head.table not in TABLES:
        raise UsageError(f"{file}: table = '{head.table}' was not published", f"known: {', '.join(TABLES)}")
    for variant in variants:
        if variant.about.published and not published_rows(head, variant):
            what = f"{file}: published = '{variant.about.published}' of {variant.name} is no published row"
            raise UsageError(what, "write ROW of `table`, or TABLE/ROW (see maxi compare --tables)")


def _check_words(origin: str, said: Head | About) -> None:
    """Raise UsageError for titles and the like that would not stand in one line of a table."""
    for key, value in said:
        lines = value.splitlines() if key == "about" else [value]
        if isinstance(value, str) and any(line != written_out(line) for line in lines):
            raise UsageError(f"{origin}: {key} = {value!r:.80} has a control character or a line break", "take it out")


def _variant(file: Path, name: str, table: object) -> Variant:
    origin = f"{file.name} [variants.{name}]"
    if not isinstance(table, dict):
        raise UsageError(f"{file}: variants.{name} is no table", f"write [variants.{name}]")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{file}: '{name}' cannot name a variant", "use letters, digits, and . + - _")
    own = {key: value for key, value in table.items() if not isinstance(value, dict)}
    about = make(About, f"variants.{name}", own, dict.fromkeys(own, file.name))
    assert isinstance(about, About)
    _check_words(origin, about)
    parts = {key: tuple(_settings(_table(file, table, key), f"{origin} {key}")) for key in _PARTS}
    sections = {key: value for key, value in table.items() if isinstance(value, dict) and key not in _PARTS}
    settings = tuple(_settings(sections, origin))
    for one in (*settings, *parts["then"], *parts["per_entry"]):
        if one.key.replace("-", "_") in DECIDED.get(one.section, ()):
            what = f"{one.origin}: {one.section}.{one.key} is of the whole study, and no variant changes it"
            raise UsageError(what, "take it out, or type it with the command")
    return Variant(name, about, settings, **parts)


def _table(file: Path, document: dict[str, Any], key: str) -> dict[str, Any]:
    """Take a table out of a document, {} if it has none."""
    table = document.pop(key, {})
    if not isinstance(table, dict):
        raise UsageError(f"{file}: {key} is no table", f"write [{key}]")
    return table


def _settings(table: Mapping[str, Any], origin: str) -> Iterator[Setting]:
    """Yield the settings of `section.key = value` lines."""
    for section, keys in table.items():
        if not isinstance(keys, dict):
            raise UsageError(f"{origin}: '{section}' is no section", "write section.key = value, such as train.lr = 1")
        yield from (Setting(section, key, value, origin, typed=False) for key, value in keys.items())


def only(study: Study, names: Collection[str]) -> tuple[Variant, ...]:
    """Return the variants of these names and the base; raises UsageError for a name that is none."""
    known = [variant.name for variant in study.variants]
    for name in names:
        if name not in known:
            raise UsageError(
                f"the study {study.name} has no variant '{name}'{nearest(name, known)}", f"its are {', '.join(known)}"
            )
    base = study.head.base or known[0]
    return tuple(variant for variant in study.variants if variant.name == base or not names or variant.name in names)
