"""Every prompt of the method in one place: matching, training and evaluation (method.md)."""

from itertools import product

from maxi_core.errors import UsageError

_OPENINGS = ("a photo of", "a video of", "a example of", "a demonstration of")  # "a example" is the authors' spelling
_SUBJECTS = (
    *("{}.", "a person {}.", "a person using {}.", "a person doing {}.", "a person during {}."),
    *("a person performing {}.", "a person practicing {}."),
)

# the 28 Kinetics templates, whose mean embedding stands for a dictionary entry in matching
MATCHING = tuple(f"{opening} {subject}" for opening, subject in product(_OPENINGS, _SUBJECTS))

# text1 of a training prompt in the form of the authors' code; the supplement has `a photo of {}.`
TRAINING = "a photo of a {}."

EVALUATION = "a photo of a {}."
TEMPLATES = "templates"  # in place of a prompt: the mean over all of MATCHING


def fill(template: str, text: str) -> str:
    """Return the template with `text` in place of its `{}`."""
    return template.format(text)


def templates_of(prompt: str) -> tuple[str, ...]:
    """Return the templates that a prompt means: itself, or the 28 of Kinetics; raises UsageError for a wrong one."""
    return MATCHING if prompt == TEMPLATES else (checked_template(prompt),)


def checked_template(template: str) -> str:
    """Return the template; raises UsageError unless it has one `{}` and no other braces."""
    if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
        raise UsageError(f"the prompt template '{template}' needs one {{}} for the name", f"type e.g. '{TRAINING}'")
    return template


def training_prompt(matched: str, item: str, template: str = TRAINING) -> str:
    """Return `<text1> <text2>`: the matched entry in the template, then the item as a sentence (method.md, bags)."""
    return f"{fill(template, matched)} {item}."
