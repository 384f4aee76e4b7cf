"""The contract of a role as named checks: as a pytest test for an author, and one by one for `maxi check-plugin`."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from maxi_core.errors import LEAVING, MaxiError, UsageError, deed, with_article
from maxi_core.plugin.catalog import Catalog
from maxi_core.recipe.recipe import Recipe
from maxi_core.settings.options import Configured
from maxi_core.testing.effects import EFFECTS, restored, silenced
from maxi_core.testing.engine import ENGINE
from maxi_core.testing.fingerprint import EFFORT, FINGERPRINT, OPEN
from maxi_core.testing.injector import INJECTOR
from maxi_core.testing.objective import OBJECTIVE
from maxi_core.testing.plugin import PLUGIN
from maxi_core.testing.source import MATCHER, SOURCE
from maxi_core.testing.subject import Subject, questions_for, read_questions
from maxi_core.testing.temporal import FORWARD, TRAINING
from maxi_core.testing.video import FRAMES, VIDEO

Check = Callable[[Subject], None]

_ASKED: dict[str, Check] = {**FINGERPRINT, **OPEN, **SOURCE, **EFFORT, **EFFECTS}
ROLES: dict[str, dict[str, Check]] = {
    "injector": {**FINGERPRINT, **INJECTOR},
    "matcher": {**_ASKED, **VIDEO, **FRAMES, **MATCHER},
    "expander": _ASKED,
    "captioner": {**_ASKED, **VIDEO, **FRAMES},
    "augmenter": _ASKED,
    "filter": {**_ASKED, **FRAMES},
    "temporal": {**FORWARD, **TRAINING},
    "objective": OBJECTIVE,
    "engine": ENGINE,
}

LIGHT = frozenset([*PLUGIN.values(), *FINGERPRINT.values()])  # nobody is asked anything


def checks_for(role: str) -> dict[str, Check]:
    """Return the checks of a role, sentence -> function; a check raises AssertionError with what it saw."""
    return {**PLUGIN, **ROLES[role]}


def contract(make: Callable[[], Configured], questions: Sequence[Any] | None = None) -> Callable[..., None]:
    """Return a pytest test that holds what `make()` returns to the contract of its role, one case per sentence.

    `make` is called anew whenever a check needs a fresh instance; in another process, its class is made with the same
    options. `questions` replaces the entries, texts, videos or bags that the kit asks about, for a source that can
    answer only some; the kit's videos are small clips that it writes. A case that could not see what it looks for
    fails, too.
    """
    import pytest

    checks = checks_for(make().role)
    seen: dict[str, Any] = {}

    @pytest.mark.parametrize("check", list(checks.values()), ids=list(checks))
    def keeps_the_contract(check: Check) -> None:
        with tempfile.TemporaryDirectory(prefix="maxi-contract-") as folder:
            asked = questions_for(make().role) if questions is None else list(questions)
            run_check(check, Subject(make, asked, Path(folder), seen))

    return keeps_the_contract


def run_check(check: Check, subject: Subject) -> None:
    """Run one check, and put back afterwards what the plugin has changed in the process."""
    with restored():
        check(subject)


@dataclass(frozen=True)
class Finding:
    """One sentence of a contract, whether it holds, and why not."""

    sentence: str
    state: Literal["kept", "broken", "not checked"]
    why: str = ""


@dataclass(frozen=True)
class Report:
    """What was found of a plugin, and which sentences were left out because they need to ask it."""

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()


def check_offer(
    catalog: Catalog, recipe: Recipe, name: str, *, full: bool = False, questions: Path | None = None
) -> Report:
    """Check what is called `name` with the recipe's options: the light part of its contract, or all.

    `questions` is a file of texts or videos that take the place of the kit's. What needs a key, a model or a file that
    is not there is not checked, and says so. Raises PluginError for a name that nobody offers, or more than one, and
    UsageError for questions that cannot be read or that nobody is asked.
    """
    role = catalog.find(name).role
    if role not in ROLES:
        raise UsageError(
            f"'{name}' is {with_article(role)}, which has no contract", f"roles with one: {', '.join(ROLES)}"
        )
    if questions is not None and not full:
        raise UsageError("there are questions, and nobody is asked any", "type --full, too")
    asked: list[Any] = []
    if full:
        asked = questions_for(role) if questions is None else read_questions(role, questions)
    checks = checks_for(role)
    seen: dict[str, Any] = {}
    found = []
    with tempfile.TemporaryDirectory(prefix="maxi-contract-") as folder:
        for sentence, check in checks.items():
            if full or check in LIGHT:
                where = Path(tempfile.mkdtemp(dir=folder))
                subject = Subject(lambda: recipe.make(catalog, name), asked, where, seen)
                found.append(_found(sentence, check, subject))
    return Report(tuple(found), tuple(sentence for sentence, check in checks.items() if not (full or check in LIGHT)))


def _found(sentence: str, check: Check, subject: Subject) -> Finding:
    try:
        with silenced():
            run_check(check, subject)
    except AssertionError as error:
        return Finding(sentence, "broken", str(error))
    except MaxiError as error:
        return Finding(sentence, "not checked", str(error))
    except LEAVING:
        raise
    except BaseException as error:  # a check lets through what a plugin raises
        return Finding(sentence, "broken", f"it {deed(error)}")
    return Finding(sentence, "kept")
