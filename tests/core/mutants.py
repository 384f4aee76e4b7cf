"""Every faulty sample and the check meant for it; `python -m tests.core.mutants` prints what catches which."""

import tempfile
from pathlib import Path
from typing import Any

from maxi_core.settings.options import Configured
from maxi_core.testing.contract import checks_for, run_check
from maxi_core.testing.effects import silenced
from maxi_core.testing.subject import Subject, questions_for
from tests.core import (  # noqa: F401 (each enters its classes into the register)
    faulty_batches,
    faulty_effects,
    faulty_engines,
    faulty_filters,
    faulty_injectors,
    faulty_matchers,
    faulty_objectives,
    faulty_repeats,
    faulty_temporal,
    faulty_temporal_elsewhere,
    faulty_texts,
    faulty_unseen,
    faulty_videos,
)
from tests.core.faulty import MUTANTS, UNSEEN


def complaint(mutant: type[Configured], sentence: str, folder: Path, seen: dict[str, Any] | None = None) -> str:
    """Return what one check says against a mutant, an empty text if it passes; `seen` as in `Subject`."""
    subject = Subject(mutant, questions_for(mutant.role), folder, {} if seen is None else seen)
    try:
        run_check(checks_for(mutant.role)[sentence], subject)
    except Exception as error:  # a check lets through what the mutant raises
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def complaints(mutant: type[Configured]) -> dict[str, str]:
    """Return what every check of its role says against a mutant."""
    seen: dict[str, Any] = {}
    said = {}
    for sentence in checks_for(mutant.role):
        with tempfile.TemporaryDirectory() as folder:
            said[sentence] = complaint(mutant, sentence, Path(folder), seen)
    return said


def fault(mutant: type[Configured]) -> str:
    """Return the fault of a mutant in words."""
    return (mutant.__doc__ or "").removeprefix("Fault: ").rstrip(".")


def row(mutant: type[Configured]) -> str:
    """Return its line of the table: its fault, the check meant for it, what that says, how many others complain."""
    meant, said = MUTANTS.get(mutant, ""), complaints(mutant)
    others = sum(bool(text) for sentence, text in said.items() if sentence != meant)
    saw = said[meant][:150] if meant else f"no kit can: {UNSEEN[mutant]}"
    cells = [mutant.__name__, mutant.role, fault(mutant), meant, saw.replace("|", "\\|") or "NOT CAUGHT", str(others)]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table line by line; it takes minutes, since every check of its role is held against every mutant."""
    print("| mutant | role | fault | caught by | which says | other checks that complain |\n|" + 6 * "---|")
    for mutant in (*MUTANTS, *UNSEEN):
        with silenced():
            line = row(mutant)
        print(line, flush=True)
    print(f"\n{len(MUTANTS)} of {len(MUTANTS) + len(UNSEEN)} are meant to be caught")


if __name__ == "__main__":
    main()
