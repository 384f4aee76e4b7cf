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

# Motions that nobody names, and that are seen before or after the one that the entry names.
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

# The thing beside which the web of photographs that CLIP learns from names a verb: the entry's, and for verbs
# that nobody names one of the other things, drawn with NumPy's default_rng(5). The videos know nothing of it.
USUAL: Mapping[str, str] = {
    **dict(ENTRIES.values()),
    **dict.fromkeys(("bow", "spin", "wave"), "tree"),
    **dict.fromkeys(("cheer", "clap", "crawl"), "umbrella"),
    **dict.fromkeys(("balance", "lie", "lunge"), "chair"),
    **dict.fromkeys(("kneel", "run", "stretch"), "flag"),
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

# Verbs that double their last letter, and others that are not the verb and -ing.
_DOUBLED = ("clap", "drag", "grab", "grip", "hit", "hop", "hug", "jab", "jog", "run", "sit", "skip", "spin", "stop",
            "tug", "wrap")  # fmt: skip
_GERUNDS = {"lie": "lying"}


def gerund(verb: str) -> str:
    """Return the gerund of one of the verbs of the world's captions; it is how benchmarks name their classes."""
    stem = verb + verb[-1] if verb in _DOUBLED else verb.removesuffix("e")
    return _GERUNDS.get(verb, f"{stem}ing")
