"""What happens in the sandbox: the dictionary, the verbs of each benchmark, and the company that actions keep.

The order in which this was settled is part of the world's honesty: first the dictionary, then the recorded replies,
written by hand for it (`data/replies.jsonl`), then the split of the verbs, by a draw with seed 4, then the company.
"""

from collections.abc import Mapping

# Each thing is shared by three entries, so that only the verb separates them.
ENTRIES: Mapping[str, tuple[str, str]] = {
    "kicking a ball": ("kick", "ball"),
    "throwing a ball": ("throw", "ball"),
    "catching a ball": ("catch", "ball"),
    "lifting a box": ("lift", "box"),
    "pushing a box": ("push", "box"),
    "sitting on a box": ("sit", "box"),
    "jumping over a rope": ("jump", "rope"),
    "pulling a rope": ("pull", "rope"),
    "climbing a rope": ("climb", "rope"),
    "punching a bag": ("punch", "bag"),
    "swinging a bag": ("swing", "bag"),
    "hugging a bag": ("hug", "bag"),
}

NAMED = tuple(verb for verb, _ in ENTRIES.values())

# Permutations of the sorted names, drawn with NumPy's default_rng(4): first half published, second half for tuning.
SAME = ("catch", "hug", "jump", "pull", "punch", "throw")
SAME_DEV = ("climb", "kick", "lift", "push", "sit", "swing")
NOVEL = ("balance", "bow", "cheer", "run", "spin", "stretch")
NOVEL_DEV = ("clap", "crawl", "kneel", "lie", "lunge", "wave")

# Motions that nobody names, and that are seen before and after the one that the entry names.
COMPANY: Mapping[str, tuple[str, str, str]] = {
    "kick": ("run", "cheer", "balance"),
    "throw": ("run", "lunge", "wave"),
    "catch": ("clap", "run", "stretch"),
    "lift": ("bow", "kneel", "stretch"),
    "push": ("lunge", "lie", "crawl"),
    "sit": ("wave", "clap", "lie"),
    "jump": ("spin", "cheer", "balance"),
    "pull": ("lunge", "bow", "lie"),
    "climb": ("stretch", "crawl", "cheer"),
    "punch": ("balance", "spin", "clap"),
    "swing": ("spin", "kneel", "bow"),
    "hug": ("kneel", "wave", "crawl"),
}

TRAINING_SCENES = ("meadow", "beach", "room", "snow")
TEST_SCENES = ("street", "stage", "desert", "lake")

BENCHMARK_VERBS: Mapping[str, tuple[str, ...]] = {
    "sandbox-same": SAME,
    "sandbox-novel": NOVEL,
    "sandbox-view": SAME + NOVEL,
    "sandbox-same-dev": SAME_DEV,
    "sandbox-novel-dev": NOVEL_DEV,
    "sandbox-view-dev": SAME_DEV + NOVEL_DEV,
}

_GERUNDS = {
    "hug": "hugging", "sit": "sitting", "spin": "spinning", "run": "running", "clap": "clapping", "swing": "swinging",
    "wave": "waving", "lunge": "lunging", "balance": "balancing", "lie": "lying",
}  # fmt: skip


def gerund(verb: str) -> str:
    """Return the gerund of one of the world's verbs, the form in which benchmarks name their classes."""
    return _GERUNDS.get(verb, f"{verb}ing")
