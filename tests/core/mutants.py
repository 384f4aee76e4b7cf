"""Every faulty sample with the check that is meant for it; `python -m tests.core.mutants` prints what catches which."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from maxi_core.conformance import Subject
from maxi_core.conformance.questions import questions_for
from maxi_core.options import Configured
from maxi_core.testing import checks_for
from tests.core import faulty_temporal, faulty_texts, faulty_videos

ORDER = "it gives one answer per question, in order"
TYPE = "its answers are of the right type, stripped and not empty"
FAILED = "it says Failed for what it cannot answer, and goes on"
STAYS = "its fingerprint is text, the same twice"
FOLLOWS = "its fingerprint follows the files that its options name"
DICTIONARY = "it gives a dictionary of unique, stripped entries"
SHAPE = "frame features become one video feature"
GRADIENTS = "gradients reach every weight and are finite"
OTHER_FRAMES = "another number of frames mixes no videos"
STOCK = "the stock weights still load"

MUTANTS: dict[type[Configured], str] = {
    faulty_texts.Recounts: ORDER,
    faulty_texts.Doubles: ORDER,
    faulty_texts.Sorts: ORDER,
    faulty_texts.Forgets: "it says the same twice",
    faulty_texts.Gossips: "it answers each question by itself",
    faulty_texts.Chats: "it has nothing to say of nothing",
    faulty_texts.Hoards: "it answers while it is asked",
    faulty_texts.Speaks: TYPE,
    faulty_texts.Spaces: TYPE,
    faulty_texts.Mumbles: TYPE,
    faulty_texts.Shrugs: TYPE,
    faulty_texts.GivesUp: TYPE,
    faulty_texts.Adverbs: TYPE,
    faulty_texts.Lumps: TYPE,
    faulty_videos.Invents: TYPE,
    faulty_videos.Doubts: TYPE,
    faulty_videos.Swaps: TYPE,
    faulty_videos.Rounds: TYPE,
    faulty_videos.RoundsMore: TYPE,
    faulty_videos.Reverses: TYPE,
    faulty_texts.Throws: FAILED,
    faulty_texts.Skips: FAILED,
    faulty_videos.Blind: FAILED,
    faulty_videos.Trips: FAILED,
    faulty_videos.Passes: FAILED,
    faulty_texts.Loads: "it is light to make",
    faulty_texts.Insists: "its options survive a recipe",
    faulty_texts.Undocumented: "its options are documented",
    faulty_texts.Wavers: STAYS,
    faulty_texts.Counts: STAYS,
    faulty_texts.Overlooks: FOLLOWS,
    faulty_texts.Stumbles: FOLLOWS,
    faulty_texts.Repeats: DICTIONARY,
    faulty_texts.Hides: "a dictionary that it changed has another name",
    faulty_texts.Draws: "it makes the same dictionary twice",
    faulty_temporal.Flattens: SHAPE,
    faulty_temporal.Spreads: "a still video has a feature",
    faulty_temporal.Detaches: GRADIENTS,
    faulty_temporal.Idles: GRADIENTS,
    faulty_temporal.Smuggles: "every weight that is trained is saved",
    faulty_temporal.Mixes: "it takes each video by itself",
    faulty_temporal.Assumes: OTHER_FRAMES,
    faulty_temporal.Breaks: OTHER_FRAMES,
    faulty_temporal.Widens: "it keeps the precision of the features",
    faulty_temporal.Renames: STOCK,
    faulty_temporal.Freezes: STOCK,
    faulty_temporal.Shivers: "it gives the same features twice",
}


def complaint(mutant: type[Configured], sentence: str, folder: Path) -> str:
    """Return what one check says against a mutant, an empty text if it passes."""
    subject = Subject(mutant, questions_for(mutant.role, folder), folder)
    try:
        checks_for(mutant.role)[sentence](subject)
    except Exception as error:  # a check lets through what the mutant raises
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def table(mutants: Iterable[type[Configured]] = MUTANTS) -> str:
    """Return the table: the mutant, its fault, the check meant for it, what that says, how many others complain."""
    lines = ["| mutant | fault | caught by | which says | other checks that complain |", "|---|---|---|---|---|"]
    for mutant in mutants:
        meant, fault = MUTANTS[mutant], (mutant.__doc__ or "").removeprefix("Fault: ").rstrip(".")
        with tempfile.TemporaryDirectory() as folder:
            said = {sentence: complaint(mutant, sentence, Path(folder)) for sentence in checks_for(mutant.role)}
        others = sum(bool(text) for sentence, text in said.items() if sentence != meant)
        lines.append(f"| {mutant.__name__} | {fault} | {meant} | {said[meant][:90] or 'NOT CAUGHT'} | {others} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
