"""One residual block of a CLIP transformer, batch first, over the stock weights: whole, or at some positions only."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def is_plain(block: Any) -> bool:
    """Whether a block is open_clip's own and nobody has changed it, so that `residual` computes what it would.

    A block is changed if it or its attention has another class, hooks, or a `forward` of its own.
    """
    from open_clip.transformer import ResidualAttentionBlock

    if type(block) is not ResidualAttentionBlock or is_touched(block):
        return False
    attention = block.attn
    plain = type(attention) is nn.MultiheadAttention and attention.in_proj_weight is not None
    return plain and not is_touched(attention) and bool(attention.dropout == 0)


def is_touched(module: nn.Module) -> bool:
    """Whether somebody has given a module hooks, or a `forward` that its class has not."""
    return "forward" in vars(module) or bool(module._forward_hooks or module._forward_pre_hooks)


def residual(block: Any, x: Tensor, mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
    """Return the output of a plain block, (r, L, W) -> (r, L, W); with `at` (r, E) at those places only, -> (r, E, W).

    `mask` (r, L, L) bool says which tokens see which; None lets all see all.
    """
    attention, width = block.attn, x.shape[-1]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    normal = block.ln_1(x)
    if at is None:
        query, key, value = functional.linear(normal, weight, bias).chunk(3, dim=-1)
    else:  # keys and values of all tokens, the rest for the places that are asked for
        x, asking = _at(x, at), _at(normal, at)
        mask = None if mask is None else _at(mask, at)  # (r, L, L) -> (r, E, L)
        query = functional.linear(asking, weight[:width], None if bias is None else bias[:width])
        key, value = functional.linear(normal, weight[width:], None if bias is None else bias[width:]).chunk(2, dim=-1)
    heads = (len(x), -1, attention.num_heads, width // attention.num_heads)
    query, key, value = (part.view(heads).transpose(1, 2) for part in (query, key, value))  # -> (r, H, L, W / H)
    seen = functional.scaled_dot_product_attention(query, key, value, None if mask is None else mask[:, None])
    x = x + block.ls_1(attention.out_proj(seen.transpose(1, 2).flatten(2)))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


def attends_apart(block: nn.Module) -> bool:
    """Whether a block is open_clip's own but for its attention, which says that its queries may be fewer than its keys.

    A temporal module says so by an attribute `queries_apart` that is true: `residual_apart` gives what the block would.
    """
    from open_clip.transformer import ResidualAttentionBlock

    if type(block) is not ResidualAttentionBlock or is_touched(block):
        return False
    attention: Any = block.attn
    return bool(getattr(attention, "queries_apart", False)) and not is_touched(attention)


def residual_apart(block: Any, x: Tensor, at: Tensor) -> Tensor:
    """Return the output of a block that attends apart at the places `at` (r, E) only, (r, L, W) -> (r, E, W)."""
    normal = block.ln_1(x)
    seen, _ = block.attn(_at(normal, at), normal, normal, need_weights=False)
    x = _at(x, at) + block.ls_1(seen)
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


def _at(x: Tensor, places: Tensor) -> Tensor:
    """Return the rows of `x` (r, L, W) at `places` (r, E), -> (r, E, W)."""
    return x.gather(1, places[:, :, None].expand(-1, -1, x.shape[-1]))
