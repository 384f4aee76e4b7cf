"""Direct objects by rules: the noun phrase after a main verb."""

from maxi_plugins.english.clauses import Thing
from maxi_plugins.english.lexicon import Lexicon
from maxi_plugins.english.tagging import Tagged


class Objects:
    """Finds what stands after a verb: particle, object, further objects."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lists = lexicon.lists

    def of(self, at: Tagged, place: int) -> tuple[Thing, ...]:
        """Return the direct objects of the main verb at `place`."""
        first = place + 1
        particle = self._is_particle(at, place, first) and at.tags[first + 1] in "DANR"
        start = first + particle
        end, noun = self._phrase(at, start)
        if not end:
            return ()
        if at.lemmas[place] in self.lists["gives"]:  # of two objects, what is given
            given, thing = self._phrase(at, end)
            if given:
                start, end, noun = end, given, thing
        before = [at.written[first]] if particle else []
        found = [_thing(before + at.written[start:end], noun)]
        closes = at.tags[end + 1] not in "DANR" and at.words[end + 1].text != "of"
        if closes and self._is_particle(at, place, end):  # takes a hat off
            return (_thing([*at.written[start : end + 1]], noun),)
        while at.tags[end] == "C":
            start = end + 1
            end, noun = self._phrase(at, start)
            if not end or at.tags[end] in "VX":  # the next clause begins: holding a ball and a woman watches
                break
            found.append(_thing(before + at.written[start:end], noun))
        return tuple(found)

    def _is_particle(self, at: Tagged, verb: int, place: int) -> bool:
        return at.tags[place] in "PB" and f"{at.lemmas[verb]} {at.words[place].text}" in self.lists["particle verb"]

    def _phrase(self, at: Tagged, start: int) -> tuple[int, str]:
        """Return the end of the noun phrase at `start`, 0 if there is none, and its head noun, "" for a pronoun."""
        if at.tags[start] == "R":
            return start + 1, ""
        if at.words[start].text == "each" and at.words[start + 1].text == "other":
            return start + 2, ""
        end, noun = _plain_phrase(at, start)
        if end and at.words[end].text == "of":
            end = end + 2 if at.tags[end + 1] == "R" else _plain_phrase(at, end + 1)[0] or end
        return end, noun


def _plain_phrase(at: Tagged, start: int) -> tuple[int, str]:
    place = start
    while at.tags[place] in "DA" or (at.tags[place] == "C" and at.tags[place - 1 : place + 2 : 2] == ["A", "A"]):
        place += 1  # a black and white dress
    first = place
    while at.tags[place] == "N" or (place > first and at.tags[place] == "A" and at.tags[place + 1] == "N"):
        place += 1
    return (place, at.written[place - 1]) if place > first else (0, "")


def _thing(words: list[str], noun: str) -> Thing:
    return Thing(" ".join(words), noun)
