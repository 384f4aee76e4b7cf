"""What every injector keeps: a dictionary goes in, a dictionary comes out, the same one each time."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from maxi_core.errors import MaxiError
from maxi_core.plugin.roles import Augment, Injector, Source
from maxi_core.testing.effects import seed_all, unsettle, watched
from maxi_core.testing.process import injected_elsewhere
from maxi_core.testing.subject import Subject, plain_augment, shown
from maxi_core.texts import counted
from maxi_core.types import Dictionary, Form


def _inject(source: Source, dictionary: Dictionary, augment: Augment = plain_augment) -> Dictionary:
    assert isinstance(source, Injector), f"{type(source).__name__} is no Injector"
    return source.inject(dictionary, augment)


def _injected(subject: Subject, dictionary: Dictionary | None = None, augment: Augment = plain_augment) -> Dictionary:
    source = subject.source()
    source.open()
    try:
        return _inject(source, dictionary or _given(subject), augment)
    finally:
        source.close()


def _given(subject: Subject) -> Dictionary:
    return Dictionary("kit", tuple(subject.questions))


def gives_a_dictionary(subject: Subject) -> None:
    """The new dictionary is one: named, not empty, its entries a tuple of texts, unique, stripped, on one line."""
    check_dictionary(_injected(subject))


def check_dictionary(new: object) -> None:
    """Raise AssertionError unless this is a dictionary as files and results can hold it."""
    assert isinstance(new, Dictionary), f"inject() returned {shown(new)}, which is not a Dictionary"
    assert isinstance(new.name, str), f"the new dictionary's name is {new.name!r}, which is not a string"
    assert new.name.strip(), "the new dictionary has no name"
    assert new.name == new.name.strip(), f"the name {shown(new.name)} is not stripped"
    assert new.name.isprintable(), f"the name {shown(new.name)} is not one plain line"
    assert not {"/", "\\"} & set(new.name), f"the name {shown(new.name)} looks like a path, and files are named by it"
    assert isinstance(new.entries, tuple), f"its entries are a {type(new.entries).__name__}: make them a tuple"
    assert new.entries, "the new dictionary is empty"
    for entry in new.entries:
        assert isinstance(entry, str), f"the entry {entry!r} is not a string"
        assert entry, "an entry is empty"
        assert entry == entry.strip(), f"the entry {entry!r} is not stripped"
        assert len(entry.splitlines()) == 1, f"the entry {entry!r} is more than one line"
    twice = [entry for place, entry in enumerate(new.entries) if entry in new.entries[:place]]
    assert not twice, f"the new dictionary has {shown(twice[0] if twice else '')} twice: add only what it has not"


def same_twice(subject: Subject) -> None:
    """The same instance and a new one make the same dictionary, whatever the global seeds, in another process too."""
    first = _injected(subject)
    source = subject.source()
    source.open()
    for turn, seed in (("again", 1), ("with other global random seeds", 2)):
        seed_all(seed)
        other = _inject(source, _given(subject))
        assert first == other, f"{turn} it makes another dictionary: {_apart(first, other)}"
    source.close()
    elsewhere = injected_elsewhere(subject, _given(subject))
    assert first == elsewhere, (
        f"in another process, with another PYTHONHASHSEED, it makes another dictionary: {_apart(first, elsewhere)} "
        "(sets have another order there)"
    )


def _apart(one: Dictionary, other: Dictionary) -> str:
    """Say where two dictionaries differ."""
    if one.name != other.name:
        return f"'{one.name}', then '{other.name}'"
    for place, (first, second) in enumerate(zip(one.entries, other.entries, strict=False)):
        if first != second:
            return f"entry {place} is {shown(first)}, then {shown(second)}"
    return f"{counted(len(one.entries), 'entry')}, then {len(other.entries)}"


def named_for_what_was_done(subject: Subject) -> None:
    """A dictionary that was changed has another name, so that no result can be taken for the unchanged one's."""
    given = _given(subject)
    new = _injected(subject, given)
    if new.entries == given.entries:
        return
    assert new.name != given.name, f"it changed the entries and kept the name '{given.name}'"
    other = _injected(subject, replace(given, name="another"))
    assert other.name != new.name, f"dictionaries of other names both become '{new.name}': begin it with the old name"


def leaves_what_it_was_given(subject: Subject) -> None:
    """The dictionary that it was given stays as it is, and so does the process."""
    given = _given(subject)
    before = Dictionary(given.name, tuple(given.entries))
    for first in (True, False):  # the first time may import
        unsettle(4242)
        with watched(first=first):
            _injected(subject, given)
    assert (given.name, given.entries) == (before.name, before.entries), (
        f"it changed the dictionary that it was given into {shown(given)}: make a new Dictionary"
    )


def asks_the_augmenter_for_texts(subject: Subject) -> None:
    """The augmenter gets texts, and may find something in all, some or none of them."""

    def strict(texts: Iterable[str]) -> list[list[Form]]:
        assert not isinstance(texts, str), f"it gave the augmenter {texts!r}: give a list of texts"
        texts = list(texts)
        for text in texts:
            assert isinstance(text, str), f"it gave the augmenter {shown(text)}, which is no text"
        return plain_augment(texts)

    def blind(texts: Iterable[str]) -> list[list[Form]]:
        return [[] for _ in texts]

    for what, augment in (("", strict), (" that finds nothing", blind)):
        try:
            check_dictionary(_injected(subject, None, augment))
        except AssertionError as error:
            raise AssertionError(f"with an augmenter{what}: {error}") from error
        except MaxiError:
            continue
        except Exception as error:
            raise AssertionError(
                f"with an augmenter{what} it raised {type(error).__name__}: {error}; return the dictionary as it is, "
                "or raise maxi_core.UsageError(problem, fix)"
            ) from error


def takes_any_dictionary(subject: Subject) -> None:
    """A dictionary of one entry, of other scripts, and one that it has made itself are as good as others."""
    made = _injected(subject)
    for given in (
        Dictionary("one", ("waving",)),
        Dictionary("other scripts", ("لعب الكرة", "crème brûlée making")),
        made,
    ):
        try:
            check_dictionary(_injected(subject, given))
        except MaxiError:
            continue
        except Exception as error:
            if isinstance(error, AssertionError):
                raise AssertionError(f"given {shown(given)}: {error}") from error
            raise AssertionError(f"given {shown(given)} it raised {type(error).__name__}: {error}") from error


INJECTOR: dict[str, Callable[[Subject], None]] = {
    "it gives a dictionary of unique, stripped entries": gives_a_dictionary,
    "it makes the same dictionary twice": same_twice,
    "a dictionary that it changed has another name": named_for_what_was_done,
    "it leaves the dictionary and the process as they were": leaves_what_it_was_given,
    "it asks the augmenter for texts": asks_the_augmenter_for_texts,
    "it takes any dictionary": takes_any_dictionary,
}
