"""One text feature per dictionary entry, the mean over templates: computed once and kept on disk (paper Eq. 1)."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.clip.model import VideoCLIP, check_finite
from maxi_core.clip.textual import encode_text
from maxi_core.clip.tokens import Tokens
from maxi_core.errors import MaxiError
from maxi_core.prompts import MATCHING, fill
from maxi_core.system.files import maxi_home, sweep, whole_file
from maxi_core.texts import counted

logger = logging.getLogger("maxi")

FORMAT = 1  # of the cache files; raise it when the features of the same texts change
BLOCK = 512  # entries whose prompts are encoded together; bounds the memory and fixes the last bits of the features


def entry_features(
    model: VideoCLIP, entries: Sequence[str], templates: Sequence[str] = MATCHING, cache: Path | None = None
) -> Tensor:
    """Return the features of dictionary entries, (C, D) float32 of length 1, on the model's device.

    The feature of an entry is the mean of the normalised features of its prompts, normalised again. They are kept in
    `cache` (`text-features` in maxi's home unless named) by model, templates and entries; a file there that is damaged
    counts as none. Logs a warning for entries whose prompts are cut at the context length or hold special tokens.
    """
    folder = maxi_home() / "text-features" if cache is None else cache
    key = _key(model, entries, templates)
    path = folder / f"{key}.bin"
    features = _read(path, key, (len(entries), model.width))
    if features is None:
        features = torch.cat(list(_blocks(model, entries, templates)))
        check_finite(model.name, {"the dictionary": features}, "text features")
        _write(path, key, features)
    return features.to(model.device)


def mean_features(model: VideoCLIP, prompts: Sequence[Sequence[str]]) -> Tensor:
    """Return for each list of prompts the mean of their normalised features, normalised again, (C, D) on the CPU.

    Logs a warning for prompts that are cut at the context length or hold special tokens.
    """
    every = [prompt for some in prompts for prompt in some]
    tokens = model.tokenize(every)
    with torch.no_grad():
        features = functional.normalize(encode_text(model.clip, tokens.ids), dim=-1)  # (P, D)
        parts = torch.split(features, [len(some) for some in prompts])
        means = torch.stack([part.mean(dim=0) for part in parts])
    warn_of_cuts(tokens, every, "text")
    return functional.normalize(means, dim=-1).cpu()


def warn_of_cuts(tokens: Tokens, texts: Sequence[str], noun: str) -> None:
    """Log which of the texts, each a `noun`, are not whole in their tokens."""
    found = {
        "too long for the model, and cut": tokens.truncated,
        "with the name of a special token in them, which was taken out": tokens.stripped,
    }
    for what, places in found.items():
        if places:
            logger.warning("%d of %s %s: '%s'", len(places), counted(len(texts), noun), what, texts[places[0]])


def _key(model: VideoCLIP, entries: Sequence[str], templates: Sequence[str]) -> str:
    said = json.dumps([FORMAT, model.identity, list(templates), list(entries)])
    return hashlib.sha256(said.encode()).hexdigest()


def _blocks(model: VideoCLIP, entries: Sequence[str], templates: Sequence[str]) -> Iterator[Tensor]:
    """Yield the features of the entries, block by block, on the CPU."""
    cut, stripped = 0, 0
    for first in range(0, len(entries), BLOCK):
        block = entries[first : first + BLOCK]
        tokens = model.tokenize([fill(template, entry) for entry in block for template in templates])
        with torch.no_grad():
            prompts = functional.normalize(encode_text(model.clip, tokens.ids), dim=-1)  # (c * P, D)
            mean = prompts.view(len(block), len(templates), -1).mean(dim=1)  # (c * P, D) -> (c, P, D) -> (c, D)
            yield functional.normalize(mean, dim=-1).cpu()
        cut += len({row // len(templates) for row in tokens.truncated})
        stripped += len({row // len(templates) for row in tokens.stripped})
    of = counted(len(entries), "dictionary entry")
    if cut:
        logger.warning("%d of %s too long for the model, and cut", cut, of)
    if stripped:
        logger.warning("special tokens were taken out of %d of %s", stripped, of)


def _read(path: Path, key: str, shape: tuple[int, int]) -> Tensor | None:
    """Return the features in a cache file, or None if it is not there or not whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head, body = data[:64], bytearray(data[64:])
    if len(body) != 4 * shape[0] * shape[1] or head != _checksum(key, body):
        logger.info("the cached text features %s are damaged and computed anew", path)
        return None
    return torch.frombuffer(body, dtype=torch.float32).view(shape)


def _write(path: Path, key: str, features: Tensor) -> None:
    """Write a cache file whole or not at all; a cache that cannot be written costs time and nothing else."""
    body = bytearray(features.numpy().tobytes())
    sweep(path.parent)
    try:
        with whole_file(path) as file:
            file.write(_checksum(key, body) + body)
    except MaxiError as error:
        logger.warning("text features are not kept: %s", error.problem)


def _checksum(key: str, body: bytearray) -> bytes:
    return hashlib.sha256(key.encode() + body).hexdigest().encode()
