"""The register of faulty plugins: each with the sentence of the contract that is meant to catch it."""

from collections.abc import Callable
from typing import TypeVar

from maxi_core.settings.options import Configured

Made = TypeVar("Made", bound=type[Configured])

ONE_FOR_EACH = "it gives a list of one answer for each item"
TYPE = "its answers are of the right type, stripped and not empty"
PLACES = "each answer is at the place of its item"
NEIGHBOURS = "a neighbour in the batch changes no answer"
TWICE = "it says the same twice"
ELSEWHERE = "it says the same in another process"
AGAIN = "it says the same after it was closed and opened again"
FAILED = "it says Failed for what it cannot answer, and goes on"
INPUTS = "it leaves what it was given as it is"
NOTES = "its notes are lines of text"
DICTIONARY = "it matches to the dictionary that it is given"
WINDOW = "it keeps to the window of a video"
PATHS = "it takes a path as it is given"
FRAMES = "it always wants the same frames"
EFFORT = "what changes its effort changes no answer"
THREADS = "it answers from other threads"
PROCESS = "it leaves the process as it was"
LIGHT = "it is light to make"
DOCUMENTED = "its options are documented"
SURVIVE = "its options survive a recipe"
FINGERPRINT = "its fingerprint is text, the same twice"
FOLLOWS = "its fingerprint follows the files that its options name"
OPEN = "its fingerprint is the same when it is open"

UNIQUE = "it gives a dictionary of unique, stripped entries"
INJECTS_TWICE = "it makes the same dictionary twice"
RENAMED = "a dictionary that it changed has another name"
LEAVES = "it leaves the dictionary and the process as they were"
AUGMENTS = "it asks the augmenter for texts"
ANY = "it takes any dictionary"

SHAPE = "frame features become one video feature"
STILL = "a still video has a feature"
APART = "it takes each video by itself"
OTHER_FRAMES = "another number of frames mixes no videos"
PRECISION = "it keeps the precision of the features"
DEVICE = "it computes where the features are"
STOCK = "the stock weights still load"
SAME = "it gives the same features twice"
TWO = "it can be attached to two encoders"
GRADIENTS = "gradients reach every weight and are finite"
RIGHT = "its gradients agree with finite differences"
TRAINS_APART = "it trains each video by itself"
SAVED = "every weight that is trained is saved"
COMES_BACK = "its features come back from a checkpoint"

FINITE = "its loss is a number, finite at any scale and in half precision"
RANKS = "two ranks compute what one computes"
ALONE = "the order of the videos does not change its loss"
LOSS_TWICE = "its loss is the same twice"
CONSTANT = "where it says that it has no gradient it has none"
ZERO = "a regulariser is zero where the model is its teacher"
HEAD = "gradients reach all of its head"

RESULT = "each item has one result, at its place"
FREE = "items are taken when a worker is free"
KEPT = "a worker keeps its copy of the work"
DIED = "an item whose worker died is Failed, the others are done"
LEFT = "a run that is left gives nothing to the next"
CLOSED = "closed, it leaves no worker"

MUTANTS: dict[type[Configured], str] = {}
UNSEEN: dict[type[Configured], str] = {}


def caught_by(sentence: str) -> Callable[[Made], Made]:
    """Enter a class with a fault, which its docstring names, and the sentence that is meant to catch it."""

    def enter(cls: Made) -> Made:
        MUTANTS[cls] = sentence
        return cls

    return enter


def unseen_because(reason: str) -> Callable[[Made], Made]:
    """Enter a class with a fault that no kit can see, and why not."""

    def enter(cls: Made) -> Made:
        UNSEEN[cls] = reason
        return cls

    return enter
