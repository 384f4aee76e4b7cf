"""Prefix trees of prompts, packed into rows: tokens that prompts have in common at their beginning are there once.

Exact for a causal transformer, where a token's state depends on the tokens before it and on nothing else: every token
of the tree sees its ancestors and itself, as it would in its own prompt. See docs/matching.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Tokens in a row. A longer row shares more prefixes, but each of its tokens looks at all others; 96 to 256 take the
# same time on 28 x 400 prompts.
ROW = 128


@dataclass(frozen=True)
class PromptTree:
    """`n` token sequences as R rows of at most L tokens, each a prefix tree in depth-first order.

    `tokens` (R, L) int64; `depths` (R, L), the position of each token in its own sequence; `ends` (R, L), the place in
    the row after its last descendant, so token j is an ancestor of token i if j <= i < ends[j]; a padding token is an
    ancestor of itself only. `leaves` (R, E) are the places of the sequences' last tokens, E in a row with padding, and
    `answers` (n,) says which of the R * E leaves, counted row by row, ends each sequence.
    """

    tokens: Tensor
    depths: Tensor
    ends: Tensor
    leaves: Tensor
    answers: Tensor

    def to(self, device: torch.device | str) -> "PromptTree":
        """Return the tree on another device."""
        return PromptTree(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def mask(self, rows: slice = slice(None)) -> Tensor:
        """Return who sees whom, (rows, L, L) bool: entry [r, i, j] is true if token i of row r sees token j."""
        ends = self.ends[rows]
        place = torch.arange(ends.shape[1], device=ends.device)
        return (place <= place[:, None]) & (place[:, None] < ends[:, None, :])


def pack(ids: Tensor, last: Tensor, row: int = ROW) -> PromptTree:
    """Pack token sequences into a tree, each distinct one once; on the CPU.

    `ids` (n, length) int64 and `last` (n,), the place of each sequence's last token; what stands after it is ignored. A
    sequence longer than `row` gets a row that is long enough.
    """
    ordered, lengths, shared, inverse = _distinct(ids.cpu().numpy(), last.cpu().numpy())
    rows = [_grow(ordered, lengths, shared, begin, end) for begin, end in _balanced(lengths, shared, row)]
    most = max(len(one.leaves) for one in rows)
    slots = np.concatenate([most * number + np.arange(len(one.leaves)) for number, one in enumerate(rows)])
    width = max(len(one.tokens) for one in rows)
    return PromptTree(
        _rectangle([one.tokens for one in rows], [0] * width),
        _rectangle([one.depths for one in rows], [0] * width),
        _rectangle([one.ends for one in rows], range(1, width + 1)),
        _rectangle([one.leaves for one in rows], [0] * most),
        torch.from_numpy(slots[inverse]),
    )


def _distinct(
    ids: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[int], list[int], NDArray[np.int64]]:
    """Return the distinct sequences in lexicographic order, their lengths, and how many tokens each shares with the one
    before; and which of them each given sequence is.
    """
    width = int(last.max()) + 1
    inside = np.arange(width) <= last[:, None]
    shifted = np.where(inside, ids[:, :width] + 1, 0)  # 0 is a token of its own (`!`), so padding needs another number
    order = np.lexsort(shifted.T[::-1])
    ordered = shifted[order]  # (n, width): a tree in depth-first order, a sequence before those that go on from it
    same = np.cumprod(ordered[1:] == ordered[:-1], axis=1).sum(axis=1)  # (n - 1,)
    new = np.concatenate([[True], same < width])
    inverse = np.empty(len(ids), np.int64)
    inverse[order] = np.cumsum(new) - 1
    distinct = ordered[new]
    lengths = (distinct > 0).sum(axis=1)
    shared = np.minimum(np.concatenate([[0], same[new[1:]]]), lengths)
    return distinct - 1, lengths.tolist(), shared.tolist(), inverse


def _balanced(lengths: Sequence[int], shared: Sequence[int], row: int) -> list[tuple[int, int]]:
    """Return (begin, end) of the sequences in each row: as few rows of `row` tokens as can be, of about one length."""
    fewest = len(_split(lengths, shared, row))
    longest = max(lengths)
    low, high = longest, max(row, longest)
    while low < high:  # the shortest rows that are no more in number, since padding costs as much as tokens do
        middle = (low + high) // 2
        if len(_split(lengths, shared, middle)) <= fewest:
            high = middle
        else:
            low = middle + 1
    return _split(lengths, shared, low)


def _split(lengths: Sequence[int], shared: Sequence[int], row: int) -> list[tuple[int, int]]:
    begins, size = [0], lengths[0]
    for number in range(1, len(lengths)):
        added = lengths[number] - shared[number]
        if size + added > row:
            begins.append(number)
            size = lengths[number]  # the prefix is said again in a new row
        else:
            size += added
    return list(zip(begins, [*begins[1:], len(lengths)], strict=True))


@dataclass(frozen=True)
class _Row:
    """One row, as in `PromptTree`, without padding."""

    tokens: list[int]
    depths: list[int]
    ends: list[int]
    leaves: list[int]


def _grow(ordered: NDArray[np.int64], lengths: Sequence[int], shared: Sequence[int], begin: int, end: int) -> _Row:
    row = _Row([], [], [], [])
    path: list[int] = []  # the places of the tokens of the current sequence
    for number in range(begin, end):
        kept = 0 if number == begin else shared[number]
        _close(row, path, kept)
        for depth, token in enumerate(ordered[number, kept : lengths[number]].tolist(), kept):
            path.append(len(row.tokens))
            row.tokens.append(token)
            row.depths.append(depth)
            row.ends.append(0)
        row.leaves.append(path[-1])
    _close(row, path, 0)
    return row


def _close(row: _Row, path: list[int], kept: int) -> None:
    """Cut the path to its first `kept` tokens; no descendant of the others follows."""
    while len(path) > kept:
        row.ends[path.pop()] = len(row.tokens)


def _rectangle(rows: Sequence[Sequence[int]], padding: Sequence[int]) -> Tensor:
    return torch.tensor([[*row, *padding[len(row) :]] for row in rows])
