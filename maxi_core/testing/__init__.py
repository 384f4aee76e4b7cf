"""The contract kit for plugin authors: one line in a test holds a source, temporal module, objective or engine to it.

    from maxi_core.testing import contract
    test_synonyms = contract(Synonyms)

Each check is a case of that test, named as the sentence that must hold. `clip` and `unreadable` write small videos for
an author's own tests.
"""

from maxi_core.testing.contract import contract
from maxi_core.testing.subject import clip, unreadable

__all__ = ["clip", "contract", "unreadable"]
