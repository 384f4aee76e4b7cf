"""From texts to the token ids that a CLIP reads, with what had to be cut or taken out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxi_core.texts import tidy

if TYPE_CHECKING:
    from torch import Tensor

# Beyond any 77 tokens that open_clip's vocabulary can make of a text in words, and short enough for its merges, whose
# time grows with the square of a word's length.
LONGEST = 2000


@dataclass(frozen=True)
class Tokens:
    """Token ids of `n` texts, `ids` (n, context length) int64, as open_clip's tokenizers give them.

    `truncated` are the places of texts that were longer than the context, `stripped` of those that had the name of a
    special token in them, which was taken out.
    """

    ids: "Tensor"
    truncated: tuple[int, ...] = ()
    stripped: tuple[int, ...] = ()


def tokenize(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    """Return the tokens of `texts`, those of open_clip's `tokenizer(texts)` for every text without special tokens.

    `<start_of_text>` and `<end_of_text>` written in a text, in any case or as HTML entities, would become special
    tokens and move the pooled position, so they are taken out. A text is cut to the context length, its end-of-text
    token kept.
    """
    from open_clip.tokenizer import SimpleTokenizer

    if isinstance(tokenizer, SimpleTokenizer) and tokenizer.reduction_fn is None:
        return _simple(tokenizer, texts)
    return _foreign(tokenizer, texts)


def _simple(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    import torch

    length, special = tokenizer.context_length, frozenset(tokenizer.all_special_ids)
    ids = torch.zeros(len(texts), length, dtype=torch.int64)
    truncated, stripped = [], []
    for row, text in enumerate(texts):
        said = tokenizer.encode(tidy(text, LONGEST))
        kept = [token for token in said if token not in special]
        if len(kept) < len(said):
            stripped.append(row)
        if len(kept) > length - 2:
            truncated.append(row)
        framed = [tokenizer.sot_token_id, *kept[: length - 2], tokenizer.eot_token_id]
        ids[row, : len(framed)] = torch.tensor(framed)
    return Tokens(ids, tuple(truncated), tuple(stripped))


def _foreign(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    """Tokenize with a tokenizer that gives padded ids only: special tokens are taken out of the text itself."""
    names = getattr(getattr(tokenizer, "tokenizer", None), "all_special_tokens", [])
    special = re.compile("|".join(map(re.escape, names)) or r"(?!)", re.IGNORECASE)
    cleaned = [tidy(text, LONGEST) for text in texts]
    without = [_without(special, text) for text in cleaned]
    stripped = tuple(row for row, text in enumerate(cleaned) if special.search(text))
    ids = tokenizer(without)
    pad = tokenizer([""])[0, -2]
    # One place more holds one token more of exactly those texts that do not fit.
    longer = tokenizer(without, context_length=ids.shape[1] + 1)
    truncated = (longer != pad).sum(dim=1) > (ids != pad).sum(dim=1)
    return Tokens(ids, tuple(truncated.nonzero()[:, 0].tolist()), stripped)


def _without(special: re.Pattern[str], text: str) -> str:
    while special.search(text):  # taking one out may put another together
        text = special.sub(" ", text)
    return text
