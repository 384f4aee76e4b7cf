"""`verbs`: the verbs and verb phrases of captions and phrases, as lemma and gerund (supplement Fig. 6)."""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator

import maxi_core
from maxi_core import Augmenter, Failed, Form, WorldPath, hookimpl
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

        model: Annotated[str, WorldPath("pipeline", words=(RULES,))] = Field(
            "en_core_web_sm",
            description="spaCy pipeline: the name of an installed one, a folder (with a slash), the name of a world, "
            "or 'rules' for none",
        )
        forms: tuple[FormKind, ...] = Field(
            ("verb", "verb-phrase"), min_length=1, description="the forms taken of each text"
        )

        @field_validator("model")
        @classmethod
        def _absolute(cls, model: str) -> str:
            return str(Path(model).expanduser().absolute()) if "/" in model or "\\" in model else model

    def open(self) -> None:
        """Load the pipeline or the rules; raises UsageError if the pipeline is not there or cannot tell verbs."""
        _ = self._reader

    def close(self) -> None:
        """Let go of the pipeline."""
        self.__dict__.pop("_reader", None)

    def augment(self, texts: list[str]) -> list[list[Form] | Failed]:
        """Return the forms of each text, in order of their verbs.

        A verb gives its lemma and its gerund; a verb phrase is the gerund with its object as written; a noun is the
        head noun of an object. Texts are made fit as everywhere (`maxi_core.texts.tidy`), a blank one has no forms.
        """
        read = self._reader.read([tidy(text) for text in texts])
        return [clauses if isinstance(clauses, Failed) else self._forms(clauses) for clauses in read]

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
        if self.options.model == RULES:
            from maxi_plugins.english.rules import Rules

            return Rules()
        from maxi_plugins.english.pipeline import Pipeline, pipeline_folder

        return Pipeline(pipeline_folder(self.options.model))

    def _forms(self, clauses: list["Clause"]) -> list[Form]:
        from maxi_plugins.english.inflection import gerund

        found: dict[str, Form] = {}
        for clause in clauses:
            # Without a gerund the lemma stands alone, unless the text itself has it: "breadcrumbing".
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


@lru_cache(10_000)
def _verb_forms(lemma: str, doing: str | None) -> tuple[Form, ...]:
    return (Form(lemma, "verb", lemma), *((Form(doing, "verb", lemma),) if doing else ()))


@hookimpl
def maxi_register_sources() -> Iterable[type[Augmenter]]:
    """Offer `verbs`."""
    return [Verbs]
