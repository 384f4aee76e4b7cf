"""Whether the answers of a batch sit at their questions: the first batch is asked again in another order."""

from collections.abc import Callable, Sequence
from json import dumps
from random import Random
from threading import Lock
from typing import TypeVar

from maxi_core.errors import PluginError
from maxi_core.system.store import Store
from maxi_core.types import Failed

Item = TypeVar("Item")
Ask = Callable[[list[Item]], Sequence[object]]  # items -> their answers as they are kept, or Failed

FEW = 4  # items


class OrderCheck:
    """Looks once for each source and fingerprint in a store, at the first batch in which something can be seen."""

    def __init__(self, name: str, store: Store, batch: int) -> None:
        self._name, self._shelf, self._lock = name, store, Lock()
        self._seen = batch == 1 or store.checked

    def look(self, heard: Sequence[tuple[Item, object]], ask: Ask[Item]) -> None:
        """Look at a batch before it is kept; raises PluginError for answers that belong to other questions."""
        if self._seen:
            return
        with self._lock:
            seen, found = (True, False) if self._seen else moved(heard, ask)
            self._seen = seen and not found  # else each later batch is refused, too
        if found:
            raise PluginError(
                f"source '{self._name}' mixes up the answers of a batch: one item got the answer of another; none "
                f"is kept in {self._shelf.folder}",
                f"mend the plugin (one answer for each item, in order), or leave it out: --without {self._name}",
            )

    def remember(self) -> None:
        """Write down that the order was seen to be right, once an answer is kept."""
        if self._seen:
            self._shelf.mark_checked()


def moved(heard: Sequence[tuple[Item, object]], ask: Ask[Item]) -> tuple[bool, bool]:
    """Return whether the order could be seen, and whether answers have moved.

    `heard` are the items of a batch with their first answers. An item is at fault only if its answer in the other order
    is not its own first one, is another item's, and a second asking agrees; so a source that says something new each
    time is none. Few items are asked one by one: in another order, two that are swapped are swapped again.
    """
    sound = [(item, dumps(answer)) for item, answer in heard if not isinstance(answer, Failed)]
    if len({answer for _, answer in sound}) < 2:
        return False, False
    Random(0).shuffle(sound)  # noqa: S311 (an order, not a secret)
    first = [answer for _, answer in sound]
    items = [item for item, _ in sound]
    groups = [items] if len(items) > FEW else [[item] for item in items]
    again = _answers(groups, ask)
    if not any(new != old and new in first for new, old in zip(again, first, strict=True)):
        return True, False
    return True, again == _answers(groups, ask)


def _answers(groups: list[list[Item]], ask: Ask[Item]) -> list[str]:
    said = [answer for group in groups for answer in ask(group)]
    return ["Failed" if isinstance(answer, Failed) else dumps(answer) for answer in said]
