"""The prompts around a name, in matching and evaluation (method.md); those of training are in batches."""

from itertools import product

from maxi_core.errors import UsageError

_OPENINGS = ("a photo of", "a video of", "a example of", "a demonstration of")  # "a example" is the authors' spelling
_SUBJECTS = (
    *("{}.", "a person {}.", "a person using {}.", "a person doing {}.", "a person during {}."),
    *("a person performing {}.", "a person practicing {}."),
)

# the 28 Kinetics templates, whose mean embedding stands for a dictionary entry in matching
MATCHING = tuple(f"{opening} {subject}" for opening, subject in product(_OPENINGS, _SUBJECTS))

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
        raise UsageError(f"the prompt template '{template}' needs one {{}} for the name", f"type e.g. '{EVALUATION}'")
    return template
