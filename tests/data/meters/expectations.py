"""Work out from the files beside this one, with the standard library alone, what a reader must find in them.

    python tests/data/meters/expectations.py > tests/data/meters/expectations.json

Nothing of the program is used here: a mistake of its own cannot hide in its own expectations. All energy is
in whole hundredths of a Wh [cWh], for the finest file counts those.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NEM_TIME = timezone(timedelta(hours=10))  # all year round

Series: TypeAlias = list[tuple[datetime, int]]
Facts: TypeAlias = dict[str, object]


def cwh(text: str, unit_wh: int) -> int:
    """Return an energy [cWh] from its text in some unit [Wh]; an error where that is no whole number."""
    value = Decimal(text) * unit_wh * 100
    if value != int(value):
        raise ValueError(text)
    return int(value)


def rows_of(name: str) -> list[list[str]]:
    """Return the rows of a file, without empty ones."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row]


def by_local(series: Series, zone: ZoneInfo | timezone, pattern: str) -> dict[str, int]:
    """Return the energy of intervals by the local day or month in which they start [cWh]."""
    sums: dict[str, int] = defaultdict(int)
    for start, energy in series:
        sums[start.astimezone(zone).strftime(pattern)] += energy
    return dict(sums)


def gaps(starts: list[datetime], longest: timedelta) -> list[list[str]]:
    """Return from when to when nothing is on record."""
    return [
        [earlier.isoformat(), later.isoformat()]
        for earlier, later in pairwise(starts)
        if later - earlier > longest
    ]


def falls(series: Series) -> list[Facts]:
    """Return where a register fell, how far, and when it was back."""
    found: list[Facts] = []
    for (_, before), (time, after) in pairwise(series):
        if after < before:
            back = next(later for later, count in series if later > time and count >= before)
            found.append(
                {
                    "time": time.isoformat(),
                    "from": before,
                    "to": after,
                    "back": back.astimezone(UTC).isoformat(),
                }
            )
    return found


def lumps(series: Series, above_kw: int) -> list[list[object]]:
    """Return where a register rose faster than some power from one reading to the next [cWh]."""
    return [
        [later.isoformat(), rise]
        for (earlier, before), (later, after) in pairwise(series)
        if (rise := after - before) * 36 > above_kw * 1000 * (later - earlier).total_seconds()
    ]


def p1mon() -> Facts:
    """Four registers of a household, each minute, in local time."""
    head, *rows = rows_of("p1mon-e_history_min.csv")
    times = [datetime.fromisoformat(row[0]).replace(tzinfo=AMSTERDAM).astimezone(UTC) for row in rows]
    facts: Facts = {}
    for column, name in enumerate(head[1:], 1):
        series = [(time, cwh(row[column], 1000)) for time, row in zip(times, rows, strict=True)]
        midnights = {
            row[0][:10]: count
            for row, (_, count) in zip(rows, series, strict=True)
            if row[0][11:] == "00:00:00"
        }
        days = {
            day: midnights[following] - midnights[day]
            for day in midnights
            if (following := (date.fromisoformat(day) + timedelta(days=1)).isoformat()) in midnights
        }
        facts[name] = {
            "readings": len(series),
            "first": series[0][1],
            "last": series[-1][1],
            "total": series[-1][1] - series[0][1],
            "gaps": gaps(times, timedelta(minutes=1)),
            "falls": falls(series),
            "lumps": lumps(series, 17),
            "days": days,
        }
    return facts


def dsmr() -> Facts:
    """Energy of each hour of a year, in local time with its offset."""
    head, *rows = rows_of("dsmrreader-data-export-hour.csv")
    facts: Facts = {}
    for column in range(1, 5):
        series = [(datetime.fromisoformat(row[0]).astimezone(UTC), cwh(row[column], 1000)) for row in rows]
        hours = by_local([(time, 1) for time, _ in series], AMSTERDAM, "%Y-%m-%d")
        facts[head[column].split(" (")[0]] = {
            "hours": len(series),
            "total": sum(energy for _, energy in series),
            "gaps": gaps([time for time, _ in series], timedelta(hours=1)),
            "odd_days": {day: n for day, n in hours.items() if n != 24},
            "months": by_local(series, AMSTERDAM, "%Y-%m"),
            "days": {
                day: energy
                for day, energy in by_local(series, AMSTERDAM, "%Y-%m-%d").items()
                if day in ("2024-02-29", "2024-03-30", "2024-03-31", "2024-10-27", "2024-12-31")
            },
        }
    return facts


def shelly() -> Facts:
    """Energy of each 10 minutes, then of each minute, in UTC, in blocks out of order."""
    _, *rows = rows_of("shelly-em3-phaseA.csv")
    seen: dict[datetime, set[int]] = defaultdict(set)
    for time, energy, _ in rows:
        seen[datetime.fromisoformat(time).replace(tzinfo=UTC)].add(cwh(energy, 1))
    series = sorted((time, min(energies)) for time, energies in seen.items())
    starts = [time for time, _ in series]
    return {
        "rows": len(rows),
        "distinct": len(series),
        "conflicts": sum(len(energies) > 1 for energies in seen.values()),
        "first": starts[0].isoformat(),
        "last": starts[-1].isoformat(),
        "steps_s": sorted({int((b - a).total_seconds()) for a, b in pairwise(starts)}),
        "total": sum(energy for _, energy in series),
        "months": by_local(series, UTC, "%Y-%m"),
    }


def nem12() -> Facts:
    """Energy of each 5 minutes of two registers, with quality, in NEM time."""
    series: dict[str, Series] = defaultdict(list)
    flagged: dict[str, list[str]] = defaultdict(list)
    register = ""
    for row in rows_of("nem12-power-redacted.csv"):
        if row[0] == "200":
            register, unit, minutes = row[3], row[7], int(row[8])
            if (unit, minutes) != ("KWH", 5):
                raise ValueError(row)
        elif row[0] == "300":
            start = datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=NEM_TIME)
            values = row[2 : 2 + 24 * 60 // minutes]
            series[register] += [
                (start + timedelta(minutes=minutes) * index, cwh(value, 1000))
                for index, value in enumerate(values)
            ]
            if row[2 + len(values)] != "A":
                flagged[register].append(row[1])
        elif row[0] == "400" and row[3] != "A":
            flagged[register].append(f"{row[1]} to {row[2]} {row[3]}")
    return {
        register: {
            "intervals": len(each),
            "first": each[0][0].isoformat(),
            "last": each[-1][0].isoformat(),
            "gaps": gaps([time for time, _ in each], timedelta(minutes=5)),
            "flagged": flagged[register],
            "total": sum(energy for _, energy in each),
            "months": by_local(each, NEM_TIME, "%Y-%m"),
        }
        for register, each in series.items()
    }


def expectations() -> Facts:
    """Return all of them."""
    return {"p1mon": p1mon(), "dsmr": dsmr(), "shelly": shelly(), "nem12": nem12()}


if __name__ == "__main__":
    json.dump(expectations(), sys.stdout, indent=1)
    sys.stdout.write("\n")
