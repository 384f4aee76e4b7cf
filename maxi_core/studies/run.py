"""Doing the steps of a study: each once, whoever comes first, and again where a process was killed."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maxi_core.errors import MaxiError, UsageError
from maxi_core.studies.plan import Plan
from maxi_core.studies.step import Place, Step
from maxi_core.studies.study import STEPS
from maxi_core.system.files import parsed_json, to_json, utc_stamp, write_text
from maxi_core.system.locks import InUseError, locked
from maxi_core.training.stopping import StoppedError

log = logging.getLogger("maxi")

SCHEMA = 1
DONE, FAILED, LOCK = "step.json", "failed.json", ".step"
POLL = 1.0  # seconds between two looks whether another process has done a step


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the work a process does: the `number`-th of `of`, from 1."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.number}/{self.of}"


def parse_share(text: str) -> Share:
    """Read `I/N`; raises UsageError for anything else."""
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise UsageError(f"--index {text} is no share", "type I/N, from 1/N to N/N")
    return Share(int(number), int(of))


def done(step: Step, out: Path) -> dict[str, Any] | None:
    """Return what a step that is done says of itself, None if it is not done."""
    return _read(step.folder(out) / DONE)


def failure(step: Step, out: Path) -> dict[str, Any] | None:
    """Return why a step, or one that it needs, failed when it was last tried: {"message", "refused"}; None if not."""
    if done(step, out) is not None:
        return None
    found = (failure(need, out) for need in step.needs)
    return next((one for one in found if one is not None), None) or _read(step.folder(out) / FAILED)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = parsed_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@dataclass
class Runner:
    """Does steps in a place; `say` hears what is begun. A step that failed is not tried twice by one process.

    `unnoted` are the failures that could not be written down beside the steps, where a study's table finds them.
    """

    place: Place
    say: Callable[[str], None] = lambda _line: None
    failed: dict[str, MaxiError] = field(default_factory=dict)
    unnoted: list[MaxiError] = field(default_factory=list)

    def run(self, plan: Plan, share: Share = Share()) -> None:
        """Do a share of the scores of a study and all that they need; what fails is noted, and the others go on.

        Raises StoppedError after a signal.
        """
        units = plan.units()[share.number - 1 :: share.of]
        for number, unit in enumerate(units, 1):
            if done(unit, self.place.out) is None:
                self.say(f"[{number}/{len(units)}] {plan.study.name}: {self._rows(plan, unit)}")
            try:
                self.ensure(unit)
            except StoppedError:
                raise
            except MaxiError as error:
                self.say(f"failed: {error}")
                if failure(unit, self.place.out) is None:
                    self.unnoted.append(error)

    def ensure(self, step: Step) -> None:
        """Do a step, and before it those that it needs, unless they are done; raises MaxiError where one fails."""
        if self._stands(step):
            return
        if step.key in self.failed:
            raise self.failed[step.key]
        for need in step.needs:
            self.ensure(need)
        folder = step.folder(self.place.out)
        with self._alone(folder):
            if not self._stands(step):
                self._do(step, folder)

    def _stands(self, step: Step) -> bool:
        said = done(step, self.place.out)
        return said is not None and step.whole(step.folder(self.place.out), said["facts"])

    def _do(self, step: Step, folder: Path) -> None:
        began = time.perf_counter()
        log.info("%s %s in %s", step.kind, step.title, folder)
        try:
            facts: Mapping[str, object] = step.run(self.place, folder)
        except StoppedError:
            raise
        except Exception as error:
            failed = error if isinstance(error, MaxiError) else MaxiError(f"{type(error).__name__}: {error}")
            log.debug("%s %s failed", step.kind, step.title, exc_info=True)
            self.failed[step.key] = failed
            said = {"schema": SCHEMA, "message": str(failed), "refused": isinstance(failed, UsageError)}
            with suppress(MaxiError):  # of a full disk: the failure itself is the news
                write_text(folder / FAILED, to_json(said) + "\n")
            raise failed from error
        (folder / FAILED).unlink(missing_ok=True)
        said = {
            "schema": SCHEMA, "kind": step.kind, "finished": utc_stamp(), "seconds": time.perf_counter() - began,
            "key": step.key, "made_of": step.made_of(), "facts": facts,
        }  # fmt: skip
        write_text(folder / DONE, to_json(said, indent=1) + "\n")

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Hold a step's folder, once whoever is at it is ready."""
        with ExitStack() as stack:
            waits = False
            while True:
                try:
                    stack.enter_context(locked(folder, LOCK))
                    break
                except InUseError as error:
                    if not waits:
                        log.info("waiting: %s", error.problem)
                        self.say(f"waiting: {error.problem}")
                    waits = True
                    time.sleep(POLL)
            yield

    @staticmethod
    def _rows(plan: Plan, unit: Step) -> str:
        """Return whose scores these are: the rows that share them, and the place of the seed."""
        names = []
        for row in plan.rows:
            for place, step in enumerate(row.scores):
                if step.key == unit.key:
                    seed = f", seed {plan.seeds[place]}" if len(row.scores) > 1 else ""
                    names.append(f"{row.variant.name}{seed}")
        return " and ".join(names)


# What a study would take, before it is run.


def cost(plan: Plan, out: Path) -> dict[str, Any]:
    """Return by kind of step how many there are, how many are left, the seconds of one, and the hours that are left.

    Seconds are the mean of the steps of that kind that are done in this folder; None, as the hours, if none is.
    """
    kinds: dict[str, dict[str, Any]] = {}
    for step in plan.steps():
        told = kinds.setdefault(step.kind, {"steps": 0, "left": 0, "seconds": None, "hours": None})
        told["steps"] += 1
        told["left"] += done(step, out) is None
    for kind, told in kinds.items():
        taken = [float(one["seconds"]) for path in out.glob(f"{STEPS}/{kind}/*/{DONE}") if (one := _read(path))]
        if taken:
            told["seconds"] = sum(taken) / len(taken)
            told["hours"] = told["left"] * told["seconds"] / 3600
    return kinds
