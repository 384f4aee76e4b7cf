"""Prefix trees: every sequence sees exactly its own tokens, and shared ones are there once."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maxi_core.clip.prompt_tree import PromptTree, pack

Sequences = list[list[int]]


def packed(sequences: Sequences, row: int = 128) -> PromptTree:
    width = max(map(len, sequences)) + 1
    ids = torch.tensor([[*one, *[0] * (width - len(one))] for one in sequences])
    return pack(ids, torch.tensor([len(one) - 1 for one in sequences]), row)


def seen_by(tree: PromptTree, answer: Tensor) -> tuple[list[int], list[int]]:
    """Return tokens and positions that the leaf of a sequence sees, in the order of the row."""
    row, place = divmod(int(answer), tree.leaves.shape[1])
    sees = tree.mask()[row, tree.leaves[row, place]]
    return tree.tokens[row][sees].tolist(), tree.depths[row][sees].tolist()


sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(sequences, st.integers(1, 20))
def test_a_leaf_sees_its_own_sequence_and_nothing_else(many: Sequences, row: int) -> None:
    tree = packed(many, row)
    for sequence, answer in zip(many, tree.answers, strict=True):
        assert seen_by(tree, answer) == (sequence, list(range(len(sequence))))


@settings(max_examples=100, deadline=None)
@given(sequences, st.integers(1, 20))
def test_every_token_of_a_row_sees_at_least_itself_so_that_no_softmax_is_over_nothing(
    many: Sequences, row: int
) -> None:
    mask = packed(many, row).mask()
    assert bool(mask.diagonal(dim1=1, dim2=2).all())
    assert not bool(mask.triu(1).any())


@settings(max_examples=100, deadline=None)
@given(sequences)
def test_one_row_holds_each_distinct_prefix_once(many: Sequences) -> None:
    tree = packed(many, row=10_000)
    prefixes = {tuple(one[: end + 1]) for one in many for end in range(len(one))}
    assert tree.tokens.shape == (1, len(prefixes))


@settings(max_examples=100, deadline=None)
@given(sequences, st.integers(6, 20))
def test_no_row_is_longer_than_it_may_be(many: Sequences, row: int) -> None:
    assert packed(many, row).tokens.shape[1] <= row


def test_a_sequence_longer_than_a_row_has_one_of_its_own() -> None:
    tree = packed([[1, 2, 3, 4, 5], [6]], row=2)
    assert tree.tokens.tolist() == [[1, 2, 3, 4, 5], [6, 0, 0, 0, 0]]


def test_a_sequence_that_begins_another_ends_inside_it() -> None:
    tree = packed([[7, 8, 9], [7, 8]])
    assert tree.tokens.tolist() == [[7, 8, 9]]
    assert tree.leaves[0][tree.answers].tolist() == [2, 1]


def test_token_0_is_a_token_and_no_padding() -> None:
    tree = packed([[5, 0, 9], [5, 9]])
    assert [seen_by(tree, answer)[0] for answer in tree.answers] == [[5, 0, 9], [5, 9]]


def test_what_stands_after_the_last_token_is_ignored() -> None:
    ids = torch.tensor([[1, 2, 9, 4], [1, 2, 9, 5]])
    assert packed([[1, 2, 9]]).tokens.tolist() == pack(ids, torch.tensor([2, 2])).tokens.tolist()


def test_rows_are_of_about_one_length_since_padding_costs_too() -> None:
    many = [[number, number] for number in range(65)]  # 130 tokens: one more than fits into a row
    assert packed(many).tokens.shape == (2, 66)
