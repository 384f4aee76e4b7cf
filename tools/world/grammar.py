"""Sentences with known parses: captions and phrases grown as trees, from which a tagger and a parser learn."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tools.world.lexicon import (
    ADJECTIVES,
    ADVERBS,
    DETERMINERS,
    MASS,
    NUMBERS,
    PARTICLES,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    Verb,
    plural,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word in its tree: Penn tag, universal part of speech, lemma, relation to its head, and what hangs on it."""

    text: str
    tag: str
    pos: str
    lemma: str
    relation: str = "ROOT"
    before: tuple["Word", ...] = ()
    after: tuple["Word", ...] = ()

    def under(self, relation: str) -> "Word":
        """Return the same tree, hanging on its head by `relation`."""
        return replace(self, relation=relation)

    def joined(self, *after: "Word") -> "Word":
        """Return the same tree with more hanging on it to the right."""
        return replace(self, after=self.after + after)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as columns; `heads` are positions in the sentence, the root's its own."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    pos: list[str] = field(default_factory=list)
    lemmas: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)


def flatten(root: Word) -> Sentence:
    """Return the words of a tree in their order."""
    sentence = Sentence()
    _lay(root, sentence)
    return sentence


def _lay(word: Word, sentence: Sentence) -> int:
    left = [_lay(child, sentence) for child in word.before]
    place = len(sentence.words)
    sentence.words.append(word.text)
    sentence.tags.append(word.tag)
    sentence.pos.append(word.pos)
    sentence.lemmas.append(word.lemma)
    sentence.relations.append(word.relation)
    sentence.heads.append(place)
    right = [_lay(child, sentence) for child in word.after]
    for child in left + right:
        sentence.heads[child] = place
    return place


@dataclass(frozen=True, slots=True)
class Speaker:
    """Grows random trees from the nouns, people and verbs that it knows."""

    verbs: Sequence[Verb]
    nouns: Sequence[str]
    people: Sequence[str]
    rng: np.random.Generator

    def _chance(self, share: float) -> bool:
        return bool(self.rng.uniform() < share)

    def _one(self, words: Sequence[str]) -> str:
        return words[int(self.rng.integers(len(words)))]

    def _verb(self) -> Verb:
        return self.verbs[int(self.rng.integers(len(self.verbs)))]

    def thing(self, relation: str, plain: bool = False) -> Word:
        """Return a noun phrase: determiner, adjective, compound, at times a prepositional phrase after it."""
        noun = self._one(self.nouns)
        before: list[Word] = []
        many = noun not in MASS and self._chance(0.25)
        kind = self.rng.uniform()
        if kind < 0.45 and not many:
            word = self._one(DETERMINERS)
            before.append(Word(word, "DT", "DET", word, "det"))
        elif kind < 0.75:
            word = self._one(POSSESSIVES)
            before.append(
                Word(word, "DT", "DET", word, "det") if word == "the" else Word(word, "PRP$", "PRON", word, "poss")
            )
        elif many and kind < 0.85:
            word = self._one(NUMBERS)
            tag, pos, how = ("JJ", "ADJ", "amod") if word == "several" else ("CD", "NUM", "nummod")
            before.append(Word(word, tag, pos, word, how))
        elif kind > 0.94:
            owner = self.actor("poss")
            before.append(owner.joined(Word("'s", "POS", "PART", "'s", "case")))
        if self._chance(0.25):
            word = self._one(ADJECTIVES)
            before.append(Word(word, "JJ", "ADJ", word, "amod"))
        if self._chance(0.12):
            word = self._one(self.nouns)
            before.append(Word(word, "NN", "NOUN", word, "compound"))
        head = Word(plural(noun) if many else noun, "NNS" if many else "NN", "NOUN", noun, relation, tuple(before))
        return head if plain or not self._chance(0.15) else head.joined(self.place("of" if self._chance(0.4) else ""))

    def place(self, preposition: str = "") -> Word:
        """Return a prepositional phrase."""
        word = preposition or self._one(PREPOSITIONS)
        if self._chance(0.04):
            return Word(word, "IN", "ADP", word, "prep", (), (Word("each", "DT", "DET", "each", "det"),))
        return Word(word, "IN", "ADP", word, "prep", (), (self.thing("pobj", plain=True),))

    def actor(self, relation: str = "nsubj", many: bool = False) -> Word:
        """Return who acts: a pronoun, or a person with a determiner."""
        if not many and relation == "nsubj" and self._chance(0.12):
            word = self._one(PRONOUNS)
            return Word(word, "NN" if word == "someone" else "PRP", "PRON", word, relation)
        noun = self._one(self.people)
        if many:
            word = self._one(NUMBERS)
            left = () if self._chance(0.4) else (
                Word(word, "JJ", "ADJ", word, "amod") if word == "several" else Word(word, "CD", "NUM", word, "nummod"),
            )  # fmt: skip
            return Word(plural(noun), "NNS", "NOUN", noun, relation, left)
        word = self._one(["a", "a", "the", "one"])
        first = Word(word, "CD", "NUM", word, "nummod") if word == "one" else Word(word, "DT", "DET", word, "det")
        if self._chance(0.25):
            word = self._one(ADJECTIVES)
            return Word(noun, "NN", "NOUN", noun, relation, (first, Word(word, "JJ", "ADJ", word, "amod")))
        return Word(noun, "NN", "NOUN", noun, relation, (first,))

    def deed(self, form: str, relation: str = "ROOT", depth: int = 0) -> Word:
        """Return a verb phrase: `form` is its verb's Penn tag; the rest is object, particle, places, a second deed."""
        verb = self._verb()
        text = {"VBG": verb.gerund, "VBZ": verb.third, "VB": verb.lemma, "VBP": verb.lemma, "VBD": verb.past}[form]
        after: list[Word] = []
        particle = self._chance(0.12)
        if particle:
            word = self._one(PARTICLES)
            after.append(Word(word, "RP", "ADP", word, "prt"))
        if verb.transitive and self._chance(0.88):
            after.append(self._object())
        elif verb.transitive and not particle and self._chance(0.3):
            word = self._one(ADVERBS)
            after.append(Word(word, "RB", "ADV", word, "advmod"))
        for share in (0.4, 0.15):
            if self._chance(share):
                after.append(self.place())
        if self._chance(0.12):
            word = self._one(ADVERBS)
            after.append(Word(word, "RB", "ADV", word, "advmod"))
        head = Word(text, form, "VERB", verb.lemma, relation, (), tuple(after))
        return head if depth > 0 or not self._chance(0.3) else self._continued(head, form)

    def _object(self) -> Word:
        if self._chance(0.06):
            return Word("other", "JJ", "ADJ", "other", "dobj", (Word("each", "DT", "DET", "each", "det"),))
        if self._chance(0.05):
            word = self._one(["it", "them", "him", "something", "oneself"])
            return Word(word, "NN" if word == "something" else "PRP", "PRON", word, "dobj")
        return self.thing("dobj")

    def _continued(self, head: Word, form: str) -> Word:
        kind = self.rng.uniform()
        if kind < 0.6:
            return head.joined(Word("and", "CC", "CCONJ", "and", "cc"), self.deed(form, "conj", 1))
        if kind < 0.8:
            purpose = self.deed("VB", "advcl", 1)
            return head.joined(replace(purpose, before=(Word("to", "TO", "PART", "to", "aux"), *purpose.before)))
        return head.joined(self.deed("VBG", "advcl", 1))

    def phrase(self) -> Word:
        """Return a phrase as a language model describes an action: a gerund and what belongs to it, or a bare verb."""
        kind = self.rng.uniform()
        if kind < 0.08:
            verb = self._verb()
            return Word(verb.lemma, "VB", "VERB", verb.lemma)
        if kind < 0.16:
            verb = self._verb()
            return Word(verb.gerund, "VBG", "VERB", verb.lemma)
        return self.deed("VBG" if kind < 0.9 else "VB")

    def caption(self) -> Word:
        """Return a caption: a person doing something, with or without an auxiliary, or a picture of something."""
        kind = self.rng.uniform()
        if kind < 0.4:
            return self._titled(self.actor("ROOT", many=self._chance(0.25)))
        if kind < 0.6:
            many = self._chance(0.3)
            return self._doing(self.actor(many=many), "are" if many else "is", "VBP" if many else "VBZ")
        if kind < 0.8:
            many = self._chance(0.3)
            deed = self.deed("VBP" if many else "VBZ" if self._chance(0.9) else "VBD")
            return replace(deed, before=(self.actor(many=many),))
        return self._picture() if kind < 0.92 else self._there()

    def _titled(self, who: Word) -> Word:
        after = (self.place(),) if self._chance(0.12) else ()
        return who.joined(*after, self.deed("VBG", "acl")) if self._chance(0.9) else who.joined(self.place())

    def _doing(self, who: Word, be: str, tag: str) -> Word:
        deed = self.deed("VBG")
        return replace(deed, before=(who, Word(be, tag, "AUX", "be", "aux")))

    def _picture(self) -> Word:
        word = self._one(["picture", "photo", "video", "drawing", "close up", "painting"])
        up = (Word("close", "JJ", "ADJ", "close", "amod"),) if word == "close up" else ()
        text = "up" if up else word
        what = self._titled(self.actor("pobj", many=self._chance(0.3))) if self._chance(0.5) else self.thing("pobj")
        if self._chance(0.5) and what.tag != "NN":
            what = replace(what, after=(self.deed("VBG", "acl"),))
        of = Word("of", "IN", "ADP", "of", "prep", (), (what,))
        return Word(text, "NN", "NOUN", text, "ROOT", (Word("a", "DT", "DET", "a", "det"), *up), (of,))

    def _there(self) -> Word:
        there = Word("there", "EX", "PRON", "there", "expl")
        who = self.actor("attr")
        who = who.joined(self.deed("VBG", "acl")) if self._chance(0.6) else who
        return Word("is", "VBZ", "VERB", "be", "ROOT", (there,), (who, self.place()))
