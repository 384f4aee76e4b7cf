"""Prompts as rows of token ids, each distinct text tokenized once and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from maxi_core.clip.tokens import Tokens

if TYPE_CHECKING:
    from torch import Tensor

Tokenize = Callable[[list[str]], Tokens]

REMEMBERED = 100_000  # texts, at 4 bytes a token: 60 MB with their names for CLIP's 77


class Prompter:
    """Tokenizes the prompts of one batch after the other; counts those that had to be changed.

    `truncated` and `stripped` are the numbers of different prompts that were too long, or held the name of a special
    token; one that was forgotten in between may be counted again.
    """

    def __init__(self, tokenize: Tokenize, remembered: int = REMEMBERED) -> None:
        self._tokenize, self._most = tokenize, remembered
        self._rows: OrderedDict[str, bytes] = OrderedDict()  # text -> L int32, least recently used first
        self.truncated = 0
        self.stripped = 0

    def rows(self, prompts: Sequence[str]) -> Tensor:
        """Return the token ids of the prompts, (n, L) int64."""
        import torch

        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._rows]
        if new:
            self._learn(new)
        for prompt in prompts:
            self._rows.move_to_end(prompt)
        rows = bytearray().join([self._rows[prompt] for prompt in prompts])
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)
        return torch.frombuffer(rows, dtype=torch.int32).view(len(prompts), -1).long()

    def batch(self, bags: Iterable[Sequence[str]]) -> tuple[Tensor, Tensor]:
        """Return the distinct prompts of B bags of N as tokens (P, L), and each bag as rows of them, (B, N)."""
        import torch

        places: dict[str, int] = {}
        index = [[places.setdefault(prompt, len(places)) for prompt in bag] for bag in bags]
        return self.rows(list(places)), torch.tensor(index)

    def _learn(self, prompts: list[str]) -> None:
        import torch

        tokens = self._tokenize(prompts)
        self.truncated += len(tokens.truncated)
        self.stripped += len(tokens.stripped)
        for prompt, row in zip(prompts, tokens.ids.to(torch.int32).numpy(), strict=True):
            self._rows[prompt] = row.tobytes()
