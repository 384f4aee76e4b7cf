"""Patch dropout of an image tower (FLIP): each training step sees a part of the patches of each frame."""

from typing import Any

from torch import nn

from maxi_core.clip.timm_tower import is_timm
from maxi_core.errors import UsageError


def force_patch_dropout(visual: Any, share: float, name: str) -> None:
    """Let a tower leave out a share of its patches while it is trained, as open_clip's `--force-patch-dropout` does.

    Raises UsageError for a tower that has no place for it; `name` is that of the model.
    """
    owner, key = (visual.trunk, "patch_drop") if is_timm(visual) else (visual, "patch_dropout")
    now = getattr(owner, key, visual)
    if now is visual or not (now is None or isinstance(now, nn.Module)):
        raise UsageError(f"the image tower of {name} has no patches to leave out", "leave out --force-patch-dropout")
    if _dropouts(owner):
        set_patch_dropout(visual, share)
    elif not is_timm(visual):
        from open_clip.transformer import PatchDropout

        setattr(owner, key, PatchDropout(share))
    else:
        from timm.layers import patch_dropout as timm_s

        # towers that have None where nothing is left out have rotary positions, and ask which patches stay
        made = timm_s.PatchDropoutWithIndices if now is None else timm_s.PatchDropout
        setattr(owner, key, made(share, num_prefix_tokens=owner.num_prefix_tokens))


def set_patch_dropout(visual: Any, share: float) -> None:
    """Set the share of patches that is left out, where any are."""
    for module in _dropouts(visual):
        module.prob = share


def _dropouts(visual: nn.Module) -> list[Any]:
    return [one for one in visual.modules() if "PatchDropout" in type(one).__name__ and hasattr(one, "prob")]
