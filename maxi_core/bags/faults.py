"""When a source is switched off: after so many faults in a row that more of them would only cost time."""

import logging

from maxi_core.errors import PluginError, one_line
from maxi_core.texts import counted
from maxi_core.types import Failed

log = logging.getLogger("maxi.bags")

IN_A_ROW = 5  # then the source is switched off for the rest of the run


class Faults:
    """The faults of one source in a row; `off` says why it was switched off, "" while it was not."""

    def __init__(self, name: str, *, strict: bool) -> None:
        self.off = ""
        self._name, self._strict, self._in_a_row = name, strict, 0

    def count(self, what: str, most: int = IN_A_ROW) -> Failed:
        """Count a fault of the plugin and return what becomes of the question; raises PluginError when strict."""
        self._in_a_row += 1
        reason = one_line(f"source '{self._name}' {what}")
        if self._strict:
            raise PluginError(reason, "run without --strict to skip what it cannot answer")
        if self._in_a_row >= most and not self.off:
            faults = f"{counted(self._in_a_row, 'fault')} in a row, the last: {what}"
            self.off = one_line(f"source '{self._name}' was switched off: {faults}")
            log.warning(self.off)
        return Failed(reason)

    def end(self) -> None:
        """Begin to count anew: there was an answer."""
        self._in_a_row = 0
