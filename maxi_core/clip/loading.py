"""From MODEL to a VideoCLIP: weights, tokenizer, temporal module, normalisation and what is known of them."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from maxi_core.clip.checkpoints import ABOUT, build, read_weights
from maxi_core.clip.device import pick_device
from maxi_core.clip.image_tower import IMAGENET, Normalisation, Statistics
from maxi_core.clip.model import VideoCLIP, check_finite, identity_of, own_statistics
from maxi_core.clip.model_rules import own_file
from maxi_core.clip.naming import CONFIG, WEIGHTS, FoundModel, find_model
from maxi_core.clip.pooling import attached, bordered, mean_over_frames
from maxi_core.clip.temporal_record import as_record, module_for
from maxi_core.clip.tokens import Tokenizing, of_architecture, of_checkpoint, of_folder
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.roles import Temporal

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog


def load_model(
    name: str,
    device: str = "auto",
    *,
    frames: int = 16,
    temporal: Temporal | None = None,
    normalisation: Normalisation | None = None,
    checkpointing: bool = False,
    patch_dropout: float | None = None,
    catalog: "Catalog | None" = None,
) -> VideoCLIP:
    """Load the model that MODEL names, in evaluation mode and float32, for clips of `frames` frames.

    MODEL is `ARCH/TAG` as open_clip has them, an export folder, a checkpoint or a world. An export folder holds
    open_clip_config.json and open_clip_model.safetensors and may also be written `local-dir:FOLDER`; the folder of a
    training run is its last complete checkpoint.

    A checkpoint says which temporal module it was trained with, if any, and how pixels were normalised. That very
    module is taken from `catalog`, or the installed plugins; `temporal` is one that is attached to a model without, or
    the one that the checkpoint names. Raises UsageError where the two differ, for a module that is not here, for a name
    or folder that is not right, for weights that want the other activation (QuickGELU or GELU) or do not fit, with the
    keys that are missing or too many, for a device that is not there, and for a tower that `patch_dropout` cannot be
    forced on; MaxiError for weights that cannot be fetched or are not finite.
    """
    found = find_model(name, catalog)
    recorded = found.about.get("temporal")
    module = module_for(name, recorded, temporal, catalog)
    where = pick_device(device)
    tokenizing = _tokenizing(found)
    clip, tokenizer = _made(found, tokenizing)
    if found.checkpoint is None:
        check_finite(name, clip.state_dict())
    own = _statistics(found, clip)
    identity = "" if found.checkpoint is not None else identity_of(clip.state_dict(), found.config)
    if patch_dropout is not None:
        from maxi_core.clip.patch_dropout import force_patch_dropout

        force_patch_dropout(clip.visual, patch_dropout, name)
    statistics = IMAGENET if normalisation == "imagenet" else own_statistics(clip) if normalisation else own
    before = _shape_of(clip.visual)
    pooling = mean_over_frames if module is None else attached(module, clip.visual, frames)
    with nullcontext() if module is None else bordered(module.ref or module.name, "when the model was made with it"):
        model = VideoCLIP(
            clip,
            found.config,
            name=name,
            identity=identity,
            tokenizer=tokenizer,
            tokenizing=tokenizing,
            statistics=statistics,
            normalisation=normalisation or found.about.get("normalisation", "model"),
            frames=frames,
            pooling=pooling,
            temporal=None if module is None else as_record(module),
            fixed_frames=_shape_of(clip.visual) != before,
            checkpointing=checkpointing,
            checkpoint=found.checkpoint,
            about=found.about,
        )
        model.weights()  # raises where those of a temporal module are none
        if found.checkpoint is not None:
            _fill(model, found.checkpoint, fresh=module is not None and recorded is None)
            named = model.config if model.temporal is None else {**model.config, "temporal": model.temporal}
            model.identity = identity_of(model.weights(), named)
        return model.eval().to(where)


def _tokenizing(found: FoundModel) -> Tokenizing:
    """Return where the tokenizer of what was found is from."""
    if found.checkpoint is not None:
        path = found.checkpoint / ABOUT
        return of_checkpoint(found.checkpoint, path, found.about.get("tokenizer"), found.config)
    return of_architecture(found.architecture) if found.folder is None else of_folder(found.folder, found.config)


def _hub_if_needed(found: FoundModel) -> AbstractContextManager[str]:
    """Return what to load in: `offline_if_away` for weights of the hub."""
    import open_clip

    if not (found.architecture and open_clip.get_pretrained_cfg(found.architecture, found.tag).get("hf_hub")):
        return nullcontext("")
    from maxi_core.interop.hub import offline_if_away

    return offline_if_away()


def _made(found: FoundModel, tokenizing: Tokenizing) -> tuple[Any, Any]:
    """Return open_clip's model and tokenizer; a checkpoint's without weights, which need its temporal module first."""
    import open_clip

    with _hub_if_needed(found) as away:
        try:
            if found.architecture:
                clip: nn.Module = open_clip.create_model(
                    found.architecture, pretrained=found.tag, precision="fp32", device="cpu", require_pretrained=True
                )
            else:
                weights = None if found.folder is None else own_file(found.folder, WEIGHTS)
                clip = build(found.config, found.preprocess, weights)
            return clip, tokenizing.make(found.config["text_cfg"])
        except Exception as error:  # open_clip, torch, safetensors and the hub each raise their own
            raise _unloadable(found, error, away) from error


def _statistics(found: FoundModel, clip: nn.Module) -> tuple[Statistics, Statistics]:
    """Return mean and deviation that pixels are normalised with unless something else is asked for."""
    if found.checkpoint is None:
        return own_statistics(clip)
    return tuple(found.about["mean"]), tuple(found.about["std"])


def _unloadable(found: FoundModel, error: Exception, away: str) -> MaxiError:
    """Return the error, in one line, for a model that open_clip could not make or load; `away` says why no hub was."""
    import open_clip
    from huggingface_hub import try_to_load_from_cache

    name, why = found.name, " ".join(str(error).split())[:300]  # keys that do not fit are in lines of their own
    if found.checkpoint is not None:
        return UsageError(f"the model of '{name}' cannot be made: {why}", f"look at {found.checkpoint / ABOUT}")
    if found.folder is not None:
        return UsageError(f"model '{name}' cannot be loaded: {why}", f"look at {CONFIG} and {WEIGHTS} in it")
    place = open_clip.get_pretrained_cfg(found.architecture, found.tag)
    hub = place.get("hf_hub", "").rstrip("/")
    if hub and (here := try_to_load_from_cache(hub, WEIGHTS)) and isinstance(here, str):
        return MaxiError(
            f"the weights of '{name}' are here and cannot be loaded: {why}",
            f"delete {Path(here).resolve()} so that they are fetched anew; if that does not help, {hub} has others now",
        )
    why = away or str(error).strip().partition("\n")[0][:300].partition(". ")[0]
    if not hub:
        return MaxiError(f"the weights of '{name}' cannot be fetched from {place.get('url')}: {why}")
    return MaxiError(
        f"the weights of '{name}' are not here and cannot be fetched: {CONFIG} and {WEIGHTS} of {hub} ({why})",
        "unset HF_HUB_OFFLINE and go online, or bring them: `hf download "
        f"{hub} {CONFIG} {WEIGHTS} --local-dir DIR` elsewhere, then type local-dir:DIR as the model",
    )


def _shape_of(visual: Any) -> list[tuple[str, object, object]]:
    """Return what an `attach` would change: the modules, their own `forward`s and their hooks."""
    return [
        (key, type(module), (vars(module).get("forward"), len(module._forward_hooks), len(module._forward_pre_hooks)))
        for key, module in visual.named_modules()
    ]


def _fill(model: VideoCLIP, checkpoint: Path, *, fresh: bool) -> None:
    """Put a checkpoint's weights into the model; with `fresh`, a new temporal module keeps the ones it began with."""
    weights = read_weights(checkpoint)
    if fresh:
        weights |= {key: value for key, value in model.weights().items() if key.startswith("temporal.")}
    try:
        model.load_weights(weights)
    except ValueError as error:
        raise UsageError(
            f"the weights of '{model.name}' do not fit its model{model.with_module}: {error}", "name another checkpoint"
        ) from None
