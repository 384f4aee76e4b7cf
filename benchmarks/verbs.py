"""How right the readers of the `verbs` augmenter are on the hand-tagged sets, and how fast, each with its counts.

    python -m benchmarks.verbs [PIPELINE ...]

Reads with the rules, with the sandbox's spaCy pipeline and en_core_web_sm where they are there, and with each PIPELINE
(a name or a folder). tests/data/verbs/README.md says what was tagged and how. Exits with 1 if the rules read fewer than
10,000 captions a second of CPU time.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.measure import judge
from maxi_core.errors import UsageError
from maxi_core.types import Failed, Form, FormKind
from maxi_plugins.verbs import RULES, Verbs
from maxi_sandbox import Sandbox

SETS = Path(__file__).parents[1] / "tests" / "data" / "verbs"
NAMES = ("gold", "held_out", "imperative")
KINDS: tuple[FormKind, ...] = ("verb", "verb-phrase", "noun")
GOAL = 10_000
SECONDS = 2.0


@dataclass(frozen=True)
class Tagged:
    """A text of a hand-tagged set: its group, and what is in it by kind of form."""

    text: str
    group: str
    found: dict[str, frozenset[str]]


@dataclass
class Counts:
    """What a reader found: right, wrong (not in the set) and missed (only in the set)."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, said: frozenset[str], tagged: frozenset[str]) -> None:
        """Count the answers to one text."""
        self.right += len(said & tagged)
        self.wrong += len(said - tagged)
        self.missed += len(tagged - said)

    @property
    def precision(self) -> float:
        """Return the share of what was found that is right."""
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """Return the share of what was tagged that was found."""
        return self.right / max(1, self.right + self.missed)


def read_set(path: Path) -> Iterator[Tagged]:
    """Yield the texts of a hand-tagged set."""
    group = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("# "):
            group = line[2:]
            continue
        text, *columns = line.split(" | ")
        items = (frozenset() if column == "-" else frozenset(column.split(", ")) for column in columns)
        yield Tagged(text, group, dict(zip(KINDS, items, strict=True)))


def by_kind(forms: Sequence[Form]) -> dict[str, frozenset[str]]:
    """Return what a set would hold for these forms: verbs as lemmas, phrases and nouns as they are."""
    return {
        kind: frozenset(form.lemma if kind == "verb" else form.text for form in forms if form.kind == kind)
        for kind in KINDS
    }


def count(reader: Verbs, tagged: Sequence[Tagged]) -> dict[tuple[str, str], Counts]:
    """Return the counts of a reader by (kind, group), the group "all" for all of them."""
    counts: dict[tuple[str, str], Counts] = {}
    for one, forms in zip(tagged, reader.augment([one.text for one in tagged]), strict=True):
        said = by_kind([] if isinstance(forms, Failed) else forms)
        for kind in KINDS:
            for group in ("all", one.group):
                counts.setdefault((kind, group), Counts()).add(said[kind], one.found[kind])
    return counts


def speed(reader: Verbs, texts: list[str]) -> tuple[float, float]:
    """Return texts per second of wall clock and of CPU time, once the words are known."""
    reader.augment(texts)
    done, wall, cpu = 0, perf_counter(), process_time()
    while perf_counter() - wall < SECONDS:
        done += len(reader.augment(texts))
    return done / (perf_counter() - wall), done / (process_time() - cpu)


def readers(named: Sequence[str]) -> Iterator[tuple[str, Verbs]]:
    """Yield (name, reader) of the rules and of every pipeline that is there; one named and absent is an error."""
    for model in (RULES, str(Sandbox().pipeline()), "en_core_web_sm", *named):
        reader = Verbs(Verbs.Options(model=model, forms=KINDS))
        try:
            reader.fingerprint()
        except UsageError as error:
            if model in named:
                raise
            print(f"not here, not measured: {model} ({error.problem})\n")
            continue
        yield Path(model).name, reader


def main(named: Sequence[str]) -> int:
    """Print all tables; return 1 if the rules are too slow."""
    sets = {path.stem: list(read_set(path)) for path in (SETS / f"{name}.txt" for name in NAMES)}
    for name, tagged in sets.items():
        groups = Counter(one.group for one in tagged)
        print(f"{name}: {len(tagged)} texts, " + ", ".join(f"{groups[group]} of group {group}" for group in groups))
    print()
    pace: dict[str, tuple[float, float]] = {}
    for name, reader in readers(named):
        for set_name, tagged in sets.items():
            print(f"{name} on {set_name:24}{'precision':>10}{'recall':>8}{'right':>7}{'wrong':>7}{'missed':>7}")
            for (kind, group), counts in sorted(count(reader, tagged).items(), key=lambda row: KINDS.index(row[0][0])):
                shares = f"{counts.precision:>10.3f}{counts.recall:>8.3f}"
                print(f"  {kind:12}{group:<20}{shares}{counts.right:>7}{counts.wrong:>7}{counts.missed:>7}")
        captions = [one.text for tagged in sets.values() for one in tagged if one.group == "caption"]
        pace[name] = speed(reader, captions)
        print(f"{name}: {pace[name][0]:,.0f} captions/s wall, {pace[name][1]:,.0f} captions/s CPU\n")
    return judge({"rules, captions/s of CPU time": (pace[RULES][1], ">=", GOAL)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
