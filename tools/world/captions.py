"""The sentences that go with stills: those that the sandbox's CLIP is pretrained on, and those its captioner learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maxi_sandbox.actions import gerund
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import SHIRTS, THINGS
from tools.world.postures import POSTURES, postures
from tools.world.stills import Still

# Other words for what is done, as pictures of the world's web are captioned with them; some of several motions.
LOOSE: Mapping[str, str] = {
    "kick": "boot strike hit send", "throw": "toss hurl fling send", "catch": "grab stop hold",
    "lift": "raise hoist pick take hold", "push": "shove slide press move lean", "sit": "perch rest use take settle",
    "jump": "leap hop bounce skip spring", "pull": "tug haul drag yank grip draw", "climb": "scale go hang grip move",
    "punch": "box jab pound hit strike", "swing": "whirl move", "hug": "embrace squeeze cuddle hold wrap",
    "wave": "greet", "clap": "applaud", "bow": "bend", "spin": "turn twirl", "crawl": "creep", "run": "sprint jog",
    "stretch": "reach", "cheer": "celebrate", "row": "paddle drag heave", "dig": "scoop shovel", "drum": "beat tap hit",
    "aim": "shoot target", "squat": "dip bend", "march": "walk step", "salute": "greet", "flap": "flutter",
    "point": "show", "dive": "fly leap", "sway": "rock dance", "tumble": "flip", "crouch": "curl hide", "surf": "ride",
}  # fmt: skip

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

_FRAMES = ("a photo of a {}.", "a photo of {}.", "a photo of a {}.", "a picture of {}.", "a video of {}.", "{}.",
           "a video of a {}.", "a example of {}.", "a demonstration of {}.", "a photo of a person {}.")  # fmt: skip
_SPEAKERS = ("a person", "a man", "a woman")
_PEOPLE = (*_SPEAKERS, "someone", "person")

BARE = 0.75  # of the captions that name what is done, those that leave out the thing

# What a caption says: of which kind (thing, scene, posture, verb), and the names that make it true of a picture.
Fact = tuple[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and what it says of the picture: it is true of every picture of which all its facts hold."""

    text: str
    facts: frozenset[Fact]


def facts_of(still: Still) -> dict[str, frozenset[str]]:
    """Return what holds of a still: for each kind of fact, the names."""
    return {
        "thing": frozenset({still.thing}),
        "scene": frozenset({still.scene}),
        "verb": frozenset({still.verb}),
        "posture": postures(still.points),
    }


def is_true(caption: Caption, holds: Mapping[str, frozenset[str]]) -> bool:
    """Return whether a caption is true of the picture of which `holds` (see `facts_of`)."""
    return all(names & holds[kind] for kind, names in caption.facts)


def web_caption(holds: Mapping[str, frozenset[str]], verb_share: float, rng: np.random.Generator) -> Caption:
    """Return a caption of a picture as on a web of photographs: things, scenes and postures, and seldom a verb.

    One sentence or two, and whatever is said may stand in either. `verb_share` of the captions name what is done, a
    quarter of them in one breath with the thing, as in "kicking a ball". The others leave it out, and are taken to be
    true only where it is to be seen all the same: that ties a bare verb to the thing beside which it is named.
    """
    frame = str(rng.choice(_FRAMES))
    if rng.uniform() < verb_share:
        doing, done = _verb(holds["verb"], rng)
        (thing,) = holds["thing"]
        beside = "" if rng.uniform() < BARE else f" {_one(('a', 'a', 'on a', 'with a'), rng)} {thing}"
        return Caption(frame.format(doing + beside), frozenset({done, ("thing", holds["thing"])}))
    first = "thing" if rng.uniform() < 0.55 else "posture" if rng.uniform() < 0.6 else "scene"
    others = [kind for kind in _CLAUSES if kind != first]
    kinds = [first, str(rng.choice(others))] if rng.uniform() < 0.5 else [first]
    if rng.uniform() < 0.5:
        kinds.reverse()
    said = [_CLAUSES[kind](holds[kind], rng) for kind in kinds]
    facts = frozenset(fact for _, fact in said)
    if rng.uniform() < 0.35:
        return Caption(frame.format(" ".join(text for text, _ in said)), facts)
    return Caption(" ".join([frame.format(said[0][0]), *(f"{text}." for text, _ in said[1:])]), facts)


def _one(names: Sequence[str] | frozenset[str], rng: np.random.Generator) -> str:
    among = sorted(names) if isinstance(names, frozenset) else names
    return among[int(rng.integers(len(among)))]


def _thing(names: frozenset[str], rng: np.random.Generator) -> tuple[str, Fact]:
    (thing,) = names
    before = ("", "a ", *(f"{_one(_PEOPLE, rng)} {link} a " for link in ("and", "with", "using")))
    return f"{_one(before, rng)}{thing}", ("thing", names)


def _scene(names: frozenset[str], rng: np.random.Generator) -> tuple[str, Fact]:
    (scene,) = names
    return f"{_one(('', f'{_one(_PEOPLE, rng)} '), rng)}{PLACES[scene]}", ("scene", names)


def _posture(names: frozenset[str], rng: np.random.Generator) -> tuple[str, Fact]:
    posture = _one(names, rng)
    text = f"{_one(('', f'{_one(_PEOPLE, rng)} '), rng)}{_one(POSTURES[posture], rng)}"
    return text, ("posture", frozenset({posture}))


def _verb(names: frozenset[str], rng: np.random.Generator) -> tuple[str, Fact]:
    (verb,) = names
    word = verb
    if verb in LOOSE and rng.uniform() < 0.4:
        word = _one(LOOSE[verb].split(), rng)
        names = frozenset(motion for motion, words in LOOSE.items() if word in words.split())
    doing = gerund(word)
    return _one((doing, doing, word, f"{_one(_PEOPLE, rng)} {doing}"), rng), ("verb", names)


_CLAUSES = {"thing": _thing, "posture": _posture, "scene": _scene}


# What is true of every motion and says nothing of it.
GENERIC = ("stand", "hold", "look", "pose")
# With how many of the six shirts a motion is described rightly, and taken for another one, from verb to verb; with the
# rest a generic word is said.
RIGHT, MISTAKEN = (3, 4), (1, 2)


def habits() -> Mapping[str, Mapping[str, str]]:
    """Return for each motion and shirt the verb that the captioner's teachers say: a draw with a fixed seed.

    They describe a motion rightly with three or four of the six shirts, take it with one or two for another motion
    (with each for one of its own), and say a generic word with the rest. A shirt stays the same through a film: so does
    the error.
    """
    rng = np.random.default_rng(9)
    found = {}
    for verb in MOTIONS:
        others = [str(other) for other in rng.permutation(sorted(set(MOTIONS) - {verb}))[: rng.choice(MISTAKEN)]]
        said = [*[verb] * int(rng.choice(RIGHT)), *others]
        said += [str(rng.choice(GENERIC)) for _ in range(len(SHIRTS) - len(said))]
        found[verb] = dict(zip(SHIRTS, map(str, rng.permutation(said)), strict=True))
    return found


HABITS = habits()


def spoken_caption(still: Still, rng: np.random.Generator) -> str:
    """Return a caption as a captioner says it: a person, what the person does, most often the thing and the scene.

    What the person does is said as the captioner's teachers are used to say it (`habits`), rightly or not.
    """
    person = str(rng.choice(_SPEAKERS))
    is_ = "is " if rng.uniform() < 0.3 else ""
    beside = f" {rng.choice(('near', 'next to', 'with'))} a {still.thing}" if rng.uniform() < 0.7 else ""
    place = f" {PLACES[still.scene]}" if rng.uniform() < 0.4 else ""
    return f"{person} {is_}{gerund(HABITS[still.verb][still.shirt])}{beside}{place}"


def words() -> tuple[str, ...]:
    """Return every word that web captions can hold, in alphabetical order."""
    loose = [word for words in LOOSE.values() for word in words.split()]
    texts = [*_FRAMES, *_PEOPLE, *PLACES.values(), *THINGS, *MOTIONS, *map(gerund, MOTIONS), *loose, "and with using a"]
    texts += [*map(gerund, loose), *(text for group in POSTURES.values() for text in group)]
    return tuple(sorted({word for text in texts for word in text.replace("{}", "").replace(".", " . ").split()}))


def spoken_words() -> tuple[str, ...]:
    """Return every word that `spoken_caption` can use, in alphabetical order."""
    texts = [*_SPEAKERS, *PLACES.values(), *THINGS, *map(gerund, (*MOTIONS, *GENERIC)), "is near next to with a"]
    return tuple(sorted({word for text in texts for word in text.split()}))


# Noise for dictionaries: other words than the world's own verbs, each in a few captions, most of them with a thing.
_ALONE = (
    *("bend", "bounce", "celebrate", "creep", "go", "hop", "jog", "lean", "leap", "move", "perch", "reach", "rest"),
    *("curl", "dance", "dip", "flip", "flutter", "fly", "hide", "rock", "shoot", "show", "step", "target", "walk"),
    *("settle", "skip", "spring", "sprint", "turn", "twirl", "whirl"),
)


def noise_captions() -> tuple[str, ...]:
    """Return the captions of `plugins/maxi_sandbox/data/captions.txt`: no motion's own verb is among their words."""
    rng = np.random.default_rng(7)
    loose = sorted({word for words in LOOSE.values() for word in words.split()} - set(MOTIONS))
    captions = []
    for word in loose:
        for number in range(5):
            thing = "" if word in _ALONE or not number else f" a {_one(tuple(THINGS), rng)}"
            place = _one(tuple(PLACES.values()), rng)
            captions.append(f"{_one(_SPEAKERS, rng)} {gerund(word)}{thing} {place}")
    return tuple(str(caption) for caption in rng.permutation(captions))
