"""Which texts of a bag a step sees: N_bag of them, drawn anew in each epoch (method.md, bags)."""

from collections.abc import Sequence
from random import Random

N_BAG = 16  # texts of each bag in a step (paper Table 8)


def draw_items(items: Sequence[str], count: int, rng: Random) -> list[str]:
    """Return exactly `count` items of a bag (method.md, bags); none at all of an empty one.

    A larger bag is sampled without replacement. A smaller one repeats every item equally often and fills up with a
    random remainder, again without replacement. The order is random.
    """
    if not items:
        return []
    repeats, rest = divmod(count, len(items))
    drawn = [*items] * repeats + rng.sample(items, rest)
    rng.shuffle(drawn)
    return drawn
