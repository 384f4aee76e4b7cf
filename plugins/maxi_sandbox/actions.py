"""What happens in the sandbox: the dictionary, the verbs of each benchmark, and the company that actions keep.

The order in which this was settled is part of the world's honesty: first the dictionary, then the recorded replies
(`data/replies.jsonl`), written by hand without knowing the split of the verbs, which a draw with seed 6 made, then the
company.
"""

from collections.abc import Mapping

# The entries with their verbs, and the thing that these are usually done with.
ENTRIES: Mapping[str, tuple[str, str]] = {
    "kicking": ("kick", "ball"),
    "throwing": ("throw", "ball"),
    "catching": ("catch", "ball"),
    "aiming": ("aim", "ball"),
    "lifting": ("lift", "box"),
    "pushing": ("push", "box"),
    "sitting": ("sit", "box"),
    "drumming": ("drum", "box"),
    "jumping": ("jump", "rope"),
    "pulling": ("pull", "rope"),
    "climbing": ("climb", "rope"),
    "rowing": ("row", "rope"),
    "punching": ("punch", "bag"),
    "swinging": ("swing", "bag"),
    "hugging": ("hug", "bag"),
    "digging": ("dig", "bag"),
}

NAMED = tuple(verb for verb, _ in ENTRIES.values())

# Permutations of the sorted names, drawn with NumPy's default_rng(6): first those that are published, then those for
# tuning; of the verbs that nobody names first.
NOVEL = ("balance", "bow", "clap", "crouch", "flap", "lie", "meditate", "point", "spin", "split", "squat", "stretch",
         "surf", "sway", "tumble", "wave")  # fmt: skip
NOVEL_DEV = ("arch", "cheer", "crawl", "dive", "flex", "kneel", "lunge", "march", "plank", "pray", "run", "salute")
SAME = ("climb", "drum", "hug", "lift", "pull", "row", "sit", "throw")
SAME_DEV = ("aim", "catch", "dig", "jump", "kick", "punch", "push", "swing")

UNNAMED = tuple(sorted(NOVEL + NOVEL_DEV))

# Motions that nobody names, and that are seen before or after the one that the entry names: each beside four
# actions, by a draw with default_rng(8).
COMPANY: Mapping[str, tuple[str, ...]] = {
    "kick": ("bow", "dive", "flap", "spin", "split", "stretch", "surf"),
    "throw": ("crawl", "dive", "flex", "kneel", "salute", "split", "wave"),
    "catch": ("arch", "dive", "kneel", "lie", "pray", "stretch", "surf"),
    "punch": ("cheer", "lie", "lunge", "salute", "split", "squat", "wave"),
    "swing": ("arch", "cheer", "crouch", "point", "pray", "spin", "sway"),
    "hug": ("cheer", "clap", "crawl", "march", "squat", "sway", "tumble"),
    "lift": ("balance", "bow", "crouch", "kneel", "pray", "stretch", "tumble"),
    "push": ("arch", "dive", "flex", "march", "point", "run", "surf"),
    "sit": ("balance", "clap", "flap", "plank", "stretch", "surf", "tumble"),
    "jump": ("crouch", "flex", "kneel", "lunge", "pray", "run", "salute"),
    "pull": ("clap", "crawl", "flap", "meditate", "plank", "spin", "sway"),
    "climb": ("balance", "cheer", "clap", "flex", "lunge", "salute", "squat"),
    "dig": ("bow", "crawl", "crouch", "run", "spin", "sway", "wave"),
    "drum": ("arch", "balance", "lie", "meditate", "plank", "point", "wave"),
    "row": ("bow", "lie", "lunge", "march", "meditate", "run", "squat"),
    "aim": ("flap", "march", "meditate", "plank", "point", "split", "tumble"),
}

# The thing beside which the web of photographs that CLIP learns from names a verb: the entry's, and for verbs
# that nobody names one of the other things, drawn with NumPy's default_rng(7). The videos know nothing of it.
USUAL: Mapping[str, str] = {
    **dict(ENTRIES.values()),
    **dict.fromkeys(("cheer", "clap", "lunge", "march", "meditate", "pray", "tumble"), "tree"),
    **dict.fromkeys(("arch", "kneel", "run", "salute", "squat", "stretch", "sway"), "umbrella"),
    **dict.fromkeys(("balance", "crouch", "dive", "flap", "plank", "point", "spin"), "chair"),
    **dict.fromkeys(("bow", "crawl", "flex", "lie", "split", "surf", "wave"), "flag"),
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
_DOUBLED = ("clap", "dig", "dip", "drag", "drum", "flap", "flip", "grab", "grip", "hit", "hop", "hug", "jab", "jog",
            "run", "sit", "skip", "spin", "split", "squat", "step", "stop", "tap", "tug", "wrap")  # fmt: skip
_GERUNDS = {"lie": "lying"}


def gerund(verb: str) -> str:
    """Return the gerund of one of the verbs of the world's captions; it is how benchmarks name their classes."""
    stem = verb + verb[-1] if verb in _DOUBLED else verb.removesuffix("e")
    return _GERUNDS.get(verb, f"{stem}ing")
