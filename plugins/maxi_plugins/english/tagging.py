"""Parts of speech by rules: which words of a text are its main verbs, by word lists and word order.

One pass from left to right; each word is decided from what it can be (lexicon.py), the decisions before it, and a look
at the next word. Letters: D determiner, A modifier, N noun, R pronoun, V main verb, X auxiliary, T the "to" of an
infinitive, P preposition or particle, B adverb, C conjunction, S opener of a clause, "," punctuation.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from maxi_plugins.english.lexicon import Lexicon, Word

_APOSTROPHE = "\u2019"
_TOKEN = re.compile(rf"\w+(?:['{_APOSTROPHE}-]\w+)*|[^\w\s]")
_END = Word("", ",")
_START = "^"


@dataclass(slots=True)
class Tagged:
    """The words of a text and what was decided of them; the lists of words end in two empty ones to look ahead to."""

    written: list[str]
    words: list[Word]
    tags: list[str] = field(default_factory=list)
    lemmas: dict[int, str] = field(default_factory=dict)  # of the main verbs, by position
    before: str = _START  # the last tag that is no adverb
    single: bool = False  # whether the noun phrase at hand began with "a" or the like
    head: Word = _END  # the last noun or pronoun
    verb: tuple[str, str] = ("", "")  # lemma and Penn tag of the last main verb
    auxiliary: str = ""  # the last auxiliary


Rule: TypeAlias = Callable[[Tagged, int, Word], str]


class Tagger:
    """Tags texts; holds nothing but the lexicon, so one serves any number of texts."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.lists = lexicon.lists
        self._rules: dict[str, Rule] = {  # for a word that may be a verb, by what stands before it
            "T": self._after_to, "X": self._after_auxiliary, _START: self._at_the_start, "C": self._after_and,
            ",": self._after_and, "N": self._after_noun, "R": self._after_noun, "S": self._after_opener,
            "V": self._after_verb,
        }  # fmt: skip

    def tag(self, text: str) -> Tagged:
        """Return the words of a text with their parts of speech."""
        written = _TOKEN.findall(text)
        lowered = [word.lower().replace(_APOSTROPHE, "'") for word in written]
        words = list(map(self.lexicon.look_up, lowered))
        at = Tagged(written, [*words, _END, _END, _END])
        for place, word in enumerate(words):
            self._note(at, place, word, word.always or self._decide(at, place, word))
        at.tags += [",", ","]
        return at

    def _note(self, at: Tagged, place: int, word: Word, decided: str) -> None:
        letter = decided[0]
        at.tags.append(letter)
        if letter == "B":
            return
        at.before = letter
        if letter in "NR":
            at.head = word
        elif letter == "D":
            at.single = word.text in self.lists["singular"]
        elif letter != "A":
            at.single = False
            if letter == "V":
                penn = decided[2:]  # a main verb comes with its Penn tag
                lemma = at.lemmas[place] = word.lemmas[penn]
                at.verb = (lemma, penn)
            elif letter == "X":
                at.auxiliary = word.text

    def _decide(self, at: Tagged, place: int, word: Word) -> str:
        if word.closed == "H":
            return self._have_or_do(at, place, word)
        if word.text == "like":
            return "V VB" if at.before in "TR" or (at.before == "X" and at.auxiliary not in self.lists["be"]) else "P"
        if word.closed:
            return self._closed(at, place, word)
        if "VBG" in word.lemmas:
            return self._gerund(at, place, word)
        decided = self._verb(at, place, word) if word.lemmas else ""
        if decided:
            return decided
        return "A" if self._modifies(at, place, word) else "N"

    def _modifies(self, at: Tagged, place: int, word: Word) -> bool:
        if word.text in self.lists["participle adjective"]:
            return True
        if word.adjective:  # "an orange" is a thing, "an orange and black cat" is not
            following = at.words[place + 1]
            goes_on = following.closed == "C" or following.text.endswith("'s") or self._nominal(at, place + 1)
            return at.before not in "DA" or goes_on
        return "VBN" in word.lemmas and "VB" not in word.lemmas and self._nominal(at, place + 1)

    def _nominal(self, at: Tagged, place: int) -> bool:
        """Whether a noun, or what may stand in front of one, is at `place`."""
        word = at.words[place]
        if word.closed or "VBG" in word.lemmas:
            return False
        if "VBN" in word.lemmas and "VB" not in word.lemmas:  # fried eggs
            return place + 1 < len(at.words) and self._nominal(at, place + 1)
        return word.noun or word.adjective

    # Closed classes

    def _closed(self, at: Tagged, place: int, word: Word) -> str:
        following = at.words[place + 1]
        if word.text == "her":
            return "D" if self._nominal(at, place + 1) or "VBG" in following.lemmas else "R"
        if word.text == "to":
            acts = following.common or at.before == _START or at.words[place + 2].text in self.lists["object opener"]
            return "T" if "VB" in following.lemmas and acts and at.words[place - 1].text != "next" else "P"
        if word.text == "that":
            return "S" if at.before == "N" else "D"
        if word.text == "can" and at.before in "DA":
            return "N"
        return word.closed

    def _have_or_do(self, at: Tagged, place: int, word: Word) -> str:
        following = at.words[place + 1]
        if following.text in ("not", "been") or "'" in word.text:
            return "X"
        if word.text in self.lists["have"]:
            helps = ("VBN" in following.lemmas or following.closed == "B") and word.text != "having"
        else:
            helps = "VB" in following.lemmas and not following.noun and word.text in ("do", "does", "did")
        if helps:
            return "X"
        return "V " + next(tag for tag in ("VBG", "VBZ", "VBN", "VBD", "VB") if tag in word.lemmas)

    # Words in -ing

    def _gerund(self, at: Tagged, place: int, word: Word) -> str:
        lists, following = self.lists, at.words[place + 1]
        if word.text in lists["not gerund"]:
            return "N"
        if f"{word.text} {following.text}" in lists["household"]:
            return "A"
        nominal = self._nominal(at, place + 1)
        if at.before in "DA" and at.tags[-1] != "B":
            return self._gerund_in_noun_phrase(at, word, nominal)
        if self._names_a_thing(at, place, word, nominal):
            return "A" if nominal else "N"
        return "V VBG"

    def _gerund_in_noun_phrase(self, at: Tagged, word: Word, nominal: bool) -> str:
        if nominal:
            return "A"
        determined = at.before == "D" or at.single or word.text in self.lists["made thing"]
        return "N" if determined else "V VBG"

    def _names_a_thing(self, at: Tagged, place: int, word: Word, nominal: bool) -> bool:
        """Whether a word in -ing that is not in a noun phrase so far is part of a name ("climbing wall")."""
        lists, following = self.lists, at.words[place + 1]
        if word.text in lists["made thing"]:
            alone = (
                not following.text and "D" not in at.tags
            )  # "brush painting" names an action, "an oil painting" a thing
            made = following.closed in ("P", "X", ",", "C") and at.before in ("N", "P", "C", _START)
            if made and not alone and not (at.before == "N" and at.head.animate):
                return True
        if at.before in ("P", "N") and following.text in lists["compound head"] and not at.head.animate:
            return True
        # "crawling baby": who does it comes after the verb, if the verb takes no object
        return at.before in (_START, "P") and following.animate and word.lemmas["VBG"] in lists["intransitive"]

    # Other verb forms

    def _verb(self, at: Tagged, place: int, word: Word) -> str:
        """Return "V" with a Penn tag if a word that may be a verb is one here, else an empty string."""
        rule = self._rules.get(at.before)
        tag = rule(at, place, word) if rule else ""
        return f"V {tag}" if tag else ""

    def _after_to(self, at: Tagged, place: int, word: Word) -> str:
        return "VB" if "VB" in word.lemmas else ""

    def _after_auxiliary(self, at: Tagged, place: int, word: Word) -> str:
        if at.auxiliary in self.lists["be"] or at.auxiliary in self.lists["have"]:
            used = "VBN" in word.lemmas and word.text not in self.lists["participle adjective"]
            return "VBN" if used and not word.adjective else ""
        return "VB" if "VB" in word.lemmas and word.common else ""

    def _at_the_start(self, at: Tagged, place: int, word: Word) -> str:
        """Decide the first word of a text: an imperative ("spin around"), or a noun ("race track")."""
        following, lists = at.words[place + 1], self.lists
        if "VBN" in word.lemmas and "VB" not in word.lemmas:
            return "VBN" if following.closed == "P" else ""
        tag = "VB" if "VB" in word.lemmas else "VBZ" if "VBZ" in word.lemmas else ""
        if following.text in lists["object opener"]:  # no noun stands in front of "the", so any verb is one
            return tag if word.common or not word.animate else ""
        if not word.common:
            return ""
        if word.adjective:  # "dry off with a towel", but "close up of a hand"
            return tag if following.text in lists["particle"] and not self._is_noun_pair(at, place) else ""
        if following.closed in ("D", "R"):
            return tag
        sure = tag == "VB" or not word.noun or following.closed == "B" or following.adjective  # jumps high
        return tag if sure and self._is_imperative(at, place, word) else ""

    def _is_imperative(self, at: Tagged, place: int, word: Word) -> bool:
        """Whether a verb at the start is an imperative and neither a noun nor a part of one."""
        following, after = at.words[place + 1], at.words[place + 2]
        if "VBG" in following.lemmas:  # "keep running", but "sky diving"
            return any(lemma in self.lists["goes on"] for lemma in word.lemmas.values())
        if "VBG" in after.lemmas and self._nominal(at, place + 1) and not at.words[place + 3].text:
            return False  # snatch weight lifting
        return not word.noun or self._acts(at, place, word)

    def _acts(self, at: Tagged, place: int, word: Word) -> bool:
        """Whether a word at the start that may be a noun is a verb, by what follows it."""
        following, after = at.words[place + 1], at.words[place + 2]
        if following.text == "of" or self._is_noun_pair(at, place):
            return False
        if following.closed in (",", "C"):  # "push and pull", but "bat and ball"
            return not word.thing and after.common and not after.thing and after.lemmas.get("VB") == after.text
        if following.closed == "P":
            return not word.thing or (following.text in self.lists["way"] and bool(after.text))
        if following.adjective:  # "jump high", "sip hot tea", but "store front"
            return not word.thing or self._nominal(at, place + 2)
        return following.closed == "B" or self._takes(at, place, word)

    def _takes(self, at: Tagged, place: int, word: Word) -> bool:
        """Whether a bare noun after a verb at the start is its object ("lift weights"; not "race track")."""
        thing, after, lists = at.words[place + 1], at.words[place + 2], self.lists
        if not self._nominal(at, place + 1) or thing.text in lists["compound head"] | lists["compound end"]:
            return False
        many = thing.text in lists["mass noun"] or (thing.text.endswith("s") and not thing.text.endswith("ss"))
        if not word.thing:
            return many or word.text not in lists["no object"]  # "lift weights", "bend knees", but "bow tie"
        return many and after.closed in ("P", "B")

    def _is_noun_pair(self, at: Tagged, place: int) -> bool:
        """Whether verb and particle name an exercise or a picture ("push up", "close up of a hand")."""
        pair, after = f"{at.words[place].text} {at.words[place + 1].text}", at.words[place + 2]
        return pair in self.lists["noun pair"] and (after.text == "of" or after.closed == ",")

    def _after_and(self, at: Tagged, place: int, word: Word) -> str:
        last, following = at.verb[1], at.words[place + 1]
        if not word.common or last not in word.lemmas or last not in ("VB", "VBZ", "VBD"):
            return ""
        return last if following.closed or not word.noun else ""

    def _after_opener(self, at: Tagged, place: int, word: Word) -> str:
        return next((tag for tag in ("VBZ", "VBD", "VB") if tag in word.lemmas and word.common), "")

    def _after_verb(self, at: Tagged, place: int, word: Word) -> str:
        if "VBN" in word.lemmas and "VB" not in word.lemmas:
            got = at.verb[0] in ("get", "see") and word.text not in self.lists["participle adjective"]
            return "VBN" if got or at.words[place + 1].closed == "P" else ""
        return "VB" if at.verb[0] in ("help", "let") and "VB" in word.lemmas and word.common else ""

    def _after_noun(self, at: Tagged, place: int, word: Word) -> str:
        if "VBZ" in word.lemmas and word.common:
            subject = at.head.animate or at.single or at.head.text == "it"
            return "VBZ" if subject or not word.noun else ""
        if ("VBN" in word.lemmas or "VBD" in word.lemmas) and (tag := self._past(at, place, word)):
            return tag
        return self._plain(at, word) if "VB" in word.lemmas and word.common else ""

    def _past(self, at: Tagged, place: int, word: Word) -> str:
        tag, following = "VBD" if "VBD" in word.lemmas else "VBN", at.words[place + 1]
        if word.text in self.lists["participle adjective"]:
            return ""
        if word.text in self.lists["thing done"] and at.verb[0] in ("have", "get"):
            return tag
        if word.text in self.lists["noun or past"]:
            return tag if at.head.animate and following.closed in ("D", "R", "P") else ""
        return tag if following.closed or at.head.animate or not self._nominal(at, place + 1) else ""

    def _plain(self, at: Tagged, word: Word) -> str:
        head = at.head
        if (head.animate or head.closed) and at.verb[0] in self.lists["causes"]:
            return "VB"
        plural = head.text in self.lists["plural pronoun"] or (head.text.endswith("s") and not at.single)
        joined = "C" in at.tags and not at.verb[0]  # a man and a woman shake hands
        many = head.animate and (
            plural or joined or head.text in ("people", "men", "women", "children", "couple", "crowd")
        )
        direct = plural and at.tags[-1] == "R"  # as you jump
        return "VB" if many or direct or (plural and not word.noun) else ""
