"""The lowest layer of every recipe: the names of plugins stand in its file, and nowhere in the code of the core."""

import tomllib
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("default.toml").read_text(encoding="utf-8"))
