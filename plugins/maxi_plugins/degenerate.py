"""Captions that say nothing: a captioner that has lost its thread says a word or a phrase over and over."""

from maxi_core.texts import has_words

LONGEST = 4  # words of a phrase
TIMES = 3  # in a row


def degenerate(caption: str) -> bool:
    """Return whether a caption has no word, one word repeated, or a phrase of up to four words three times in a row.

    `a man and a woman and a dog` is a caption; `a cup of cup of cup of` is not.
    """
    words = caption.casefold().split()
    if not has_words(caption) or (len(words) > 1 and len(set(words)) == 1):
        return True
    return any(_repeats(words, length) for length in range(1, LONGEST + 1))


def _repeats(words: list[str], length: int) -> bool:
    """Whether a phrase of `length` words stands `TIMES` times in a row: as many places repeat the word before."""
    run = 0
    for place in range(length, len(words)):
        run = run + 1 if words[place] == words[place - length] else 0
        if run == length * (TIMES - 1):
            return True
    return False
