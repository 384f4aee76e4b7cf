"""From MODEL to a VideoCLIP: weights, temporal module, normalisation and what is known of them, in one object."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.checkpoints import read_weights
from maxi_core.clip.models import Clip, identity_of_weights, load_bare
from maxi_core.clip.naming import find_model
from maxi_core.clip.video_clip import Pooling, VideoCLIP, mean_over_frames
from maxi_core.clip.visual import IMAGENET, Normalisation
from maxi_core.errors import MaxiError, UsageError
from maxi_core.instances import Instance
from maxi_core.options import deciding
from maxi_core.temporal import Temporal

if TYPE_CHECKING:
    from maxi_core.plugins import Catalog

log = logging.getLogger("maxi")

Record = Mapping[str, Any]  # a temporal module as maxi.json has it: {name: dist:name, version, options}
MakeTemporal = Callable[[Record], Temporal]


@dataclass(frozen=True)
class Loaded:
    """A VideoCLIP in evaluation mode and all that belongs to it.

    `clip` has name, tokenizer, image size, device and the identity of the weights; `temporal` is {name, version,
    options} of the temporal module, its name as `dist:name`, or None without one: then the mean over frames is taken;
    `normalisation` is `model`, `imagenet` or, for a checkpoint trained so, what it was trained with; `checkpoint` is
    its folder and `about` its maxi.json, None and {} for a model that maxi has not trained.
    """

    model: VideoCLIP = field(repr=False)
    clip: Clip
    temporal: Record | None
    normalisation: str
    checkpoint: Path | None = None
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load_video_clip(
    name: str,
    device: str = "auto",
    *,
    frames: int = 16,
    temporal: Temporal | None = None,
    make_temporal: MakeTemporal | None = None,
    normalisation: Normalisation | None = None,
    checkpointing: bool = False,
    catalog: "Catalog | None" = None,
) -> Loaded:
    """Load the model that MODEL names for clips of `frames` frames: see `maxi_core.clip.models.load_model`.

    A checkpoint says which temporal module it was trained with, if any, and how pixels were normalised. `make_temporal`
    makes that very module from what the checkpoint says (`temporal_maker`); `temporal` is one that is attached to a
    model without, or the one that the checkpoint names. Raises UsageError where the two differ, for a module that is
    not here, and for weights that do not fit, with the keys that are missing or too many.
    """
    found = find_model(name, catalog)
    recorded: Record | None = found.about.get("temporal")
    module = _module(name, recorded, temporal, make_temporal)
    clip = load_bare(found, device)
    before = _shape_of(clip.model.visual)
    pooling: Pooling = mean_over_frames if module is None else module.attach(clip.model.visual, frames)  # type: ignore[arg-type]
    changed = _shape_of(clip.model.visual) != before
    said = normalisation or found.about.get("normalisation", "model")
    mean, std = IMAGENET if normalisation == "imagenet" else (clip.mean, clip.std)
    model = VideoCLIP(
        clip.model,
        mean=mean,
        std=std,
        frames=frames,
        pooling=pooling,
        checkpointing=checkpointing,
        fixed_frames=changed,
    )
    record = None if module is None else as_record(module)
    if found.checkpoint is not None:
        _fill(name, model, found.checkpoint, fresh=module is not None and recorded is None)
        named = clip.config if record is None else {**clip.config, "temporal": record}
        clip = replace(clip, identity=identity_of_weights(model.weights(), named))
    model.eval().to(clip.device)
    return Loaded(model, clip, record, said, found.checkpoint, found.about)


def temporal_maker(catalog: "Catalog") -> MakeTemporal:
    """Return what makes the temporal module that a checkpoint names, of that very distribution or plugin file.

    Another version than the checkpoint was trained with is warned of.
    """

    def make(record: Record) -> Temporal:
        offer = catalog.find(record["name"], ("temporal",))
        if record["version"] != offer.version:
            log.warning("trained with %s %s, and here is %s", offer.ref, record["version"], offer.version)
        made = Instance(offer).make(offer.cls.Options.model_validate(dict(record["options"])))
        assert isinstance(made, Temporal)
        return made

    return make


def as_record(module: Temporal) -> dict[str, Any]:
    """Return a temporal module as a checkpoint remembers it."""
    return {"name": module.ref or module.name, "version": module.version, "options": deciding(module.options)}


def _module(name: str, recorded: Record | None, given: Temporal | None, make: MakeTemporal | None) -> Temporal | None:
    """Return the module to attach, None for none."""
    if given is not None:
        if recorded is not None and _chosen(recorded) != _chosen(as_record(given)):
            raise UsageError(
                f"'{name}' was trained with the temporal module {_said(recorded)}, not {_said(as_record(given))}",
                "leave --temporal and its options out",
            )
        return given
    if recorded is None:
        return None
    if make is None:
        raise UsageError(f"'{name}' was trained with the temporal module {_said(recorded)}, which is not used here")
    try:
        return make(recorded)
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


def _shape_of(visual: Any) -> list[tuple[str, object, object]]:
    """Return what an `attach` would change: the modules, their own `forward`s and their hooks."""
    return [
        (key, type(module), (vars(module).get("forward"), len(module._forward_hooks), len(module._forward_pre_hooks)))
        for key, module in visual.named_modules()
    ]


def _fill(name: str, model: VideoCLIP, checkpoint: Path, *, fresh: bool) -> None:
    """Put a checkpoint's weights into the model; with `fresh`, a new temporal module keeps the ones it began with."""
    weights = read_weights(checkpoint)
    if fresh:
        weights |= {key: value for key, value in model.weights().items() if key.startswith("temporal.")}
    try:
        model.load_weights(weights)
    except ValueError as error:
        raise UsageError(f"the weights of '{name}' do not fit its model: {error}", "name another checkpoint") from None
