"""Models that nobody vouches for: a canary among their files, tokenizers and checkpoints with anything in them."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from maxi_core.clip.loading import load_model
from maxi_core.errors import MaxiError
from maxi_core.training.checkpoint import about_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Canary:
    """Python that writes `marker` when it runs."""

    marker: Path

    def put(self, folder: Path) -> None:
        code = f"open({str(self.marker)!r}, 'w').close()\nclass Evil:\n    pass\n"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("evil.py", "tokenizer.py", "__init__.py"):
            (folder / name).write_text(code)

    def pickled(self) -> bytes:
        class Pickled:
            def __reduce__(inner) -> tuple[Any, ...]:  # noqa: N805 (self is the canary)
                return open, (str(self.marker), "w")

        return pickle.dumps(Pickled())

    def silent(self) -> bool:
        return not self.marker.exists()


def words(folder: Path, **settings: Any) -> Path:
    """Write a tokenizer of seven words into a folder, with more `settings`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    known = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "run", "jump", "high"]
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(known)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    merge(folder / "tokenizer_config.json", settings)
    return folder


def merge(path: Path, more: dict[str, Any]) -> None:
    """Set what `more` says in a JSON file."""
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | more))


def refused(name: Path | str, canary: Canary, *says: str) -> str:
    """Load a model that must be refused in one line without having run anything; return the line."""
    with pytest.raises(MaxiError) as caught:
        load_model(str(name), "cpu", frames=2)
    line = str(caught.value)
    assert canary.silent()
    assert "\n" not in line
    assert len(line) < 3000
    for part in says:
        assert part in line
    return line


def checkpoint_of(model: Path, run: Path) -> Path:
    loaded = load_model(str(model), "cpu", frames=2)
    files = loaded.tokenizing.files
    return save_checkpoint(run, "x", loaded.weights(), about_checkpoint(loaded, {"step": 1}), tokenizer=files)
