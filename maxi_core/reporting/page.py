"""From plain values to one HTML file: everything from outside is escaped, and nothing runs but our one script."""

import base64
import hashlib
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from maxi_core.reporting import charts
from maxi_core.reporting.pictures import Picture
from maxi_core.system.files import to_json
from maxi_core.system.secrets import masked
from maxi_core.texts import counted, written_out
from maxi_core.version import __version__

if TYPE_CHECKING:
    from markupsafe import Markup

PACKAGE = "maxi_core.reporting"
# What could end the script element that data stands in, or be read as markup in it.
_IN_SCRIPT = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&'\u2028\u2029"}


def render(values: Mapping[str, Any], pictures: Mapping[int, Mapping[int, Picture]]) -> str:
    """Return the page of plain values (texts, numbers, lists, mappings), and of pictures by part and place in the run.

    Texts are without secrets, and control characters are written out. The policy of the page allows our script and
    style by their hashes, and pictures that it holds; no address, no form, no frame.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"in_script": in_script, "number": number, "numbered": numbered, "share": share}
    environment.globals |= {"chart": charts, "pictures": pictures, "version": __version__}
    style, script = (files(PACKAGE).joinpath("templates", name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = environment.get_template("page.html")
    plain: Any = masked(_readable(values))
    return template.render(**plain, style=_own(style), script=_own(script), policy=_own(policy))


def _own(text: str) -> "Markup":
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - it stands in this package


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else "\n".join(map(written_out, value.split("\n")))
    if isinstance(value, Mapping):
        return {str(_readable(str(key))): _readable(inner) for key, inner in value.items()}
    return [_readable(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def in_script(value: Any) -> "Markup":
    """Return plain values as JSON that can stand in a script element."""
    return _own(to_json(value).translate(_IN_SCRIPT))


def number(value: object, digits: int = 0) -> str:
    """Return a number with thousands apart, or a dash for none: `1,234`."""
    return f"{value:,.{digits}f}" if isinstance(value, (int, float)) and math.isfinite(value) else "-"


def numbered(count: int, noun: str, verb: str = "") -> str:
    """Return a number with thousands apart before its noun, and a verb behind it: `1,234 videos are`."""
    return counted(count, noun, verb).replace(str(count), number(count), 1)


def share(value: object) -> str:
    """Return a share as percent: `12.3 %`."""
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) and math.isfinite(value) else "-"
