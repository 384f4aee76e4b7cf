"""The primitive motions of the sandbox, by verb. No motion is another one played backward (a test)."""

from collections.abc import Mapping

from maxi_sandbox.motions_low import LOW
from maxi_sandbox.motions_upright import UPRIGHT
from maxi_sandbox.poses import Motion

# In the order in which they came: what a seed draws depends on it.
_VERBS = (
    "kick", "throw", "catch", "lift", "push", "sit", "jump", "pull", "climb", "punch", "swing", "hug", "wave",
    "clap", "bow", "spin", "crawl", "run", "kneel", "stretch", "cheer", "lunge", "lie", "balance",
    "squat", "march", "salute", "flap", "row", "point", "pray", "plank", "dive", "flex", "split", "arch", "aim",
    "sway", "meditate", "tumble", "surf", "crouch", "dig", "drum",
)  # fmt: skip

_ALL = {**UPRIGHT, **LOW}
MOTIONS: Mapping[str, Motion] = {verb: _ALL[verb] for verb in _VERBS}
