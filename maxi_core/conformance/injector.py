"""What every injector keeps: a dictionary goes in, a dictionary comes out, the same one each time."""

from collections.abc import Callable

from maxi_core.conformance import Subject
from maxi_core.conformance.questions import plain_augment
from maxi_core.sources import Injector
from maxi_core.types import Dictionary


def _injected(subject: Subject) -> Dictionary:
    source = subject.make()
    assert isinstance(source, Injector), f"{type(source).__name__} is no Injector"
    return source.inject(Dictionary("kit", tuple(subject.questions)), plain_augment)


def gives_a_dictionary(subject: Subject) -> None:
    """The new dictionary is one: named, not empty, its entries unique, stripped and not empty."""
    new = _injected(subject)
    assert isinstance(new, Dictionary), f"{new!r} is not a Dictionary"
    assert new.name.strip(), "the new dictionary has no name"
    assert new.entries, "the new dictionary is empty"
    assert len(set(new.entries)) == len(new.entries), "the new dictionary has an entry twice"
    for entry in new.entries:
        assert entry, "an entry is empty"
        assert entry == entry.strip(), f"{entry!r} is not stripped"


def same_twice(subject: Subject) -> None:
    """A new instance with the same options makes the same dictionary."""
    first, second = _injected(subject), _injected(subject)
    assert first == second, f"first {first}, then {second}"


def named_for_what_was_done(subject: Subject) -> None:
    """A dictionary that was changed has another name, so that no result can be taken for the unchanged one's."""
    new = _injected(subject)
    assert new.entries == tuple(subject.questions) or new.name != "kit", "it changed the entries and kept the name"


INJECTOR: dict[str, Callable[[Subject], None]] = {
    "it gives a dictionary of unique, stripped entries": gives_a_dictionary,
    "it makes the same dictionary twice": same_twice,
    "a dictionary that it changed has another name": named_for_what_was_done,
}
