"""How times, sizes and durations are written on screens."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WIDTH: Final = 80
"""Columns of a screen [1]."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SIZES = ("B", "kB", "MB", "GB", "TB")


def local(time_ms: int, tz: ZoneInfo) -> datetime:
    """Return an instant [ms since 1970 UTC] in a time zone."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(tz)


def stamp(time_ms: int, tz: ZoneInfo) -> str:
    """Return an instant to the minute, ``2024-06-03 01:12``."""
    return f"{local(time_ms, tz):%Y-%m-%d %H:%M}"


def day(time_ms: int, now_ms: int, tz: ZoneInfo) -> str:
    """Return a day, ``19 March``; with its year where that is another.

    Examples
    --------
    >>> day(1_710_774_000_000, 1_709_574_420_000, ZoneInfo("Asia/Tokyo"))
    '19 March'
    """
    then, now = local(time_ms, tz), local(now_ms, tz)
    year = "" if then.year == now.year else f" {then.year}"
    return f"{then.day} {_MONTHS[then.month - 1]}{year}"


def when(time_ms: int, now_ms: int, tz: ZoneInfo) -> str:
    """Return an instant to the minute: ``01:12`` today, else ``4 March 22:10``."""
    then = local(time_ms, tz)
    today = then.date() == local(now_ms, tz).date()
    return f"{then:%H:%M}" if today else f"{day(time_ms, now_ms, tz)} {then:%H:%M}"


def duration(span_ms: int) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> duration(45_000), duration(6_900_000), duration(327_600_000)
    ('45 s', '1 h 55 min', '3 d 19 h')
    """
    seconds = max(0, span_ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def age(span_ms: int) -> str:
    """Return a duration in at most four characters.

    Examples
    --------
    >>> age(2_000), age(1_140_000), age(90_000_000)
    ('2s', '19m', '25h')
    """
    seconds = max(0, span_ms) // 1000
    if seconds < 100:
        return f"{seconds}s"
    if seconds < 6_000:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 360_000 else f"{seconds // 86_400}d"


def size(count: int) -> str:
    """Return a number of bytes, ``212 GB``.

    Examples
    --------
    >>> size(212_400_000_000), size(1_234_000), size(950)
    ('212 GB', '1.2 MB', '950 B')
    """
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_SIZES[unit]}" if unit and value < 10 else f"{value:.0f} {_SIZES[unit]}"


def counted(count: int, what: str) -> str:
    """Return a number of things, such as ``1 device`` and ``2 devices``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """Return text that any terminal shows: what is not ASCII becomes `?`, control characters too."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def folded(label: str, text: str, *, indent: int = 7) -> list[str]:
    """Return text after its label, folded to the width of a screen."""
    return textwrap.wrap(
        plain(text),
        WIDTH,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    ) or [label.rstrip()]
