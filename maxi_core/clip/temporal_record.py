"""The temporal module of a checkpoint: how maxi.json names it, and how that very module is made again."""

import logging
from collections.abc import Mapping
from typing import Any

from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.plugin.roles import Temporal
from maxi_core.recipe.parts import Instance
from maxi_core.settings.options import deciding, validated

log = logging.getLogger("maxi")

Record = Mapping[str, Any]  # a temporal module as maxi.json has it: {name: dist:name, version, options}


def make_temporal(catalog: Catalog, record: Record) -> Temporal:
    """Make the temporal module that a checkpoint names, of that very distribution or plugin file.

    Another version than the checkpoint was trained with is warned of.
    """
    offer = catalog.find(record["name"], ("temporal",))
    if record["version"] != offer.version:
        log.warning("trained with %s %s, and here is %s", offer.ref, record["version"], offer.version)
    made = Instance(offer).make(validated(offer.cls.Options, offer.ref, record["options"]))
    assert isinstance(made, Temporal)
    return made


def temporal_of(project: str, catalog: Catalog | None = None) -> dict[str, Any] | None:
    """Return the record of the module that has the attention between frames of a project's models, None for none."""
    offers = (discover() if catalog is None else catalog).offers
    of_project = (one for one in offers if issubclass(one.cls, Temporal) and project in one.cls.projects)
    if (offer := next(of_project, None)) is None:
        return None
    made = Instance(offer).make(validated(offer.cls.Options, offer.ref, {}))
    assert isinstance(made, Temporal)
    return as_record(made)


def as_record(module: Temporal) -> dict[str, Any]:
    """Return a temporal module as a checkpoint remembers it."""
    return {"name": module.ref or module.name, "version": module.version, "options": deciding(module.options)}


def module_for(name: str, recorded: Record | None, given: Temporal | None, catalog: Catalog | None) -> Temporal | None:
    """Return the module to attach to the model `name`, None for none: the one that is given, or the recorded one.

    Raises UsageError where the two differ, and for a recorded one that is not here.
    """
    if given is not None:
        if recorded is not None and _chosen(recorded) != _chosen(as_record(given)):
            raise UsageError(
                f"'{name}' was trained with the temporal module {_said(recorded)}, not {_said(as_record(given))}",
                "leave --temporal and its options out",
            )
        return given
    if recorded is None:
        return None
    try:
        return make_temporal(discover() if catalog is None else catalog, recorded)
    except MaxiError as error:
        why, fix = error.problem, error.fix
    except ValueError as error:  # of pydantic, in several lines
        why, fix = str(error).partition("\n")[0], f"install {recorded['name'].partition(':')[0]} {recorded['version']}"
    raise UsageError(
        f"'{name}' was trained with the temporal module {_said(recorded)}, which cannot be had here: {why}", fix
    )


def _chosen(record: Record) -> tuple[object, object]:
    return record["name"], record["options"]


def _said(record: Record) -> str:
    options = ", ".join(f"{key}={value}" for key, value in record["options"].items())
    return f"'{record['name']}' {record['version']}".rstrip() + (f" ({options})" if options else "")
