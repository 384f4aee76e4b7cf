"""The prompt of training, text1 + text2: what was matched, then one item of the bag (method.md, bags)."""

from maxi_core.prompts import fill

# text1 in the form of the authors' code; the supplement has `a photo of {}.`
TRAINING = "a photo of a {}."


def training_prompt(matched: str, item: str, template: str = TRAINING) -> str:
    """Return `<text1> <text2>`: the matched entry in the template, then the item as a sentence."""
    return f"{fill(template, matched)} {item}."
