"""What the `verbs` augmenter knows of English: inflection, clauses from rules, clauses from a spaCy pipeline."""

import hashlib
from importlib.resources import files


def digest() -> str:
    """Return a digest of this package, code and word lists: what decides the answers besides models and libraries."""
    parts = sorted((part for part in files(__name__).iterdir() if part.is_file()), key=lambda part: part.name)
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()
