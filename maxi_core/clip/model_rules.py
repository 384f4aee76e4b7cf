"""What a model's configuration may say: a list of what is allowed, key by key, and a check against it.

open_clip hands these values on: to transformers, which may import Python that lies beside a tokenizer or load a model
from any folder or from the hub, to timm, which loads `local-dir:` and `hf-hub:` models, to `gzip.open` and to nltk's
downloads. So a configuration that somebody else wrote may hold shapes, switches and names that are known, and no more.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError
from maxi_core.system.files import refuse_unreadable

LARGEST = 2**31  # of whole numbers


@dataclass(frozen=True)
class Rule:
    """What one value may be: `holds` decides, `says` is for the message."""

    says: str
    holds: Callable[[Any], bool]


Rules = Mapping[str, Rule]


def whole(value: Any, least: int = 1) -> bool:
    """Whether a value is a whole number from `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def number(value: Any) -> bool:
    """Whether a value is a plain, finite number."""
    return whole(value, -LARGEST) or (isinstance(value, float) and isfinite(value))


def triple(value: Any, least: float = 0) -> bool:
    """Whether a value is three plain numbers from `least`: one each of red, green and blue."""
    return isinstance(value, list | tuple) and len(value) == 3 and all(number(one) and one >= least for one in value)


def words(*names: str) -> Rule:
    """Return the rule of a value that is one of some words."""
    return Rule("one of " + ", ".join(name or "''" for name in names), lambda value: value in names)


def table(rules: Rules) -> Rule:
    """Return the rule of a value that is a table of its own."""

    def holds(value: Any) -> bool:
        return isinstance(value, dict) and all(key in rules and rules[key].holds(one) for key, one in value.items())

    return Rule("a table of " + ", ".join(f"{key} ({rule.says})" for key, rule in rules.items()), holds)


def check(path: Path, place: str, values: Mapping[str, Any], rules: Rules) -> None:
    """Raise UsageError for the first value that its rule does not allow, and for a key without a rule.

    `place` is what stands before the keys in a message, such as `model_cfg.`; null is always allowed.
    """
    for key, value in values.items():
        if key not in rules:
            raise UsageError(f"{path}: {place}{_key(key)} is not allowed", f"allowed: {', '.join(rules)}")
        if value is not None and not rules[key].holds(value):
            raise UsageError(f"{path}: {place}{key} may not be {repr(value)[:80]}", f"allowed: {rules[key].says}")


def _key(key: str) -> str:
    return key[:80] if key.isprintable() and key else repr(key)[:80]


FLAG = Rule("true or false", lambda value: isinstance(value, bool))
COUNT = Rule("a whole number from 1", whole)
COUNTS = Rule(
    "a whole number from 1, or a list of them",
    lambda value: whole(value) or (isinstance(value, list | tuple) and 0 < len(value) <= 8 and all(map(whole, value))),
)
PLACE = Rule("a whole number from 0", lambda value: whole(value, 0))
NUMBER = Rule("a number", number)
LABEL = Rule("a name", lambda value: isinstance(value, str) and len(value) <= 200 and value.isprintable())
EPSILON = table({"eps": NUMBER})
APPROXIMATE = table({"approximate": words("none", "tanh")})

# `reduction_mask: syntax` would have nltk download something, and `bpe_path` names a file.
TOKENIZER = table(
    {
        "clean": words("canonicalize", "lower", "whitespace"),
        "strip_sep_token": FLAG,
        "language": Rule("a language", lambda value: isinstance(value, str) and bool(re.fullmatch(r"\w{1,20}", value))),
    }
)

BLOCK: Rules = {
    "block_type": words("default", "custom"),
    **dict.fromkeys(("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn"), FLAG),
    **dict.fromkeys(("scale_fc", "output_tokens", "final_ln_after_pool"), FLAG),
    **dict.fromkeys(("mlp_ratio", "ls_init_value"), NUMBER),
    "act_kwargs": APPROXIMATE,
    "norm_kwargs": EPSILON,
}

PREPROCESS: Rules = {
    "size": COUNTS,
    "mode": words("RGB"),
    "mean": Rule("three numbers", triple),
    "std": Rule("three numbers above 0", lambda value: triple(value) and min(value) > 0),
    "interpolation": words("bicubic", "bilinear", "nearest", "random"),
    "resize_mode": words("shortest", "longest", "squash"),
    "fill_color": Rule("a number or three", lambda value: number(value) or triple(value)),
}

MULTIMODAL: Rules = {
    **BLOCK,
    **dict.fromkeys(
        ("context_length", "vocab_size", "width", "heads", "layers", "dim_head", "n_queries", "attn_pooler_heads"),
        COUNT,
    ),
}


def vision_rules() -> Rules:
    """Return the rules of a vision_cfg. A timm model is one that the installed timm has by name."""
    return {
        **BLOCK,
        **dict.fromkeys(("layers", "patch_size", "image_size"), COUNTS),
        **dict.fromkeys(("width", "head_width", "attn_pooler_queries", "attn_pooler_heads"), COUNT),
        "patch_dropout": NUMBER,
        "attentional_pool": Rule("true or false", lambda value: value in (True, False, "parallel", "cascade")),
        "no_ln_pre": FLAG,
        "pos_embed_type": words("learnable", "sin_cos_2d"),
        "pool_type": words("tok", "avg", "none"),
        "timm_model_name": Rule("the name of a model that timm has, without a source before it", _in_timm),
        "timm_model_pretrained": FLAG,  # open_clip sets it anew: the weights are the folder's
        "timm_pool": Rule(
            "the name of a pooling", lambda value: value == "" or (isinstance(value, str) and value.isidentifier())
        ),
        "timm_proj": words("", "linear", "mlp", "none"),
        "timm_proj_bias": FLAG,
        **dict.fromkeys(("timm_drop", "timm_drop_path"), NUMBER),
    }


def text_rules() -> Rules:
    """Return the rules of a text_cfg. `hf_tokenizer_name` only says that the tokenizer is not open_clip's own."""
    return {
        **BLOCK,
        **dict.fromkeys(("context_length", "vocab_size", "width", "heads", "layers"), COUNT),
        **dict.fromkeys(("pad_id", "eos_id"), PLACE),
        **dict.fromkeys(("embed_cls", "no_causal_mask", "proj_bias"), FLAG),
        "pool_type": words("argmax", "eos", "first", "last", "none"),
        "proj_type": words("linear", "none"),
        "hf_tokenizer_name": LABEL,
        "tokenizer_mode": words("clips"),
        "tokenizer_kwargs": TOKENIZER,
        "hf_model_name": words(*_text_models()),
        "hf_model_pretrained": FLAG,  # open_clip sets it anew: the weights are the folder's
        "hf_proj_type": words("linear", "mlp"),
        "hf_pooler_type": words("cls_last_hidden_state_pooler", "cls_pooler", "max_pooler", "mean_pooler"),
    }


def model_rules() -> Rules:
    """Return the rules of a model_cfg but for its tables vision_cfg, text_cfg and multimodal_cfg."""
    return {
        "embed_dim": COUNT,
        **dict.fromkeys(("quick_gelu", "custom_text", "nonscalar_logit_scale"), FLAG),
        **dict.fromkeys(("init_logit_scale", "init_logit_bias"), NUMBER),
        "pad_id": PLACE,
        **dict.fromkeys(
            ("vision_cfg", "text_cfg", "multimodal_cfg"), Rule("a table", lambda value: isinstance(value, dict))
        ),
    }


def check_model(
    path: Path, config: Any, preprocess: Any, place: tuple[str, str] = ("model_cfg", "preprocess_cfg")
) -> None:
    """Raise UsageError, with file, key and what is allowed, unless a model's configuration says only what it may.

    `config` is open_clip's model_cfg and `preprocess` its preprocess_cfg (None: not there), as read from `path`, where
    they are called as `place` says.
    """
    named = {place[0]: config, place[1]: {} if preprocess is None else preprocess}
    for name, value in named.items():
        if not isinstance(value, dict):
            raise UsageError(f"{path} is no configuration of open_clip", f"it needs a table {name}")
    check(path, f"{place[0]}.", config, model_rules())
    for key in ("embed_dim", "vision_cfg", "text_cfg"):
        if config.get(key) is None:
            raise UsageError(f"{path} is no configuration of open_clip", f"it needs {key} in {place[0]}")
    check(path, f"{place[0]}.vision_cfg.", config["vision_cfg"], vision_rules())
    check(path, f"{place[0]}.text_cfg.", config["text_cfg"], text_rules())
    check(path, f"{place[0]}.multimodal_cfg.", config.get("multimodal_cfg") or {}, MULTIMODAL)
    check(path, f"{place[1]}.", named[place[1]], PREPROCESS)
    not_here(config)


def not_here(config: Mapping[str, Any], *keys: str) -> None:
    """Raise UsageError where a name of the hub is also a folder here, which transformers would read in its place."""
    for key in keys or ("hf_model_name",):
        name = config["text_cfg"].get(key)
        if name and Path(name).exists():
            raise UsageError(
                f"'{name}' lies in this folder, and transformers would read it in place of the hub's", "rename it"
            )


@cache
def _text_models() -> tuple[str, ...]:
    """Return the text towers of transformers that open_clip's own architectures name."""
    import open_clip

    texts = [open_clip.get_model_config(arch)["text_cfg"] for arch in open_clip.list_models()]
    return tuple(sorted({text["hf_model_name"] for text in texts if text.get("hf_model_name")}))


def _in_timm(name: Any) -> bool:
    import timm

    return isinstance(name, str) and bool(re.fullmatch(r"\w+(\.\w+)?", name)) and timm.is_model(name)


# Files of a model folder or a checkpoint, read as data: they lie in the folder itself, and nothing in them is run.

LARGEST_FILE = 4 << 20  # bytes of a configuration; open_clip's own have about 1,000


def own_file(folder: Path, name: str) -> Path:
    """Return the file `name` of a folder, links followed; raises UsageError for one that leads out of the folder.

    The snapshots of the Hugging Face cache may link to the blobs beside them, which belong to the same model.
    """
    path = folder / name
    try:
        root, target = folder.resolve(), path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a loop is a RuntimeError
        raise UsageError(f"{path} cannot be read: {error}", "name another model") from None
    allowed = [root, root.parent.parent / "blobs"] if root.parent.name == "snapshots" else [root]
    if not any(target.is_relative_to(place) for place in allowed):
        raise UsageError(f"{path} leads out of its folder, to {target}", "put the file itself there")
    if not target.is_file():
        raise UsageError(f"{path} is no file", "name another model")
    refuse_unreadable(path)
    return target


def read_table(folder: Path, name: str) -> dict[str, Any]:
    """Return the JSON table in a file of a folder; raises UsageError with the file's name for anything else."""
    path, file = folder / name, own_file(folder, name)
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path} is larger than {LARGEST_FILE:,} bytes", "a description of a model is small")
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        why = str(error).partition("\n")[0][:200]
        raise UsageError(f"{path} is no JSON that can be read: {why}", "name another model") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply", "name another model") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no JSON table", "name another model")
    return found


def read_own_bytes(folder: Path, name: str) -> bytes:
    """Return the content of a file of a folder; raises UsageError if it cannot be read or leads out."""
    try:
        return own_file(folder, name).read_bytes()
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror or error}", "name another model") from None


def dumped(table: Mapping[str, Any]) -> bytes:
    """Return a table as the JSON that is written beside weights."""
    return (json.dumps(table, indent=2) + "\n").encode()
