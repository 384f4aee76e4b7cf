"""What heatmaps need to know of an image tower: its blocks, its patch grid, and what a token says by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from maxi_core.clip.timm_tower import project_alone
from maxi_core.errors import UsageError


@dataclass(frozen=True)
class Tower:
    """A vision transformer: `blocks` in order, then `pools` that attend to what comes out of the last.

    The patches of `grid` (rows, columns) are the last tokens, behind class token and registers. `at_class` says that
    the image feature is read at the first token. `project` gives the features of tokens, each by itself,
    (n, W) -> (n, D): through final norm, pool and projection, as if it were the image's only token.
    """

    grid: tuple[int, int]
    blocks: tuple[nn.Module, ...]
    pools: tuple[nn.Module, ...]
    at_class: bool
    batch_first: bool
    project: Callable[[Tensor], Tensor]

    @property
    def patches(self) -> int:
        """How many patches an image has."""
        return self.grid[0] * self.grid[1]


def tower_of(visual: Any, name: str) -> Tower:
    """Return the tower of the model `name`; raises UsageError for one that is no vision transformer.

    Those are open_clip's own, and those of timm that keep one grid of patches (ViT, EVA, PE, SigLIP, ViTamin).
    """
    from open_clip.transformer import VisionTransformer

    if isinstance(visual, VisionTransformer) and getattr(visual, "attn_pool_contrastive", None) is None:
        return _of_open_clip(visual)
    trunk: Any = getattr(visual, "trunk", None)
    if trunk is not None and all(
        hasattr(trunk, part) for part in ("blocks", "num_prefix_tokens", "global_pool", "forward_head")
    ):
        grid = getattr(trunk.patch_embed, "grid_size", None)
        if grid is not None:
            return _of_timm(visual, trunk, tuple(grid))
    kind = type(visual if trunk is None else trunk).__name__
    raise UsageError(
        f"model '{name}' has no heatmaps: its image tower, a {kind}, is no vision transformer with one grid of patches",
        "use a ViT, such as ViT-B-16-quickgelu/openai",
    )


def _of_open_clip(visual: Any) -> Tower:
    pool = visual.attn_pool

    def project(tokens: Tensor) -> Tensor:
        x = tokens[:, None]  # (n, W) -> (n, 1, W)
        normal = visual.ln_post(x if pool is None else pool(x))[:, 0]
        projected: Tensor = normal if visual.proj is None else normal @ visual.proj
        return projected

    return Tower(
        grid=visual.grid_size,
        blocks=tuple(visual.transformer.resblocks),
        pools=() if pool is None else (pool,),
        at_class=pool is None and visual.pool_type == "tok",
        batch_first=visual.transformer.batch_first,
        project=project,
    )


def _of_timm(visual: Any, trunk: Any, grid: tuple[int, int]) -> Tower:
    pool = getattr(trunk, "attn_pool", None)

    return Tower(
        grid=grid,
        blocks=tuple(trunk.blocks),
        pools=() if pool is None else (pool,),
        at_class=pool is None and trunk.global_pool == "token",
        batch_first=True,
        project=lambda tokens: project_alone(visual, trunk.norm(tokens)),
    )
