"""What somebody wrote for a remote file: the URLs that are read, and what is secret in them."""

import re
from urllib.parse import unquote

from maxi_core.errors import UsageError
from maxi_core.system.remote_errors import NEEDS
from maxi_core.system.secrets import keep_secret, signs

URL = re.compile(rf"({'|'.join(NEEDS)}):/{{1,2}}(?=[^/])", re.IGNORECASE)
OTHER = re.compile(r"([a-z][a-z0-9+.-]+)://")


def clean(text: str) -> str:
    """Return a web address without its credentials, and any other text as it is."""
    found = URL.match(text)
    if found is None or not found[1].lower().startswith("http"):
        return text
    scheme, rest = found[1].lower(), text[found.end() :]
    return text if (kept := without_credentials(scheme, rest)) == rest else f"{scheme}://{kept}"


def without_credentials(scheme: str, rest: str) -> str:
    """Return what stands behind `scheme://` without user, password and signature; they are kept secret."""
    host, slash, name = rest.partition("/")
    user, _, host = host.rpartition("@")
    if user:
        keep_secret(user, unquote(user.partition(":")[2]))
    if not scheme.startswith("http"):
        if user:
            raise UsageError(f"{scheme}://{host} takes no user in its URL", "set the credentials in the environment")
        return rest
    name, mark, query = name.partition("?")
    said = [part.partition("=") for part in query.partition("#")[0].split("&")] if mark else []
    names = {part[0] for part in said}
    keep = ["".join(part) for part in said if not signs(part[0], names)]
    return f"{host}{slash}{name}" + (f"?{'&'.join(keep)}" if keep else "")
