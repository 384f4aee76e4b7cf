"""Trying the sources of texts before the first new video is matched: a wrong key is no news after hours."""

import logging
from collections.abc import Sequence
from functools import partial

from maxi_core.bags.asker import GRACE, Asker
from maxi_core.bags.codecs import text_key
from maxi_core.errors import CannotTellError, MaxiError, one_line
from maxi_core.plugin.calls import Calls, call
from maxi_core.plugin.roles import Expander, Source

log = logging.getLogger("maxi.bags")


def probe_all(askers: Sequence[Asker[object, list[str]]], entries: Sequence[str]) -> None:
    """Try at no cost what the sources stand on that have something new to be asked.

    Raises what they say is wrong; it is only a warning for a source that has answered some of `entries` before, since
    perhaps these are all that will be needed.
    """
    keys = [text_key(entry) for entry in entries]
    for asker in askers:
        known = sum(not asker.wanted(key) for key in keys) if isinstance(asker.source, Expander) else 0
        if known < len(keys) and type(asker.source).probe is not Source.probe:
            calls = Calls(asker.name, 1)
            calls.submit(partial(_probe, asker.source, certain=not known))
            calls.next()
            calls.close(GRACE)


def _probe(source: Source, *, certain: bool) -> None:
    try:
        what = call(source.label, "when it was probed", source.probe)[1]
    except MaxiError as error:
        if certain and not isinstance(error, CannotTellError):
            raise
        what = str(error)
    if what:
        log.warning("source '%s' could not be tried before the work: %s", source.label, one_line(what))
