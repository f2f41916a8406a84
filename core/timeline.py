"""Half-open intervals, half-hours, months and fiscal years in the site's time zone.

An instant is an integer: milliseconds since 1970-01-01 00:00 UTC. Local time exists only here and at the
edges, so a day of 23 or 25 hours is an interval like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from core.errors import UsageError

HALF_HOUR_MS = 1_800_000
"""Length of a demand interval in Japan, and of a cell [ms]."""

FIRST_MONTH_OF_FISCAL_YEAR = 4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A span of time that holds its start and not its end.

    Parameters
    ----------
    start_ms
        First instant [ms since 1970 UTC].
    end_ms
        First instant after it [ms since 1970 UTC]; not before the start.

    Raises
    ------
    UsageError
        If the end lies before the start.
    """

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise UsageError(
                "an interval ends before it starts",
                evidence=f"{format_local(self.start_ms, UTC_ZONE)} to {format_local(self.end_ms, UTC_ZONE)}",
            )

    @property
    def duration_ms(self) -> int:
        """Length [ms], 0 or more."""
        return self.end_ms - self.start_ms

    def __contains__(self, time_ms: int) -> bool:
        """Tell whether an instant [ms since 1970 UTC] lies in the interval."""
        return self.start_ms <= time_ms < self.end_ms


def month(text: str, tz: ZoneInfo) -> Interval:
    """Return a calendar month as an interval.

    Parameters
    ----------
    text
        Month as ``YYYY-MM``.
    tz
        Time zone of the site.

    Raises
    ------
    UsageError
        If the text is not a month.

    Examples
    --------
    >>> month("2024-02", ZoneInfo("Asia/Tokyo")).duration_ms // 86_400_000
    29
    """
    return Interval(_midnight(_first_day(text), tz), _midnight(_first_day(add_months(text, 1)), tz))


def add_months(text: str, months: int) -> str:
    """Return the month that lies a number of months later (earlier when negative).

    Raises
    ------
    UsageError
        If the text is not a month, or the result lies outside the years 1 to 9999.

    Examples
    --------
    >>> add_months("2024-02", -2)
    '2023-12'
    """
    first = _first_day(text)
    year, index = divmod(first.year * 12 + first.month - 1 + months, 12)
    shifted = f"{year:04d}-{index + 1:02d}"
    _first_day(shifted)
    return shifted


def month_of(time_ms: int, tz: ZoneInfo) -> str:
    """Return the local month ``YYYY-MM`` in which an instant [ms since 1970 UTC] lies."""
    return f"{_local(time_ms, tz):%Y-%m}"


def fiscal_year(text: str) -> int:
    """Return the Japanese fiscal year (April to March) of a month ``YYYY-MM``.

    Raises
    ------
    UsageError
        If the text is not a month.

    Examples
    --------
    >>> fiscal_year("2024-02"), fiscal_year("2024-04")
    (2023, 2024)
    """
    first = _first_day(text)
    return first.year if first.month >= FIRST_MONTH_OF_FISCAL_YEAR else first.year - 1


def months_of_fiscal_year(year: int) -> tuple[str, ...]:
    """Return the twelve months ``YYYY-MM`` of a fiscal year, April first.

    Examples
    --------
    >>> months_of_fiscal_year(2023)[0], months_of_fiscal_year(2023)[-1]
    ('2023-04', '2024-03')
    """
    april = f"{year:04d}-{FIRST_MONTH_OF_FISCAL_YEAR:02d}"
    return tuple(add_months(april, index) for index in range(12))


def half_hours(interval: Interval) -> tuple[int, ...]:
    """Return the boundaries of an interval's half-hours, counted from its start.

    Returns
    -------
    tuple of int
        n + 1 instants for n half-hours, in time order [ms since 1970 UTC]; the last half-hour is
        shorter when the interval is no multiple of 30 minutes. One instant for an empty interval.
    """
    return (*range(interval.start_ms, interval.end_ms, HALF_HOUR_MS), interval.end_ms)


def days(interval: Interval, tz: ZoneInfo) -> tuple[int, ...]:
    """Return the boundaries of an interval's local days.

    Returns
    -------
    tuple of int
        The interval's start, each local midnight inside it, its end, in time order [ms since 1970 UTC].
    """
    boundaries = [interval.start_ms]
    day = _local(interval.start_ms, tz).date()
    while True:
        day += timedelta(days=1)
        midnight = _midnight(day, tz)
        if midnight >= interval.end_ms:
            break
        if midnight > boundaries[-1]:
            boundaries.append(midnight)
    return (*boundaries, interval.end_ms)


def local_days(interval: Interval, tz: ZoneInfo) -> tuple[Interval, ...]:
    """Return the whole local days that hold an interval, in time order.

    Examples
    --------
    >>> [day.duration_ms // 3_600_000 for day in local_days(Interval(0, 90_000_000), ZoneInfo("Asia/Tokyo"))]
    [24, 24]
    """
    first_ms = _midnight(_local(interval.start_ms, tz).date(), tz)
    last_ms = _midnight(
        _local(max(interval.end_ms - 1, interval.start_ms), tz).date() + timedelta(days=1), tz
    )
    starts = days(Interval(first_ms, last_ms), tz)
    return tuple(Interval(start_ms, end_ms) for start_ms, end_ms in pairwise(starts))


def months(interval: Interval, tz: ZoneInfo) -> tuple[int, ...]:
    """Return the boundaries of an interval's local months.

    Returns
    -------
    tuple of int
        The interval's start, each beginning of a local month inside it, its end, in time order
        [ms since 1970 UTC].
    """
    boundaries = [interval.start_ms]
    text = month_of(interval.start_ms, tz)
    while (end_ms := month(text, tz).end_ms) < interval.end_ms:
        boundaries.append(end_ms)
        text = add_months(text, 1)
    return (*boundaries, interval.end_ms)


def parse_local(text: str, tz: ZoneInfo) -> int:
    """Return the instant [ms since 1970 UTC] of an ISO 8601 date or date and time.

    Parameters
    ----------
    text
        Such as ``2024-02-01``, ``2024-02-01 08:30`` or ``2024-02-01T08:30:00.250+09:00``.
    tz
        Time zone of a text without an offset of its own.

    Raises
    ------
    UsageError
        If the text is no time, is finer than a millisecond, does not exist in the time zone (skipped
        in spring) or exists twice (repeated in autumn).

    Examples
    --------
    >>> parse_local("2024-02-01", ZoneInfo("Asia/Tokyo"))
    1706713200000
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            "not a date or time", evidence=text, next="write it as 2024-02-01 or 2024-02-01T08:30"
        ) from error
    if moment.microsecond % 1000:
        raise UsageError("a time finer than a millisecond", evidence=text)
    if moment.tzinfo is not None:
        return (moment - _EPOCH) // _MILLISECOND
    earlier, later = (_instant(moment.replace(tzinfo=tz, fold=fold)) for fold in (0, 1))
    if earlier == later:
        return earlier
    if earlier > later:
        raise UsageError(f"this local time does not exist in {tz.key}: the clock skips it", evidence=text)
    raise UsageError(
        f"this local time exists twice in {tz.key}: the clock is set back",
        evidence=text,
        next=f"say which with its offset, such as {format_local(earlier, tz)} or {format_local(later, tz)}",
    )


def days_later(time_ms: int, tz: ZoneInfo, days: int) -> int:
    """Return the instant at which local clocks show the same, so many days later (earlier when negative).

    Of a local time that exists twice this is the first; where it does not exist, the clock's skip is added.

    Examples
    --------
    >>> days_later(1_706_713_200_000, ZoneInfo("Asia/Tokyo"), -7)
    1706108400000
    """
    return _instant(_local(time_ms, tz) + timedelta(days=days))


def format_local(time_ms: int, tz: ZoneInfo) -> str:
    """Return an instant [ms since 1970 UTC] as local ISO 8601 text with its offset.

    Examples
    --------
    >>> format_local(1_706_713_200_000, ZoneInfo("Asia/Tokyo"))
    '2024-02-01T00:00:00+09:00'
    """
    return _local(time_ms, tz).isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


UTC_ZONE = ZoneInfo("UTC")


def _local(time_ms: int, tz: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(tz)


def _instant(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _midnight(day: date, tz: ZoneInfo) -> int:
    """Return the first instant of a local day; where the clock skips midnight, that of the skip."""
    return _instant(datetime(day.year, day.month, day.day, tzinfo=tz))


def _first_day(text: str) -> date:
    match = _MONTH.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 12 or int(match[1]) == 0:
        raise UsageError("not a month", evidence=text, next="write it as 2024-02")
    return date(int(match[1]), int(match[2]), 1)
