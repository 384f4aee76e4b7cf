"""Attention of BLIP's vision tower by scaled_dot_product_attention, which transformers does not offer for BLIP."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class FastAttention(nn.Module):
    """A layer's self-attention with the stock weights, the same up to the last bits (docs/sources.md has the times).

    It does not write out the 577 x 577 scores of each head. The decoder attends from one token at a time and would
    gain nothing.
    """

    def __init__(self, stock: Any) -> None:
        super().__init__()
        self.qkv, self.projection = stock.qkv, stock.projection
        self.heads, self.scale = stock.num_heads, stock.scale

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """Attend from each of (B, L, W) to all; returns the same shape, and None in place of the scores."""
        batch, length, width = hidden_states.shape
        parts = self.qkv(hidden_states).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, L, D)
        mixed = scaled_dot_product_attention(query, key, value, scale=self.scale)
        joined: Tensor = self.projection(mixed.transpose(1, 2).reshape(batch, length, width))
        return joined, None
