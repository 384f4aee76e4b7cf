"""Trying what sources stand on outside this machine, such as an endpoint: for `maxi env --llm`."""

import logging

from maxi_core.errors import LEAVING, MaxiError, deed
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.roles import Source
from maxi_core.recipe.parts import MARK
from maxi_core.recipe.recipe import Recipe

log = logging.getLogger("maxi")


def probe_sources(catalog: Catalog, recipe: Recipe) -> tuple[dict[str, str], bool]:
    """Return what each source that can be tried says, as {`gpt3.address`: text}, and whether all is well.

    A fault is under `gpt3.error`; that of a plugin that raises anything else than MaxiError carries its type.
    """
    found: dict[str, str] = {}
    for offer in catalog.offers:
        if not issubclass(offer.cls, Source) or offer.cls.probe is Source.probe:
            continue
        tags = [key.removeprefix(offer.ref) for key in recipe.sections if key.startswith(f"{offer.ref}{MARK}")]
        for tag in ("", *tags):
            key = f"{catalog.key(offer)}{tag}"
            try:
                source = recipe.make(catalog, key)
                assert isinstance(source, Source)
                found |= {f"{key}.{name}": str(text) for name, text in source.probe().items()}
            except MaxiError as error:
                found[f"{key}.error"] = str(error)
            except LEAVING:
                raise
            except BaseException as error:  # of a plugin
                log.debug("%s raised", key, exc_info=True)
                found[f"{key}.error"] = deed(error)
    return found, not any(name.endswith(".error") for name in found)
