"""The conformance kit for plugin authors: one line in a test holds a source or temporal module to its contract.

    from maxi_core.testing import contract
    test_synonyms = contract(Synonyms)

Each check is a case of that test, named as the sentence that must hold.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from maxi_core.conformance import SHARED, Subject
from maxi_core.conformance.fingerprint import FINGERPRINT
from maxi_core.conformance.injector import INJECTOR
from maxi_core.conformance.questions import questions_for
from maxi_core.conformance.source import SOURCE
from maxi_core.conformance.temporal import TEMPORAL
from maxi_core.options import Configured

Check = Callable[[Subject], None]


def checks_for(role: str) -> dict[str, Check]:
    """Return the checks of a role, sentence -> function; a check raises AssertionError with what it saw."""
    own = {"temporal": TEMPORAL, "injector": {**FINGERPRINT, **INJECTOR}}.get(role, {**FINGERPRINT, **SOURCE})
    return {**SHARED, **own}


def contract(make: Callable[[], Configured], questions: Sequence[Any] | None = None) -> Callable[..., None]:
    """Return a pytest test that holds what `make()` returns to the contract of its role, one case per sentence.

    `make` is called anew whenever a check needs a fresh instance. `questions` replaces the entries, texts or videos
    that the kit asks about, for a source that can only answer some; the kit's videos are small clips that it writes.
    """
    import pytest

    checks = checks_for(make().role)

    @pytest.mark.parametrize("check", list(checks.values()), ids=list(checks))
    def keeps_the_contract(check: Check) -> None:
        with tempfile.TemporaryDirectory(prefix="maxi-contract-") as folder:
            asked = questions_for(make().role, Path(folder)) if questions is None else list(questions)
            check(Subject(make, asked, Path(folder)))

    return keeps_the_contract
