"""Prompts as tokens: each distinct one once, and tokenized once while it is remembered."""

import torch

from maxi_core.batches.token_rows import Prompter
from maxi_core.clip.tokens import Tokens


def test_a_batch_has_each_prompt_once_and_the_bags_point_at_them(tokens) -> None:
    bags = [["a cat", "a dog", "a cat"], ["a dog", "a bird", "a bird"]]
    rows, index = Prompter(tokens).batch(bags)
    assert torch.equal(rows, tokens(["a cat", "a dog", "a bird"]).ids)
    assert index.tolist() == [[0, 1, 0], [1, 2, 2]]
    assert rows.dtype == index.dtype == torch.int64


def test_a_prompt_is_tokenized_once_while_it_is_remembered_and_the_tokens_stay_the_same(tokens) -> None:
    asked: list[str] = []

    def noting(texts: list[str]) -> Tokens:
        asked.extend(texts)
        return tokens(texts)

    prompter = Prompter(noting, remembered=2)
    for prompts in (["a", "b"], ["b", "a"], ["a", "c"], ["a", "b", "a", "c", "d"], ["e"] * 3):
        assert torch.equal(prompter.rows(prompts), tokens(prompts).ids)
    assert asked == ["a", "b", "c", "b", "d", "e"]  # b was used least recently when c came
