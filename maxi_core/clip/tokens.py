"""From texts to the token ids that a CLIP reads, with what had to be cut or taken out."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.model_rules import (
    FLAG,
    LABEL,
    PLACE,
    Rule,
    check,
    dumped,
    not_here,
    own_file,
    read_own_bytes,
    read_table,
    words,
)
from maxi_core.errors import UsageError, nearest
from maxi_core.texts import tidy

if TYPE_CHECKING:
    from torch import Tensor

# Beyond any 77 tokens that open_clip's vocabulary can make of a text in words, and short enough for its merges, whose
# time grows with the square of a word's length.
LONGEST = 2000


@dataclass(frozen=True)
class Tokens:
    """Token ids of `n` texts, `ids` (n, context length) int64, as open_clip's tokenizers give them.

    `truncated` are the places of texts that were longer than the context, `stripped` of those that had the name of a
    special token in them, which was taken out.
    """

    ids: "Tensor"
    truncated: tuple[int, ...] = ()
    stripped: tuple[int, ...] = ()


def tokenize(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    """Return the tokens of `texts`, those of open_clip's `tokenizer(texts)` for every text without special tokens.

    `<start_of_text>` and `<end_of_text>` written in a text, in any case or as HTML entities, would become special
    tokens and move the pooled position, so they are taken out. A text is cut to the context length, its end-of-text
    token kept.
    """
    from open_clip.tokenizer import SimpleTokenizer

    if isinstance(tokenizer, SimpleTokenizer) and tokenizer.reduction_fn is None:
        return _simple(tokenizer, texts)
    return _foreign(tokenizer, texts)


def _simple(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    import torch

    length, special = tokenizer.context_length, frozenset(tokenizer.all_special_ids)
    ids = torch.zeros(len(texts), length, dtype=torch.int64)
    truncated, stripped = [], []
    for row, text in enumerate(texts):
        said = tokenizer.encode(tidy(text, LONGEST))
        kept = [token for token in said if token not in special]
        if len(kept) < len(said):
            stripped.append(row)
        if len(kept) > length - 2:
            truncated.append(row)
        framed = [tokenizer.sot_token_id, *kept[: length - 2], tokenizer.eot_token_id]
        ids[row, : len(framed)] = torch.tensor(framed)
    return Tokens(ids, tuple(truncated), tuple(stripped))


def _foreign(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    """Tokenize with a tokenizer that gives padded ids only: special tokens are taken out of the text itself."""
    names = getattr(getattr(tokenizer, "tokenizer", None), "all_special_tokens", [])
    special = re.compile("|".join(map(re.escape, names)) or r"(?!)", re.IGNORECASE)
    cleaned = [tidy(text, LONGEST) for text in texts]
    without = [_without(special, text) for text in cleaned]
    stripped = tuple(row for row, text in enumerate(cleaned) if special.search(text))
    ids = tokenizer(without)
    pad = tokenizer([""])[0, -2]
    # One place more holds one token more of exactly those texts that do not fit.
    longer = tokenizer(without, context_length=ids.shape[1] + 1)
    truncated = (longer != pad).sum(dim=1) > (ids != pad).sum(dim=1)
    return Tokens(ids, tuple(truncated.nonzero()[:, 0].tolist()), stripped)


def _without(special: re.Pattern[str], text: str) -> str:
    while special.search(text):  # taking one out may put another together
        text = special.sub(" ", text)
    return text


# Tokenizers: open_clip's own, that of an architecture it knows, or files that lie with the weights, never code.
# transformers would import Python that lies beside a tokenizer if its files or a configuration say so. Here it gets a
# folder with four known files and nothing else, their settings checked, and is told to run nothing.

TOKENIZER = "tokenizer.json"  # all of it, as the tokenizers library writes it
SETTINGS, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
BESIDE = "tokenizer"  # the folder in a checkpoint
OWN = f"./{BESIDE}"  # what maxi.json calls it

# Those that open_clip's architectures have, and the plain reader of tokenizer.json under its names.
CLASSES = (
    *(
        "PreTrained",
        "Bert",
        "Roberta",
        "XLMRoberta",
        "T5",
        "MT5",
        "Nllb",
        "Gemma",
        "CLIP",
        "DistilBert",
        "GPT2",
        "Llama",
    ),
    *("Electra", "MPNet", "Albert", "XLNet", "Bart", "MBart", "Deberta", "DebertaV2"),
)


@dataclass(frozen=True)
class Tokenizing:
    """Where a tokenizer is from: `files` by name, an `architecture` of open_clip, or neither: open_clip's own one."""

    architecture: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def record(self) -> str | None:
        """What a checkpoint's maxi.json says of it."""
        return OWN if self.files else self.architecture or None

    def make(self, text: Mapping[str, Any]) -> Any:
        """Return open_clip's tokenizer for a text_cfg that has been checked; raises what open_clip raises."""
        import open_clip
        from open_clip.tokenizer import HFTokenizer

        if self.architecture:
            return open_clip.get_tokenizer(self.architecture, **_safe(self.architecture))
        length, options = text.get("context_length") or 77, text.get("tokenizer_kwargs") or {}
        if not self.files:
            return open_clip.SimpleTokenizer(context_length=length, **options)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files.items():
                (Path(folder) / name).write_bytes(content)
            return HFTokenizer(
                folder,
                context_length=length,
                tokenizer_mode=text.get("tokenizer_mode"),
                trust_remote_code=False,
                local_files_only=True,
                **options,
            )

    def written(self, tokenizer: Any) -> dict[str, bytes]:
        """Return the files of `tokenizer`, open_clip's over transformers as `make` returned it, by name."""
        if self.files:
            return dict(self.files)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.tokenizer.save_pretrained(folder)
            return read_tokenizer(Path(folder))


def of_architecture(name: str) -> Tokenizing:
    """Return what an architecture of open_clip reads texts with."""
    import open_clip

    config = open_clip.get_model_config(name)
    not_here(config, "hf_tokenizer_name", "hf_model_name")
    named = "hf_tokenizer_name" in config["text_cfg"] or "siglip" in name.lower()
    return Tokenizing(name if named else "")


def of_folder(folder: Path, config: Mapping[str, Any]) -> Tokenizing:
    """Return the tokenizer of an export folder; raises UsageError if it needs files that are not there or not right."""
    return Tokenizing(files=read_tokenizer(folder)) if config["text_cfg"].get("hf_tokenizer_name") else Tokenizing()


def of_checkpoint(folder: Path, path: Path, recorded: Any, config: Mapping[str, Any]) -> Tokenizing:
    """Return the tokenizer that a checkpoint's description `path` names: nothing, an architecture, or `./tokenizer`.

    Raises UsageError for anything else, whose files may be anywhere and anybody's.
    """
    import open_clip

    if recorded == OWN:
        return Tokenizing(files=read_tokenizer(own_folder(folder)))
    if not recorded and not config["text_cfg"].get("hf_tokenizer_name"):
        return Tokenizing()
    known = open_clip.list_models()
    if recorded in known:
        return of_architecture(recorded)
    near = nearest(recorded, known) if isinstance(recorded, str) else ""
    raise UsageError(
        f"{path}: tokenizer may not be {repr(recorded)[:200]}{near}",
        f'allowed: "{OWN}" with {TOKENIZER} in that folder of the checkpoint, or an architecture of open_clip',
    )


def own_folder(folder: Path) -> Path:
    """Return the folder of a checkpoint's tokenizer; raises UsageError if it is a link out of the checkpoint."""
    beside = folder / BESIDE
    if beside.is_symlink():
        raise UsageError(f"{beside} is a link", "put the folder itself there")
    return beside


def read_tokenizer(folder: Path) -> dict[str, bytes]:
    """Return the files of a tokenizer by name, the settings without what maxi does not use.

    Raises UsageError for a folder without tokenizer.json, for files that lead out of the folder and for settings that
    name code.
    """
    if not (folder / TOKENIZER).is_file():
        raise UsageError(
            f"{folder} has no {TOKENIZER}, which its tokenizer needs", "write it with transformers' save_pretrained"
        )
    found = {TOKENIZER: read_own_bytes(folder, TOKENIZER)}
    for name, kept in ((SETTINGS, _settings), (SPECIAL, _special), (ADDED, _added)):
        if (folder / name).is_symlink() or (folder / name).exists():
            own_file(folder, name)
            found[name] = dumped(kept(folder / name, read_table(folder, name)))
    return found


def _settings(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that maxi hands on; what names code is refused, other notes are left out."""
    for key in ("auto_map", "trust_remote_code"):
        if table.get(key):
            raise UsageError(
                f"{path} sets {key}: its tokenizer is code of its own, which maxi does not run",
                "use a model whose tokenizer is in tokenizer.json",
            )
    kept = {key: value for key, value in table.items() if key in SETTING_RULES}
    check(path, "", kept, SETTING_RULES)
    return kept | _special(path, table)


def _special(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the special tokens of a table."""
    kept = {key: value for key, value in table.items() if key.endswith("_token") and isinstance(value, str | dict)}
    kept |= {key: table[key] for key in ("additional_special_tokens", "extra_special_tokens") if key in table}
    check(path, "", kept, dict.fromkeys(kept, TOKEN_OR_TOKENS))
    return kept


def _added(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    number = Rule("a whole number", lambda value: isinstance(value, int))
    check(path, "", table, dict.fromkeys(table, number))
    return dict(table)


def _token(value: Any) -> bool:
    """Whether a value is a token: its text, or a table of its text and switches."""
    if isinstance(value, dict):
        switches = {"lstrip", "rstrip", "normalized", "single_word", "special"}
        return isinstance(value.get("content"), str) and all(
            (key in ("content", "__type") and isinstance(one, str)) or (key in switches and isinstance(one, bool))
            for key, one in value.items()
        )
    return isinstance(value, str)


def _tokens(value: Any) -> bool:
    if isinstance(value, dict) and not _token(value):
        return all(map(_token, value.values()))
    return all(map(_token, value)) if isinstance(value, list) else _token(value)


def _numbered(value: Any) -> bool:
    return isinstance(value, dict) and all(key.isdecimal() and _token(one) for key, one in value.items())


def _known_class(name: str) -> bool:
    return re.sub(r"(?<=.)Tokenizer(Fast)?$", "", name) in CLASSES and name not in CLASSES


def _safe(architecture: str) -> dict[str, Any]:
    """Return what tells transformers to run no code; open_clip's own tokenizers know no such word."""
    import open_clip

    named = open_clip.get_model_config(architecture)["text_cfg"].get("hf_tokenizer_name")
    return {"trust_remote_code": False} if named else {}


TOKEN_OR_TOKENS = Rule("a token or a list of tokens", _tokens)
SETTING_RULES = {
    "tokenizer_class": Rule(
        "a tokenizer of transformers that open_clip's models use",
        lambda value: value == "TokenizersBackend" or (isinstance(value, str) and _known_class(value)),
    ),
    **dict.fromkeys(("padding_side", "truncation_side"), words("left", "right")),
    "model_max_length": Rule("a number", lambda value: isinstance(value, int | float)),  # often 1e30: no end
    "extra_ids": PLACE,
    **dict.fromkeys(("clean_up_tokenization_spaces", "do_lower_case", "strip_accents", "tokenize_chinese_chars"), FLAG),
    **dict.fromkeys(("add_prefix_space", "trim_offsets", "legacy", "add_bos_token", "add_eos_token"), FLAG),
    **dict.fromkeys(("legacy_behaviour", "split_special_tokens", "spaces_between_special_tokens"), FLAG),
    **dict.fromkeys(("src_lang", "tgt_lang", "errors"), LABEL),
    "added_tokens_decoder": Rule("a table of numbered tokens", _numbered),
}
