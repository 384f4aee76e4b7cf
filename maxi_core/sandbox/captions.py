"""The sentences that go with stills: those that the sandbox's CLIP is pretrained on, and those its captioner learns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maxi_core.sandbox.actions import gerund
from maxi_core.sandbox.motions import MOTIONS
from maxi_core.sandbox.painting import THINGS
from maxi_core.sandbox.stills import Still

# Other words for a motion, as pictures of the world's web are sometimes captioned with them.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "kick": ("booting", "striking"),
    "throw": ("tossing", "hurling", "flinging"),
    "catch": ("grabbing",),
    "lift": ("raising", "hoisting"),
    "push": ("shoving", "sliding"),
    "sit": ("perching", "resting"),
    "jump": ("leaping", "hopping", "bouncing", "skipping"),
    "pull": ("tugging", "hauling", "dragging", "yanking"),
    "climb": ("scaling",),
    "punch": ("boxing", "jabbing", "pounding"),
    "swing": ("whirling", "moving"),
    "hug": ("embracing", "squeezing", "cuddling"),
    "wave": ("greeting",),
    "clap": ("applauding",),
    "bow": ("bending",),
    "spin": ("turning", "twirling"),
    "crawl": ("creeping",),
    "run": ("sprinting", "jogging"),
    "stretch": ("reaching",),
    "cheer": ("celebrating",),
}

PLACES: Mapping[str, str] = {
    "meadow": "in a meadow",
    "beach": "on a beach",
    "room": "in a room",
    "snow": "in the snow",
    "street": "on a street",
    "stage": "on a stage",
    "desert": "in a desert",
    "lake": "at a lake",
}

_FRAMES = ("a photo of {}.", "a photo of a {}.", "a picture of {}.", "a video of {}.", "{}.", "an example of {}.",
           "a demonstration of {}.", "a photo of {}", "a video of a {}.")  # fmt: skip
_PEOPLE = ("a person", "a man", "a woman", "someone", "a girl", "a boy")


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and what of the picture it names: those of equal `content` in a batch are each other's positives."""

    text: str
    content: tuple[str, str, str]


def web_caption(still: Still, verb_share: float, alone: float, rng: np.random.Generator) -> Caption:
    """Return a caption as on a web of photographs: nearly always the thing, at times the scene, seldom a verb.

    `verb_share` of the captions name the verb, and `alone` of those do not name the thing.
    """
    verb = still.verb if rng.uniform() < verb_share else ""
    thing = still.thing if not verb or rng.uniform() >= alone else ""
    scene = still.scene if rng.uniform() < 0.25 else ""
    said = _said(verb, thing, rng)
    text = f"{said} {PLACES[scene]}" if scene else said
    return Caption(str(rng.choice(_FRAMES)).format(text), (verb, thing, scene))


def _said(verb: str, thing: str, rng: np.random.Generator) -> str:
    person = str(rng.choice(_PEOPLE))
    if not verb:
        return str(rng.choice((thing, f"a {thing}", f"{person} and a {thing}", f"{person} using a {thing}")))
    word = _word(verb, rng)
    if not thing:
        return str(rng.choice((word, f"{person} {word}", verb, f"{person} doing {word}")))
    return str(rng.choice((f"{word} a {thing}", f"{person} {word} with a {thing}", f"{word} on a {thing}",
                           f"{word} a {thing}. {verb}", f"a {thing}. {word}")))  # fmt: skip


def _word(verb: str, rng: np.random.Generator) -> str:
    others = SYNONYMS.get(verb, ())
    return str(rng.choice(others)) if others and rng.uniform() < 0.25 else gerund(verb)


def spoken_caption(still: Still, rng: np.random.Generator) -> str:
    """Return a caption as a captioner says it: a person, what the person does, most often the thing and the scene."""
    person = str(rng.choice(_PEOPLE[:3]))
    is_ = "is " if rng.uniform() < 0.3 else ""
    beside = f" {rng.choice(('near', 'next to', 'with'))} a {still.thing}" if rng.uniform() < 0.7 else ""
    place = f" {PLACES[still.scene]}" if rng.uniform() < 0.4 else ""
    return f"{person} {is_}{gerund(still.verb)}{beside}{place}"


def words() -> tuple[str, ...]:
    """Return every word that the captions of this file can hold, in alphabetical order."""
    texts = [
        *_FRAMES,
        *_PEOPLE,
        *PLACES.values(),
        *THINGS,
        *MOTIONS,
        *map(gerund, MOTIONS),
        "with on and using doing is",
    ]
    texts += [word for group in SYNONYMS.values() for word in group]
    return tuple(sorted({word for text in texts for word in text.replace("{}", "").replace(".", " . ").split()}))


def spoken_words() -> tuple[str, ...]:
    """Return every word that `spoken_caption` can use, in alphabetical order."""
    texts = [*_PEOPLE[:3], *PLACES.values(), *THINGS, *map(gerund, MOTIONS), "is near next to with a"]
    return tuple(sorted({word for text in texts for word in text.split()}))
