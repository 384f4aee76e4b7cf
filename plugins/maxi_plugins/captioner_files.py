"""The files of a captioner as transformers' `save_pretrained` writes them: in a folder, or on the hub."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.hidden import is_hidden

Precision = Literal["fp32", "bf16"]

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
FILES = f"config.json, {WEIGHTS[0]}, preprocessor_config.json, tokenizer.json and what else its tokenizer has"
PATTERNS = ["*.json", "*.txt", "*.jinja", "*.model", "model*.safetensors"]


def absolute(model: str) -> str:
    """Return the name of a model, as an absolute path if it begins as a path does."""
    return str(Path(model).expanduser().absolute()) if model.startswith((".", "/", "~")) else model


def captioner_folder(label: str, model: str, revision: str | None) -> Path:
    """Return the folder with a captioner's files, fetched if `model` is a name on the hub and they are not here yet.

    Errors name the option by the source's `label`. Raises UsageError for a folder without them, MaxiError if they
    cannot be fetched.
    """
    path = Path(model).expanduser()
    folder = path if path.is_dir() or model.startswith((".", "/", "~")) else _fetched(label, model, revision)
    if not folder.is_dir():
        what = "it is a file and no folder" if folder.is_file() else "there is no such folder"
        raise UsageError(f"captioner '{model}': {what}", "name a folder that save_pretrained wrote")
    missing = ["config.json"] if not (folder / "config.json").is_file() else []
    missing += [WEIGHTS[0]] if not any((folder / name).is_file() for name in WEIGHTS) else []
    if missing:
        raise UsageError(
            f"captioner '{model}' is without {' and '.join(missing)}",
            "it needs what save_pretrained writes, with weights in safetensors",
        )
    return folder


def _fetched(label: str, name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        what = f"captioner '{name}'" + (f" at revision '{revision}'" if revision else "")
        raise UsageError(f"{what} is no folder here, and the hub does not have it: {reason(error)}") from None
    except Exception as error:  # the hub client raises its own, the HTTP client's and OSError
        included = " ".join(f"--include '{pattern}'" for pattern in PATTERNS)
        raise MaxiError(
            f"captioner '{name}' is not here and cannot be fetched: {FILES} ({reason(error)})",
            f"unset HF_HUB_OFFLINE and go online, or bring them: `hf download {name} {included} --local-dir DIR`"
            f" elsewhere, then type -o {label}.model=DIR",
        ) from error


def captioner_identity(folder: Path) -> str:
    """Return the SHA-256 of a captioner's files, weights included, whatever their folder is called."""
    digest = hashlib.sha256()
    for file in sorted(_kept(folder), key=lambda file: file.name):
        digest.update(f"\n{file.name} {file.stat().st_size}\n".encode())
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _kept(folder: Path) -> Iterator[Path]:
    for pattern in PATTERNS:
        yield from (file for file in folder.glob(pattern) if file.is_file() and not is_hidden(file.name))


def reason(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
