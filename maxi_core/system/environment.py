"""What this machine and this installation are, as short texts by name; secrets only as set or unset."""

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.errors import PluginError
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.catalog import Catalog
from maxi_core.settings.options import secret_options
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import maxi_home
from maxi_core.system.secrets import is_secret, without_secrets
from maxi_core.texts import counted
from maxi_core.version import __version__
from maxi_core.video.decoders import ROLE

if TYPE_CHECKING:
    from maxi_core.recipe.recipe import Recipe

PACKAGES = (
    *("torch", "torchvision", "open_clip_torch", "transformers", "spacy", "openai", "pluggy", "typer", "rich"),
    *("pydantic", "av", "decord", "numpy", "safetensors"),
)
SECRETS = ("OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY")
VARIABLES = (
    *("OPENAI_BASE_URL", "HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "RANK", "WORLD_SIZE"),
    *("LOCAL_RANK", "NO_COLOR", "FORCE_COLOR", "WANDB_MODE", "XDG_CACHE_HOME"),
)


def report(catalog: Catalog, recipe: "Recipe") -> dict[str, dict[str, str]]:
    """Return all of it by topic, with the plugins and the settings that are not defaults."""
    return {
        "versions": versions(),
        "machine": machine(),
        "devices": devices(),
        "decoders": decoders(catalog),
        "folders": folders(),
        "environment": variables(),
        "plugins": {plugin.label: plugin.error or plugin.state for plugin in catalog.plugins},
        "settings": _settings(recipe),
    }


def _settings(recipe: "Recipe") -> dict[str, str]:
    shown = {}
    for (section, key), origin in recipe.origins.items():
        options = recipe.sections[section]
        value = getattr(options, key)
        if key in secret_options(type(options)):
            value, origin = "set" if value else "unset", origin.partition("=")[0]  # noqa: PLW2901 (both hold it)
        shown[f"{section}.{key}"] = f"{value} ({origin})"
    return shown


def versions() -> dict[str, str]:
    """Return the versions of maxi (and its git revision, if it runs from a checkout), Python and what it stands on."""
    found = {"maxi": __version__, "python": platform.python_version()}
    if revision := git_revision(Path(__file__).parent):
        found["revision"] = revision
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_revision(folder: Path) -> str:
    """Return the commit of a checkout whose folder this is, ` with changes` behind it if there are; "" for any other.

    A folder that git does not track, such as one in site-packages inside of somebody's checkout, has none.
    """

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 (fixed words)
            ["git", "-C", str(folder), *words],  # noqa: S607 (git is where the user has it)
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        if not git("ls-files", "--", "."):
            return ""
        return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def machine() -> dict[str, str]:
    """Return system, processor and cores."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": str(os.cpu_count())}


def devices() -> dict[str, str]:
    """Return what torch can compute on; imports torch."""
    import torch

    found = {"cpu": f"{counted(torch.get_num_threads(), 'thread')}"}
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "available"
    return found


def decoders(catalog: Catalog) -> dict[str, str]:
    """Return the video decoders that plugins offer, and what each says of itself; may import a library of theirs."""
    default, found = VideoOptions().decoder, {}
    for offer in catalog.offers:
        if offer.role != ROLE:
            continue
        try:
            with blamed(offer.ref, "when it was asked what it is"):
                about = str(offer.cls.about())
        except PluginError as error:
            about = error.problem
        words = [about or f"of {offer.dist} {offer.version}", *(["(default)"] if offer.ref == default else [])]
        found[catalog.key(offer)] = " ".join(words)
    return found


def folders() -> dict[str, str]:
    """Return where caches lie: maxi's own and that of Hugging Face weights."""
    default = os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")  # noqa: PTH118 (a text to show)
    return {"MAXI_HOME": str(maxi_home()), "HF_HOME": os.environ.get("HF_HOME", default)}


def variables(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that maxi honours and that are set; of a secret only whether it is."""
    env = os.environ if env is None else env
    found = {name: "set" if env.get(name) else "unset" for name in SECRETS}
    own = sorted(name for name in env if name.startswith("MAXI_"))
    found |= {name: "set" if env[name] else "unset" for name in own if is_secret(name)}
    return found | {
        name: without_secrets(env[name], env) for name in (*VARIABLES, *own) if name in env and name not in found
    }
