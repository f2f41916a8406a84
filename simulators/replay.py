"""A file's energy column as the register of a simulated meter.

Each row is the energy of one interval, named by the interval's end in the site's local time. The register
steps in the middle of the interval, so that whoever reads it at both ends sees exactly the row's energy.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from core.errors import DataError
from core.timeline import Interval, format_local

WH_PER_COUNT = 10
"""What one count of a replayed register is worth [Wh]: the files give hundredths of a kWh."""

_TIME_COLUMNS = ("date", "time", "datetime", "timestamp")
_TIME_FORMATS = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M")


@dataclass(frozen=True, slots=True)
class ReplayedRegister:
    """A register of 10 Wh counts that steps in the middle of each interval.

    Parameters
    ----------
    ends_ms
        Ends of the intervals, in time order, evenly spaced [ms since 1970-01-01 UTC].
    counts
        Energy of each interval [counts of 10 Wh].
    """

    ends_ms: tuple[int, ...]
    counts: tuple[int, ...]
    _steps_ms: tuple[int, ...]
    _totals: tuple[int, ...]

    @classmethod
    def of(cls, ends_ms: tuple[int, ...], counts: tuple[int, ...]) -> ReplayedRegister:
        """Return the register of a series."""
        half_ms = (ends_ms[1] - ends_ms[0]) // 2
        steps_ms = tuple(end_ms - half_ms for end_ms in ends_ms)
        return cls(ends_ms, counts, steps_ms, tuple(accumulate(counts, initial=0)))

    @property
    def step_ms(self) -> int:
        """Return the length of an interval [ms]."""
        return self.ends_ms[1] - self.ends_ms[0]

    @property
    def covered(self) -> Interval:
        """Return the time from the first interval's start to the last one's end."""
        return Interval(self.ends_ms[0] - self.step_ms, self.ends_ms[-1])

    def count(self, time_ms: int) -> int:
        """Return the register [counts of 10 Wh] at a time [ms since 1970-01-01 UTC]; it starts at 0."""
        return self._totals[bisect_right(self._steps_ms, time_ms)]

    def power_w(self, time_ms: int) -> int:
        """Return the mean power [W] of the interval around a time [ms since 1970-01-01 UTC]."""
        place = min(bisect_right(self.ends_ms, time_ms), len(self.counts) - 1)
        return self.counts[place] * WH_PER_COUNT * 3_600_000 // self.step_ms


def read_register(path: Path, zone: ZoneInfo) -> ReplayedRegister:
    """Return the register that a CSV file's energy column makes.

    Parameters
    ----------
    path
        UTF-8 CSV with a header: a column called date, time, datetime or timestamp, and one whose name holds
        kWh.
    zone
        The site's time zone.

    Raises
    ------
    DataError
        With file, line and column: a column is missing; a time or an energy cannot be read, is negative or
        finer than 0.01 kWh; the rows are not evenly spaced in time order.
    """
    rows = list(_rows(path))
    if len(rows) < 2:
        raise DataError(
            "The file has no series to replay", where=str(path), evidence=f"{len(rows)} rows with energy"
        )
    lines, times, counts = zip(*rows, strict=True)
    ends_ms = tuple(int(end.replace(tzinfo=zone).timestamp()) * 1000 for end in _ends(times))
    _evenly_spaced(ends_ms, lines, path)
    return ReplayedRegister.of(ends_ms, counts)


def register_over(path: Path, interval: Interval, zone: ZoneInfo) -> ReplayedRegister:
    """Return the register of a file that covers an interval.

    Raises
    ------
    DataError
        If the file cannot be read, or does not cover the interval.
    """
    register = read_register(path, zone)
    covered = register.covered
    if interval.start_ms < covered.start_ms or interval.end_ms > covered.end_ms:
        first, last = (format_local(time_ms, zone) for time_ms in (covered.start_ms, covered.end_ms))
        raise DataError(
            "The file does not cover the time to replay",
            where=str(path),
            evidence=f"it holds {first} to {last}",
            next="choose --month inside it",
        )
    return register


def _rows(path: Path) -> Iterator[tuple[int, datetime, int]]:
    """Yield line number, time as written and energy [counts] of each row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            time_column = _column(path, header, "times", _TIME_COLUMNS.__contains__)
            energy_column = _column(path, header, "energy in kWh", lambda name: "kwh" in name)
            for row in reader:
                line = reader.line_num
                yield (
                    line,
                    _time(row[time_column], f"{path}:{line}: {time_column}"),
                    _count(row[energy_column], f"{path}:{line}: {energy_column}"),
                )
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The file to replay cannot be read", where=str(path), evidence=str(error)) from error


def _column(path: Path, header: Sequence[str], what: str, fits: Callable[[str], bool]) -> str:
    for name in header:
        if fits(name.strip().lower()):
            return name
    raise DataError(
        f"The file has no column with {what}",
        where=f"{path}:1",
        evidence=", ".join(header) or "no header",
        next=f"name a column {' or '.join(_TIME_COLUMNS)}, and one with kWh in its name",
    )


def _time(text: str | None, where: str) -> datetime:
    for pattern in _TIME_FORMATS:
        with suppress(ValueError):
            return datetime.strptime(text or "", pattern)  # noqa: DTZ007  local; the zone is the caller's
    raise DataError(
        "Not a time",
        where=where,
        evidence=repr(text),
        next="write it as 31/12/2018 23:45 or 2018-12-31 23:45",
    )


def _count(text: str | None, where: str) -> int:
    try:
        counts = Fraction(text or "") * 1000 / WH_PER_COUNT
    except (ValueError, ZeroDivisionError) as error:
        raise DataError("Not an energy in kWh", where=where, evidence=repr(text)) from error
    if counts < 0 or counts.denominator != 1:
        raise DataError(
            "The energy is not a whole number of register counts",
            where=where,
            evidence=f"{text} kWh",
            cause="a register never goes back, and one count is 0.01 kWh",
        )
    return int(counts)


def _ends(times: Sequence[datetime]) -> Iterator[datetime]:
    """Yield the true ends: a midnight after a later time of the same date ends that day."""
    before: datetime | None = None
    for end in times:
        if before is not None and end.time() == time() and end.date() == before.date():
            end += timedelta(days=1)
        yield end
        before = end


def _evenly_spaced(ends_ms: Sequence[int], lines: Sequence[int], path: Path) -> None:
    step_ms = ends_ms[1] - ends_ms[0]
    for line, (before_ms, end_ms) in zip(lines[1:], pairwise(ends_ms), strict=True):
        if end_ms - before_ms != step_ms or step_ms <= 0:
            raise DataError(
                "The rows are not evenly spaced in time order",
                where=f"{path}:{line}",
                evidence=f"{(end_ms - before_ms) / 60_000:g} min after the row before, "
                f"not {step_ms / 60_000:g}",
                cause="a row is missing, stands twice or has another date; a row's time is the end of its "
                "interval, and midnight may carry the date of the day that ends",
            )
