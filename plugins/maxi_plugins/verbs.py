"""`verbs`: the verbs and verb phrases of captions and phrases, as lemma and gerund (SPEC section 3)."""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

import maxi_core
from maxi_core import Augmenter, Failed, Form, hookimpl
from maxi_core.texts import tidy
from maxi_core.types import FormKind

if TYPE_CHECKING:
    from maxi_plugins.english.clauses import Clause, Reader

RULES = "rules"


class Verbs(Augmenter):
    """Find the main verbs of a text, each as lemma and gerund, with verb and object, or with the object noun."""

    name = "verbs"

    class Options(maxi_core.Options):
        """Which pipeline reads the texts, and which forms are taken."""

        model: str = Field(
            "en_core_web_sm",
            description="spaCy pipeline: the name of an installed one, a folder (with a slash), 'sandbox', "
            "or 'rules' for none",
        )
        forms: tuple[FormKind, ...] = Field(
            ("verb", "verb-phrase"), min_length=1, description="the forms taken of each text"
        )
        processes: int = Field(1, ge=1, le=256, description="processes that read texts, for files of many captions")

        EFFORT = ("processes",)

        @field_validator("model")
        @classmethod
        def _absolute(cls, model: str) -> str:
            return str(Path(model).expanduser().absolute()) if "/" in model or "\\" in model else model

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        """Yield the forms of each text, in order of their verbs; raises UsageError at once if the model is unusable.

        A verb gives its lemma and its gerund; a verb phrase is the gerund with its object as written; a noun is the
        head noun of an object. Texts are made fit as everywhere (`maxi_core.texts.tidy`), a blank one has no forms.
        """
        return self._answers(self._reader, texts)

    def fingerprint(self) -> dict[str, str]:
        """Return what besides the options decides the answers: the rules, the libraries, the pipeline's files.

        Neither spaCy nor a model is loaded for it. Raises UsageError if the pipeline is not there.
        """
        from maxi_plugins.english import digest

        identity = {"english": digest(), "pyinflect": version("pyinflect")}
        if self.options.model == RULES:
            return identity
        from maxi_plugins.english.pipeline import pipeline_folder, pipeline_identity

        folder = pipeline_folder(self.options.model)
        return identity | {"spacy": version("spacy")} | pipeline_identity(folder)

    @cached_property
    def _reader(self) -> "Reader":
        if self.options.processes == 1:
            return _reader_of(self.options.model)
        if self.options.model != RULES:  # what is not there is said here and not by another process
            from maxi_plugins.english.pipeline import pipeline_folder

            pipeline_folder(self.options.model)
        from maxi_plugins.english.crowd import Crowd

        return Crowd(_reader_of, self.options.model, self.options.processes)

    def _answers(self, reader: "Reader", texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for clauses in reader.read(tidy(text) for text in texts):
            yield clauses if isinstance(clauses, Failed) else self._forms(clauses)

    def _forms(self, clauses: list["Clause"]) -> list[Form]:
        from maxi_plugins.english.inflection import gerund

        found: dict[str, Form] = {}
        for clause in clauses:
            # Without a gerund the lemma stands alone (SPEC section 3), unless the text itself has it: "breadcrumbing".
            doing = gerund(clause.lemma) or (clause.written if clause.written.endswith("ing") else None)
            for form in _forms(clause, doing, self.options.forms):
                found.setdefault(form.text, form)
        return list(found.values())


def _forms(clause: "Clause", doing: str | None, kinds: Collection[FormKind]) -> Iterator[Form]:
    if "verb" in kinds:
        yield from _verb_forms(clause.lemma, doing)
    for thing in clause.things:
        if "verb-phrase" in kinds:
            yield Form(f"{doing or clause.written} {thing.text}", "verb-phrase", clause.lemma)
        if "noun" in kinds and thing.noun:
            yield Form(thing.noun.lower(), "noun", thing.noun.lower())


def _reader_of(model: str) -> "Reader":
    if model == RULES:
        from maxi_plugins.english.rules import Rules

        return Rules()
    from maxi_plugins.english.pipeline import Pipeline, pipeline_folder

    return Pipeline(pipeline_folder(model))


@lru_cache(10_000)
def _verb_forms(lemma: str, doing: str | None) -> tuple[Form, ...]:
    return (Form(lemma, "verb", lemma), *((Form(doing, "verb", lemma),) if doing else ()))


@hookimpl
def maxi_register_sources() -> Iterable[type[Augmenter]]:
    """Offer `verbs`."""
    return [Verbs]
