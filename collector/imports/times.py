"""Times as files write them, made into instants: fast, and never guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.mapping import Clock
from core.errors import DataError
from core.timeline import format_local

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  local times are counted without a zone first
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MILLISECOND = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_QUARTER_MS = 900_000  # no zone changes its offset inside a quarter of an hour of its clock
_PARTS = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})(?:\.\d+)?",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}
_ISO = re.compile(
    r"(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?:[T ](?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.\d+)?)?"
    r"(?P<z>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_TWO_DIGITS = {f"{number:02d}": number for number in range(60)}
_UNIX = re.compile(r"\d{1,11}", re.ASCII)


class Times:
    """Reader of one column of times.

    Parameters
    ----------
    format
        ``iso``, ``unix``, or a pattern such as ``%d/%m/%Y %H:%M``.
    zone
        Time zone of times without an offset of their own.
    clock
        Which instant a local time stands for that exists twice or not at all. In their order, a repeated
        time is the first one as long as it lies after the time read before it.
    midnight_ends
        Whether 00:00 stands for the end of its date. 24:00 always does.
    """

    def __init__(self, format: str, zone: ZoneInfo, clock: Clock, *, midnight_ends: bool = False) -> None:
        self._unix = format == "unix"
        self._pattern = _ISO if format == "iso" else _compiled(format)
        self._format = format
        self._zone = zone
        self._clock = clock
        self._midnight_ends = midnight_ends
        self._offsets: dict[int, tuple[int, int]] = {}
        # Instant at which each plain hour begins, by its text up to the hour; most times are of these.
        self._hours: dict[str, int] = {}
        self._plain_days: dict[int, int | None] = {}
        self._plain = format == "iso" and not midnight_ends
        self._days: dict[tuple[str, str, str], int] = {}
        self._last_ms: int | None = None

    def __call__(self, text: str) -> int:
        """Return the instant [ms since 1970 UTC] that a text stands for.

        Raises
        ------
        DataError
            It is no time of this format, or no single instant.
        """
        if self._plain and len(text) in (16, 19):
            hour_ms = self._hours.get(text[:13])
            minute, second = _TWO_DIGITS.get(text[14:16]), _TWO_DIGITS.get(text[17:])
            if hour_ms is not None and minute is not None and text[13] == ":":
                if len(text) == 16:
                    self._last_ms = hour_ms + minute * 60_000
                    return self._last_ms
                if second is not None and text[16] == ":":
                    self._last_ms = hour_ms + (minute * 60 + second) * 1000
                    return self._last_ms
        if self._unix:
            if not _UNIX.fullmatch(text):
                raise DataError("not seconds since 1970", evidence=repr(text))
            return int(text) * 1000
        match = self._pattern.fullmatch(text)
        if match is None:
            raise DataError("not a time of this format", evidence=repr(text), next=self._advice())
        parts = match.groupdict()
        local_ms = self._day_ms(parts) + self._clock_ms(parts, text)
        offset = parts.get("z")
        if offset:
            time_ms = local_ms - _offset_ms(offset)
        else:
            time_ms = self._instant(local_ms, text)
            self._note_hour(local_ms, text)
        self._last_ms = time_ms
        return time_ms

    def next_day(self, time_ms: int, days: int) -> int:
        """Return the local midnight a number of days after (before) a local midnight [ms since 1970 UTC].

        Raises
        ------
        DataError
            The instant is no local midnight.
        """
        day = self._midnight_of(time_ms) + timedelta(days=days)
        return self._first_instant(day)

    def next_month(self, time_ms: int, months: int) -> int:
        """Return the first instant of a month from that of another, some months after (before) it.

        Raises
        ------
        DataError
            The instant is no beginning of a local month.
        """
        day = self._midnight_of(time_ms)
        if day.day != 1:
            raise DataError("a month begins on its first day", evidence=format_local(time_ms, self._zone))
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        return self._first_instant(date(year, month + 1, 1))

    def _day_ms(self, parts: dict[str, str]) -> int:
        """Local midnight [ms since 1970 by the local clock]; files have few days and many times."""
        key = parts.get("Y") or f"20{parts['y']}", parts["m"], parts["d"]
        known = self._days.get(key)
        if known is None:
            try:
                ordinal = date(*map(int, key)).toordinal()
            except ValueError as error:
                raise DataError("there is no such day", evidence="-".join(key), cause=str(error)) from error
            known = self._days[key] = (ordinal - _EPOCH_DAY) * _DAY_MS
        return known

    def _clock_ms(self, parts: dict[str, str], text: str) -> int:
        hour, minute = int(parts.get("H") or 0), int(parts.get("M") or 0)
        second = int(parts.get("S") or 0)
        if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
            raise DataError("there is no such time of day", evidence=repr(text))
        if self._midnight_ends and not hour and not minute and not second:
            hour = 24
        return (hour * 3600 + minute * 60 + second) * 1000

    def _note_hour(self, local_ms: int, text: str) -> None:
        """Keep where an hour begins that lies in a day of one offset."""
        day = local_ms // _DAY_MS
        if day not in self._plain_days:
            marks = range(day * _DAY_MS, (day + 1) * _DAY_MS + 1, _HOUR_MS)
            offsets = {each for at_ms in marks for each in self._offsets_at(at_ms)}
            self._plain_days[day] = offsets.pop() if len(offsets) == 1 else None
        offset = self._plain_days[day]
        if self._plain and offset is not None and int(text[11:13] or 0) < 24:
            self._hours[text[:13]] = local_ms // _HOUR_MS * _HOUR_MS - offset

    def _offsets_at(self, local_ms: int) -> tuple[int, int]:
        """Return the offsets before and after a change of the clock [ms]; equal where there is none."""
        quarter = local_ms // _QUARTER_MS
        offsets = self._offsets.get(quarter)
        if offsets is None:
            local = _EPOCH + timedelta(milliseconds=quarter * _QUARTER_MS)
            before, after = (
                quarter * _QUARTER_MS
                - (local.replace(tzinfo=self._zone, fold=fold) - _EPOCH_UTC) // _MILLISECOND
                for fold in (0, 1)
            )
            offsets = self._offsets[quarter] = before, after
        return offsets

    def _instant(self, local_ms: int, text: str) -> int:
        before, after = self._offsets_at(local_ms)
        if before == after or self._clock is Clock.FIRST:
            return local_ms - before
        if self._clock is Clock.SECOND:
            return local_ms - after
        if self._clock is Clock.ORDER and before > after:
            first_ms = local_ms - before
            return first_ms if self._last_ms is None or first_ms > self._last_ms else local_ms - after
        twice = before > after
        raise DataError(
            f"this local time {'exists twice' if twice else 'does not exist'} in {self._zone.key}",
            evidence=repr(text),
            cause=f"the clock is set {'back' if twice else 'forward'}",
            next="say which is meant: clock: first, second" + (" or order" if twice else ""),
        )

    def _midnight_of(self, time_ms: int) -> date:
        local = (_EPOCH_UTC + timedelta(milliseconds=time_ms)).astimezone(self._zone)
        if self._first_instant(local.date()) != time_ms:
            raise DataError("a day begins at local midnight", evidence=format_local(time_ms, self._zone))
        return local.date()

    def _first_instant(self, day: date) -> int:
        return (datetime(day.year, day.month, day.day, tzinfo=self._zone) - _EPOCH_UTC) // _MILLISECOND

    def _advice(self) -> str:
        if self._format == "iso":
            return "write it as 2024-02-01 08:30, or name the format, such as %Y/%m/%d %H:%M"
        return f"the format is {self._format}"


def _compiled(format: str) -> re.Pattern[str]:
    pieces = re.split(r"%([YymdHMSz])", format)
    pattern = "".join(_PARTS[piece] if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))
    return re.compile(pattern, re.ASCII)


def _offset_ms(text: str) -> int:
    if text == "Z":
        return 0
    digits = text.replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-minutes if digits[0] == "-" else minutes) * 60_000
