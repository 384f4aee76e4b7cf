"""The reader that asks a spaCy pipeline: verbs by part of speech, objects by the parse."""

import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError
from maxi_core.system.files import parsed_json
from maxi_core.system.hidden import is_hidden
from maxi_core.texts import has_words
from maxi_core.types import Failed
from maxi_plugins.english.clauses import Clause, Thing
from maxi_plugins.english.inflection import lemma_of

BATCH = 256
_PROBE = "A man is holding a ball."

# Labels of the two annotation schemes that English pipelines come with: ClearNLP's (en_core_web_*) and UD's.
_AUXILIARY = {"aux", "auxpass", "aux:pass", "cop"}
_IN_FRONT_OF_A_NOUN = {"amod", "compound"}
_OBJECT = {"dobj", "obj"}
_PARTICLE = {"prt", "compound:prt"}


def pipeline_folder(model: str) -> Path:
    """Return the folder of a pipeline named by package or path, without importing spaCy.

    Raises UsageError in one line if it is not there.
    """
    if "/" in model or "\\" in model:
        return _existing(Path(model))
    found = find_spec(model) if model.isidentifier() else None
    if found is None or found.origin is None:
        raise UsageError(
            f"verbs.model: the spaCy pipeline '{model}' is not installed",
            f"get it with `python -m spacy download {model}`, or do without by -o verbs.model=rules",
        )
    package = Path(found.origin).parent
    meta = _meta(package)
    return _existing(package / f"{meta.get('lang')}_{meta.get('name')}-{meta.get('version')}")


def _existing(folder: Path) -> Path:
    _meta(folder)
    return folder


def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta = parsed_json((folder / "meta.json").read_text("utf-8"))
    except (OSError, ValueError):
        meta = None
    if not isinstance(meta, dict):
        raise UsageError(
            f"verbs.model: no spaCy pipeline in '{folder}' (no meta.json that can be read)",
            "name the folder that `nlp.to_disk` wrote, or use -o verbs.model=rules",
        )
    return meta


def pipeline_identity(folder: Path) -> dict[str, str]:
    """Return name, version, language and a digest of all files of a pipeline, without loading it."""
    meta = _meta(folder)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = path.relative_to(folder)
        if any(map(is_hidden, inside.parts)):
            continue
        digest.update(inside.as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {
        "pipeline": f"{meta.get('lang', '')}_{meta.get('name', '')}",
        "pipeline_version": str(meta.get("version", "")),
        "pipeline_sha256": digest.hexdigest(),
    }


class Pipeline:
    """Reads texts with the spaCy pipeline in a folder; raises UsageError if that cannot tell the verbs of English."""

    def __init__(self, folder: Path) -> None:
        import spacy

        try:
            self._nlp = spacy.load(folder)
        except (OSError, ValueError, ImportError) as error:
            raise UsageError(
                f"verbs.model: spaCy cannot load '{folder}': {' '.join(str(error).split())}",
                "get a pipeline of the installed spaCy, or use -o verbs.model=rules",
            ) from error
        _check(self._nlp, folder)

    def read(self, texts: list[str]) -> list[list[Clause] | Failed]:
        """Return the clauses of each text; a text that breaks a component of the pipeline is Failed."""
        starts = range(0, len(texts), BATCH)
        return [answer for start in starts for answer in self._answers(texts[start : start + BATCH])]

    def _answers(self, batch: Sequence[str]) -> list[list[Clause] | Failed]:
        try:
            return [_clauses(doc) for doc in self._nlp.pipe(batch, batch_size=BATCH)]
        except Exception as error:  # a component may raise anything, and only its text shall fail
            if len(batch) == 1:
                return [Failed(f"the spaCy pipeline raised {type(error).__name__}: {error}")]
            return [answer for text in batch for answer in self._answers([text])]


def _check(nlp: Any, folder: Path) -> None:
    if nlp.lang != "en":
        raise UsageError(
            f"verbs.model: the spaCy pipeline '{folder}' is of language '{nlp.lang}', and only English is inflected",
            "name an English pipeline, or use -o verbs.model=rules",
        )
    if not any(token.pos_ for token in nlp(_PROBE)):
        components = ", ".join(nlp.pipe_names) or "none"
        raise UsageError(
            f"verbs.model: the spaCy pipeline '{folder}' tags no parts of speech (components: {components}), "
            "so it would find no verbs",
            "name a pipeline with a tagger, such as en_core_web_sm, or use -o verbs.model=rules",
        )


def _clauses(doc: Any) -> list[Clause]:
    return [
        Clause(lemma, token.lower_, tuple(_things(token)))
        for token in doc
        if token.pos_ == "VERB"
        and has_words(token.text)  # small pipelines take a comma that stands alone for a verb
        and token.dep_ not in _AUXILIARY | _IN_FRONT_OF_A_NOUN
        and (lemma := lemma_of(token.lower_, token.lemma_.lower())) != "be"
    ]


def _things(verb: Any) -> Iterator[Thing]:
    particles = [child for child in verb.children if child.dep_ in _PARTICLE]
    for child in verb.children:
        if child.dep_ in _OBJECT and child.i > verb.i:
            yield _thing(child, particles)
            for other in child.conjuncts:
                if other.pos_ != "VERB":
                    yield _thing(other, [one for one in particles if one.i < child.i])


def _thing(head: Any, particles: list[Any]) -> Thing:
    """Return an object from the first word of its subtree to its head, with an "of" part right after that."""
    doc, end = head.doc, head.i + 1
    if end < len(doc) and doc[end].lower_ == "of":
        # UD hangs "of" on the noun it leads in, ClearNLP the noun on "of".
        inside = [token for token in head.subtree if token.i > end and token.head.i in (head.i, end)]
        end = inside[0].i + 1 if inside else end
    start = head.left_edge.i
    while start < head.i and doc[start].pos_ in ("CCONJ", "PUNCT"):  # UD hangs "and" on the conjunct that it leads in
        start += 1
    before = [one.text for one in particles if one.i < start]
    after = [one.text for one in particles if one.i >= end]
    noun = head.text if head.pos_ in ("NOUN", "PROPN") else ""
    return Thing(" ".join([*before, doc[start:end].text, *after]), noun)
