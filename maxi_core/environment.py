"""What this machine and this installation are, as short texts by name; secrets only as set or unset."""

import os
import platform
from collections.abc import Mapping
from importlib import metadata

from maxi_core.files import maxi_home
from maxi_core.secrets import is_secret, without_secrets
from maxi_core.version import __version__

PACKAGES = (
    *("torch", "torchvision", "open_clip_torch", "transformers", "spacy", "openai", "pluggy", "typer", "rich"),
    *("pydantic", "av", "decord", "numpy", "safetensors"),
)
SECRETS = ("OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY")
VARIABLES = (
    *("OPENAI_BASE_URL", "HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "RANK", "WORLD_SIZE"),
    *("LOCAL_RANK", "NO_COLOR", "FORCE_COLOR", "WANDB_MODE", "XDG_CACHE_HOME"),
)


def versions() -> dict[str, str]:
    """Return the versions of maxi, Python and the packages it stands on."""
    found = {"maxi": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Return system, processor and cores."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": str(os.cpu_count())}


def devices() -> dict[str, str]:
    """Return what torch can compute on; imports torch."""
    import torch

    found = {"cpu": f"{torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "available"
    return found


def decoders() -> dict[str, str]:
    """Return the video decoders that can be chosen; imports av."""
    import av

    libraries = ".".join(str(part) for part in av.library_versions["libavcodec"])
    found = {"pyav": f"{av.__version__}, libavcodec {libraries} (default)"}
    try:
        found["decord"] = metadata.version("decord")
    except metadata.PackageNotFoundError:
        found["decord"] = "not installed: it has wheels for x86-64 Linux and Windows only"
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
