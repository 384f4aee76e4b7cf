"""Running the kit without pytest: what `maxi check-plugin` does, check by check."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maxi_core.conformance import SHARED, Subject
from maxi_core.conformance.fingerprint import FINGERPRINT
from maxi_core.conformance.questions import questions_for
from maxi_core.conformance.source import nothing_of_nothing
from maxi_core.errors import MaxiError
from maxi_core.plugins import Catalog
from maxi_core.recipe import Recipe
from maxi_core.testing import checks_for

LIGHT = frozenset([*SHARED.values(), *FINGERPRINT.values(), nothing_of_nothing])  # nobody is asked anything


@dataclass(frozen=True)
class Finding:
    """One sentence of a contract, whether it holds, and why not."""

    sentence: str
    state: Literal["kept", "broken", "not checked"]
    why: str = ""


def check_offer(catalog: Catalog, recipe: Recipe, name: str, *, full: bool = False) -> list[Finding]:
    """Check the source or temporal module `name` with the recipe's options, the light part of its contract or all.

    What needs a key, a model or a file that is not there is not checked, and says so. Raises PluginError for a name
    that nobody offers, or more than one.
    """
    role = catalog.find(name).role
    checks = {sentence: check for sentence, check in checks_for(role).items() if full or check in LIGHT}
    found = []
    with tempfile.TemporaryDirectory(prefix="maxi-contract-") as folder:
        for sentence, check in checks.items():
            where = Path(tempfile.mkdtemp(dir=folder))
            subject = Subject(lambda: recipe.make(catalog, name), questions_for(role, where) if full else [], where)
            try:
                check(subject)
            except AssertionError as error:
                found.append(Finding(sentence, "broken", str(error)))
            except MaxiError as error:
                found.append(Finding(sentence, "not checked", str(error)))
            except Exception as error:  # a check lets through what a plugin raises
                found.append(Finding(sentence, "broken", f"it raised {type(error).__name__}: {error}"))
            else:
                found.append(Finding(sentence, "kept"))
    return found
