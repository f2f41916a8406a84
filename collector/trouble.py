"""A part outside that fails: said once when it begins, once when it is over, tried again ever more slowly."""

from __future__ import annotations

import logging
import random

from core.errors import OutsideError, Unreachable
from core.runtime.logs import facts

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Trouble:
    """The state of one part outside.

    Parameters
    ----------
    log
        Where state changes are told.
    works_again
        What to say when the trouble is over.
    """

    def __init__(self, log: logging.Logger, works_again: str) -> None:
        self._log = log
        self._works_again = works_again
        self._failures = 0
        self.fault: OutsideError | None = None
        """The last failure; None while it works."""

    def failed(self, error: OutsideError) -> float:
        """Note a failure; return how long to wait before the next attempt [s], with jitter.

        It is never shorter than what the part itself asked for.
        """
        if self._failures == 0:
            self._log.warning(error.what, extra=facts(error))
        self._failures += 1
        self.fault = error
        longest = min(_FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_PAUSE_S)
        asked_s = error.retry_after_s if isinstance(error, Unreachable) else 0.0
        return max(asked_s, longest * random.uniform(0.5, 1.0))

    def worked(self) -> None:
        """Note that it works."""
        if self._failures:
            self._log.warning(self._works_again)
        self._failures, self.fault = 0, None
