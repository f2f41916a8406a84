"""The time that a run covers."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from core.timeline import Interval, month, parse_local

_YEAR = re.compile(r"[0-9]{4}")


def interval_of(text: str, zone: ZoneInfo) -> Interval:
    """Return a month ``2018-03`` or a calendar year ``2018`` as an interval.

    Raises
    ------
    UsageError
        If the text is neither.
    """
    if _YEAR.fullmatch(text):
        return Interval(parse_local(f"{text}-01-01", zone), parse_local(f"{int(text) + 1:04}-01-01", zone))
    return month(text, zone)


def title(text: str) -> str:
    """Return a month or year as people write it: ``February 2024``, ``2018``."""
    return text if _YEAR.fullmatch(text) else f"{datetime.strptime(text, '%Y-%m'):%B %Y}"  # noqa: DTZ007  a name
