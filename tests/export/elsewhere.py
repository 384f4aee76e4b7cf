"""Exported models, loaded by other programs in a process that cannot import maxi."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

BLOCKED = ("maxi_core", "maxi_plugins", "maxi_sandbox", "maxi_cli", "tools")
HEAD = """
import sys, json, warnings
sys.modules.update(dict.fromkeys({blocked!r}))
try:
    import maxi_core
except ImportError:
    pass
else:
    raise SystemExit("maxi can be imported here")
import torch
from safetensors.torch import load_file, save_file
torch.set_num_threads(1)
given = load_file({given!r})
with torch.no_grad():
"""


def elsewhere(code: str, at: Path, given: dict[str, torch.Tensor], **said: Any) -> dict[str, torch.Tensor]:
    """Run `code` in an isolated interpreter: it has `given`, what is `said`, and saves a dict `found` of tensors."""
    from safetensors.torch import save_file

    at.mkdir(exist_ok=True)
    source, answer = at / "given.safetensors", at / "found.safetensors"
    save_file(given, source)
    names = "".join(f"{key} = json.loads({json.dumps(value)!r})\n" for key, value in said.items())
    body = "".join(f"    {line}\n" for line in code.strip().splitlines())
    script = HEAD.format(blocked=BLOCKED, given=str(source)).replace("import torch\n", f"{names}import torch\n", 1)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"{script}{body}save_file(found, {str(answer)!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return load_file(answer)
