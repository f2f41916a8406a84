"""Recompute a month from its evidence, and say what differs.

    python3 verify.py                    the folder in which this file lies
    python3 verify.py EVIDENCE.zip       an archive, or another folder
    python3 verify.py ... --head HASH    with the chain's head that is printed beside the statement

It needs Python 3.10 or later and nothing else. It was written from the pages that describe the method, and
shares no code with the program that made the statement: what both get is what the method says.
Exit codes: 0 all is as it should be, 1 something differs, 2 wrong use, 3 the evidence cannot be read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

MANIFEST = "MANIFEST.sha256"
HALF_HOUR = 1_800_000
HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - an auditor's Python may be older
NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400}|/[0-9]{1,400})?")
READING = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:)(\d\d):(\d\d)(?:\.(\d{3}))?([+-]\d\d:\d\d),(-?\d{1,400}(?:\.\d{1,400})?)?,([012])",
    re.ASCII,
)

Number = int | Fraction
Reading = tuple[int, Number | None, int]
"""Instant [ms since 1970 UTC], count or None, quality: 0 good, 1 uncertain, 2 bad."""
Facts = dict[str, Any]
Label = dict[str, str]
Part = tuple[list[str], dict[str, Any], Fraction | None, Fraction | None, str | None, list[str]]
"""What products share: figures, shares, kWh, t, process, what is missing besides."""

# What reading a file can end in that was made to break the reader.
BROKEN = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)


# ---------------------------------------------------------------------------------- numbers and times


def text_of(number: Number) -> str:
    """An exact number as text: decimal where it ends, else numerator/denominator."""
    digits, rest = 0, number.denominator
    while rest % 10 == 0:
        digits, rest = digits + 1, rest // 10
    while rest % 2 == 0:
        digits, rest = digits + 1, rest // 2
    while rest % 5 == 0:
        digits, rest = digits + 1, rest // 5
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    return shortened(number, digits, "half")


def number_of(text: str) -> Number:
    """The exact number that a text stands for."""
    if not NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text[:40]!r}")
    return int(text) if text.lstrip("+-").isdigit() else Fraction(text)


def shortened(number: Number, digits: int, way: str, plus: bool = False) -> str:
    """A number with so many digits: half away from zero, or its size up or down."""
    size = abs(number) * 10**digits
    whole = {
        "half": (2 * size + 1) // 2,
        "up": -(-size // 1),
        "down": size // 1,
    }[way]
    figures = str(int(whole)).rjust(digits + 1, "0")
    if digits:
        figures = f"{figures[:-digits]}.{figures[-digits:]}"
    if not whole:
        return figures
    return ("-" if number < 0 else "+" if plus else "") + figures


def text_or_none(number: Number | None) -> str | None:
    return None if number is None else text_of(number)


def instant(text: str) -> int:
    """Milliseconds since 1970 UTC of a local time with offset."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def local(ms: int, zone: ZoneInfo) -> str:
    """An instant as local text with offset; milliseconds only where there are some."""
    at = (EPOCH + timedelta(milliseconds=ms)).astimezone(zone)
    return at.isoformat(timespec="milliseconds" if ms % 1000 else "seconds")


def beginning(year: int, month: int, zone: ZoneInfo) -> int:
    """First instant of a local month."""
    years, months = divmod(month - 1, 12)
    return (datetime(year + years, months + 1, 1, tzinfo=zone) - EPOCH) // timedelta(milliseconds=1)


# ------------------------------------------------------------------------------------- reading evidence


class Unreadable(Exception):
    """Evidence that cannot be read at all."""


class Evidence:
    """The files of an archive or a folder."""

    def __init__(self, names: list[str], read: Callable[[str], bytes]) -> None:
        self.names, self._read = names, read

    @classmethod
    def at(cls, path: Path) -> Evidence:
        """The files of an archive, or of a folder; hidden ones are no part of it."""
        try:
            if path.is_dir():
                found = (each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
                names = sorted(name for name in found if not name.startswith("."))
                return cls(names, lambda name: (path / name).read_bytes())
            archive = zipfile.ZipFile(path)
            return cls([each.filename for each in archive.infolist() if not each.is_dir()], archive.read)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unreadable(f"{path}: {error}") from error

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Evidence:
        """Files that are in memory."""
        return cls(list(files), files.__getitem__)

    def read(self, name: str) -> bytes:
        if name not in self.names:
            raise Wrong(name, 0, "it is not there")
        try:
            return self._read(name)
        except (*BROKEN, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise Wrong(name, 0, f"it cannot be read: {error}") from error

    def text(self, name: str) -> str:
        try:
            return self.read(name).decode()
        except UnicodeDecodeError as error:
            raise Wrong(name, 0, f"it is not UTF-8: {error}") from error

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.text(name))
        except ValueError as error:
            raise Wrong(name, getattr(error, "lineno", 0), f"it is not JSON: {error}") from error

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of a CSV file, each a dict of texts."""
        reader = csv.reader(io.StringIO(self.text(name), newline=""), strict=True)
        try:
            header = next(reader, [])
            rows = []
            for cells in reader:
                if len(cells) != len(header):
                    raise Wrong(name, reader.line_num, f"{len(cells)} cells where {len(header)} belong")
                plain = (cell[1:] if cell.startswith("'") else cell for cell in cells)
                rows.append(dict(zip(header, plain, strict=True)))
            return rows
        except csv.Error as error:
            raise Wrong(name, reader.line_num, f"it is not CSV: {error}") from error

    def readings(self, name: str) -> list[Reading]:
        """Rows of a file of readings: instant, count or None, quality."""
        lines = self.text(name).split("\n")
        if lines[0] != "time,count,quality" or lines[-1]:
            raise Wrong(name, 1, "it does not begin with time,count,quality, or its last line does not end")
        rows: list[Reading] = []
        hours: dict[tuple[str, str], int] = {}
        for number, line in enumerate(lines[1:-1], 2):
            found = READING.fullmatch(line)
            if found is None:
                raise Wrong(name, number, f"not a reading: {line[:60]!r}")
            hour, minute, second, ms, offset, count, quality = found.groups()
            if (hour, offset) not in hours:
                try:
                    hours[hour, offset] = instant(f"{hour}00:00{offset}")
                except ValueError as error:
                    raise Wrong(name, number, f"not a time: {line[:60]!r}, {error}") from error
            at = hours[hour, offset] + int(minute) * 60_000 + int(second) * 1000 + int(ms or 0)
            rows.append((at, number_of(count) if count else None, int(quality)))
        return rows


class Wrong(Exception):
    """Something that differs: in which file, at which line (0 for the whole), and what."""

    def __init__(self, name: str, line: int, what: str) -> None:
        super().__init__(f"{name}{f' line {line}' if line else ''}: {what}")


# ------------------------------------------------------------------------------- registers: what they counted


class Register:
    """A meter's register: its readings in time order, what it has counted, and where it is cut."""

    def __init__(self, point: str, readings: list[Reading], installed: list[Facts]) -> None:
        self.point = point
        self.resolution = installed[-1]["resolution"]
        self.wrap = installed[-1]["wrap_at"]
        self.wrap_steps = None if self.wrap is None else int(self.wrap / self.resolution)
        speeds = [each["counts_per_hour"] for each in installed]
        self.speed = speeds[-1]
        self.fastest = None if None in speeds else max(speeds)
        self.exchanges = [
            later["from"] for earlier, later in pairwise(installed) if earlier["serial"] != later["serial"]
        ]
        best: dict[int, tuple[int, Number]] = {}
        for at, count, quality in readings:
            if count is not None and quality < 2:
                best[at] = min(best.get(at, (quality, count)), (quality, count))
        usable = [(at, count) for at, (_, count) in sorted(best.items())]
        if self.wrap is not None:
            usable = [(at, count) for at, count in usable if 0 <= count < self.wrap]
        self.times = [at for at, _ in usable]
        self.counts = [count for _, count in usable]
        self.total: list[int] = []
        self.segment: list[int] = []
        self.begins: list[int] = []
        self.follow()

    def follow(self) -> None:
        """Go from reading to reading: what has been counted, and in which segment."""
        steps = [int(count // self.resolution) for count in self.counts]
        turns = segment = 0
        stood = 0
        exchanged = {bisect_right(self.times, at - 1) for at in self.exchanges}
        for here, (at, step) in enumerate(zip(self.times, steps, strict=True)):
            if here == 0:
                self.begins.append(at)
            else:
                kind = "cut" if here in exchanged else self.judge(steps, here, stood)
                if kind == "rollover":
                    turns += self.wrap_steps or 0
                elif kind == "cut":
                    segment, turns = segment + 1, 0
                    self.begins.append(at)
                if step != steps[here - 1]:
                    stood = here
            self.total.append(step + turns)
            self.segment.append(segment)

    def judge(self, steps: list[int], here: int, stood: int) -> str:
        """Tell what happened between a reading and the one before it, since when it had stood still."""
        rise = steps[here] - steps[here - 1]
        if self.fastest is not None:
            while_ms = self.times[here] - self.times[stood] + 302_000
            most = int(self.fastest * Fraction(6, 5) * while_ms / (HOUR * self.resolution)) + 1
            if rise > most:
                return "cut"
        if self.wrap_steps is None:
            return "cut" if rise < 0 else "rise"
        forward, can = rise % self.wrap_steps, self.wrap_steps // 2
        if self.speed is not None:
            while_ms = self.times[here] - self.times[here - 1]
            can = int(self.speed * while_ms / (HOUR * self.resolution)) + 1
            if forward + self.wrap_steps <= can:
                return "cut"
        if rise >= 0:
            return "rise"
        return "rollover" if forward <= can else "cut"

    def at(self, ms: int) -> Facts:
        """The register at an instant: its bracket, and between both its value."""
        right = bisect_right(self.times, ms)
        left = right - 1
        if left >= 0 and self.times[left] == ms:
            right = left
        before = None if left < 0 else (self.times[left], self.counts[left])
        after = None if right >= len(self.times) else (self.times[right], self.counts[right])
        mark: Facts = {"ms": ms, "before": before, "after": after, "total": None, "segment": None}
        if before and after and self.segment[left] == self.segment[right]:
            low, high = self.total[left], self.total[right]
            mark |= {"low": low, "high": high, "segment": self.segment[left], "total": low}
            if low != high:
                mark["total"] += (high - low) * (ms - before[0]) // (after[0] - before[0])
        return mark

    def close(self, mark: Facts) -> int | None:
        """Whether a mark is known to half an hour; its segment, else None."""
        if mark["segment"] is None:
            return None
        near = mark["after"][0] - mark["before"][0] <= HALF_HOUR
        return mark["segment"] if near or mark["low"] == mark["high"] else None

    def wh(self, mark: Facts, worth: Fraction) -> int:
        """Whole Wh of a mark where a step is worth so many."""
        if self.wrap_steps is None:
            return int(mark["total"] * worth // 1)
        turns, steps = divmod(mark["total"], self.wrap_steps)
        return int(turns * (self.wrap_steps * worth // 1) + steps * worth // 1)


def energy(register: Register, installed: list[Facts], start: int, end: int, zone: ZoneInfo) -> Facts:
    """What a register says of a span: Wh or None, and what proves it."""
    within = [e for e in installed if e["from"] < end and (e["to"] is None or e["to"] > start)]
    worths: list[Fraction] = []
    changes: list[Facts] = []
    for each in within:
        worth = each["multiplier"] * register.resolution
        if worths and worths[-1] != worth:
            changes.append(register.at(each["from"]))
        if not worths or worths[-1] != worth:
            worths.append(worth)
    first, last = register.at(start), register.at(end)
    lacks = list(dict.fromkeys(lacking(register, within, first, last, zone)))
    marks = [first, *changes, last]
    found: Facts = {"wh": None, "unproven": None, "origin": "missing", "lacks": lacks}
    if not lacks:
        found["wh"] = sum(
            register.wh(later, worth) - register.wh(earlier, worth)
            for worth, (earlier, later) in zip(worths, pairwise(marks), strict=True)
        )
        found["unproven"] = 0
        for number, mark in enumerate(marks):
            earlier = worths[number - 1] if number else 0
            later = worths[number] if number < len(worths) else 0
            width = mark["high"] - mark["low"]
            if width:
                found["unproven"] += int(-(-abs(later - earlier) * width // 1))
                found["unproven"] += bool(earlier and later)
        near = all(register.close(mark) is not None for mark in marks)
        found["origin"] = "measured" if near else "interpolated"
    grid = [*range(start, end, HALF_HOUR), end]
    known = [register.close(register.at(ms)) for ms in grid]
    found["covered"] = sum(a is not None and a == b for a, b in pairwise(known))
    found["half_hours"] = len(grid) - 1
    found["installed"] = within
    found["marks"] = (first, changes, last)
    return found


def lacking(
    register: Register, within: list[Facts], first: Facts, last: Facts, zone: ZoneInfo
) -> Iterator[str]:
    """Yield, in words, what keeps a span from having a value."""
    start, end = first["ms"], last["ms"]
    cut = "the register fell or jumped, was exchanged or may have turned unseen at"
    for mark in (first, last):
        at = local(mark["ms"], zone)
        if mark["before"] is None:
            yield f"no reading at or before {at}"
        if mark["after"] is None:
            yield f"no reading at or after {at}"
        if mark["before"] and mark["after"] and mark["segment"] is None:
            yield f"{cut} {at}"
    if first["segment"] is not None and last["segment"] is not None:
        for segment in range(first["segment"] + 1, last["segment"] + 1):
            yield f"{cut} {local(register.begins[segment], zone)}"
    for earlier, later in pairwise(within):
        if earlier["serial"] != later["serial"]:
            yield f"{cut} {local(later['from'], zone)}"
    reached = start
    for each in within:
        if each["from"] > reached:
            yield f"no installation is on record at {local(reached, zone)}"
        reached = end if each["to"] is None else each["to"]
    if reached < end or not within:
        yield f"no installation is on record at {local(reached, zone)}"


def installation(row: dict[str, str]) -> Facts:
    """A row of installations.csv with its numbers."""
    number = {key: Fraction(row[key]) for key in ("ct", "vt", "wh_per_count", "resolution")}
    full = Fraction(row["full_scale_kw"]) if row["full_scale_kw"] else None
    worth = number["wh_per_count"]
    if row["side"] == "secondary":
        worth = worth * number["ct"] * number["vt"]
    return {
        **row,
        **number,
        "from": instant(row["from"]),
        "to": instant(row["to"]) if row["to"] else None,
        "wrap_at": int(row["wrap_at"]) if row["wrap_at"] else None,
        "full_scale_kw": full,
        "multiplier": worth,
        "counts_per_hour": None if full is None else full * 1000 / worth,
    }


# ---------------------------------------------------------------------------------------- the statement

UNITS = {
    "kg": ("mass", 1),
    "t": ("mass", 1000),
    "L": ("liquid", 1),
    "kL": ("liquid", 1000),
    "m3": ("volume", 1),
    "Nm3": ("gas at 0 degC", 1),
    "1000 Nm3": ("gas at 0 degC", 1000),
    "SATP m3": ("gas at 25 degC", 1),
    "1000 SATP m3": ("gas at 25 degC", 1000),
    "MJ": ("heat", 1),
    "GJ": ("heat", 1000),
}


class Misfit(Exception):
    """A unit that is not another one's."""


def converted(line: dict[str, str], unit: str) -> Fraction:
    """The quantity of a line in another unit."""
    (kind, size), (wanted, base) = (UNITS.get(each, (each, 1)) for each in (line["unit"], unit))
    if kind != wanted:
        raise Misfit(f"{line['unit']} is no {unit}")
    return Fraction(line["quantity"]) * Fraction(size, base)


class Statement:
    """A month's statement, figure by figure."""

    def __init__(self, evidence: Evidence, readings: dict[str, list[Reading]]) -> None:
        self.evidence = evidence
        month = evidence.json("inputs/month.json")
        self.plan = evidence.json("inputs/plan.json")
        self.month, self.closed, self.series = month["month"], month["closed"], month["electricity"]
        year, number = (int(part) for part in self.month.split("-"))
        self.fiscal_year = year if number >= 4 else year - 1
        self.sites = sorted(self.plan["sites"], key=lambda site: site["id"])
        zones = {site["time_zone"] for site in self.sites}
        if len(zones) != 1:
            raise Wrong("inputs/plan.json", 0, f"one time zone is wanted: {sorted(zones)}")
        self.zone = ZoneInfo(zones.pop())
        self.start, self.end = beginning(year, number, self.zone), beginning(year, number + 1, self.zone)
        self.half_hours = -(-(self.end - self.start) // HALF_HOUR)
        self.fuels, self.production = (
            evidence.table("inputs/fuels.csv"),
            evidence.table("inputs/production.csv"),
        )
        self.figures: dict[str, Facts] = {}
        self.values: dict[str, Fraction | None] = {}
        self.reasons: dict[str, list[str]] = {}
        self.statuses: dict[str, str] = {}
        self.energies: dict[str, Facts] = {}
        self.newest: int | None = None
        installed: dict[str, list[Facts]] = {}
        for row in evidence.table("inputs/installations.csv"):
            installed.setdefault(row["point"], []).append(installation(row))
        for site in self.sites:
            for meter in site["meters"]:
                point = f"{meter['id']}.{meter['quantity']}"
                behind = sorted(installed.get(point, []), key=lambda each: each["from"])
                register = Register(point, readings[point], behind)
                found = energy(register, behind, self.start, self.end, self.zone)
                self.energies[meter["id"]] = found
                self.energy_figure(site, meter, register, found)

    # -- figures ---------------------------------------------------------------------------------------

    def add(
        self,
        kind: str,
        name: str,
        label: Label,
        value: Fraction | None,
        unit: str,
        digits: int | None,
        inputs: Iterable[str] = (),
        reasons: Iterable[str] = (),
        way: str = "half",
        **facts: Any,
    ) -> str:
        """Put down a figure; without a value it says why."""
        body: Facts = {"id": name, "kind": kind, "label": label, "unit": unit, "inputs": list(inputs)}
        body["value"] = text_or_none(value)
        body["printed"] = None
        if value is not None:
            body["printed"] = body["value"] if digits is None else shortened(value, digits, way)
        else:
            body["not_summed"] = "; ".join(reasons)
        body.update(facts)
        self.figures[name], self.values[name], self.reasons[name] = body, value, list(reasons)
        return name

    def missing(self, names: Iterable[str]) -> list[str]:
        """What the figures without a value lack, each once."""
        found = [reason for name in names if self.values[name] is None for reason in self.reasons[name]]
        return list(dict.fromkeys(found))

    def total(
        self, kind: str, name: str, label: Label, parts: Iterable[str], lacks: Iterable[str] = ()
    ) -> str:
        parts = sorted(parts)
        known = [value for value in map(self.values.__getitem__, parts) if value is not None]
        whole = sum(known, Fraction(0)) if len(known) == len(parts) and not lacks else None
        return self.add(kind, name, label, whole, "t", 0, parts, [*self.missing(parts), *lacks])

    def energy_figure(self, site: Facts, meter: Facts, register: Register, found: Facts) -> None:
        zone = self.zone
        boundary = meter["id"] in site["boundary"]
        role = "dc" if meter["current"] == "dc" else "boundary" if boundary else "sub"
        value = None if found["wh"] is None else Fraction(found["wh"], 1000)
        first, changes, last = found["marks"]
        for mark in (first, *changes, last):
            for side in (mark["before"], mark["after"]):
                if side and (self.newest is None or side[0] > self.newest):
                    self.newest = side[0]
        self.add(
            "energy",
            f"energy.{meter['id']}",
            meter["name"],
            value,
            "kWh",
            0,
            reasons=[f"{meter['id']} ({meter['name']['en']}): {', '.join(found['lacks'])}"],
            site=site["id"],
            point=register.point,
            role=role,
            parent=meter["parent"],
            meter={
                "id": meter["id"],
                "name": meter["name"],
                "process": meter["process"],
                "current": meter["current"],
            },
            wh=found["wh"],
            origin=found["origin"],
            unproven_wh=found["unproven"],
            half_hours={"covered": found["covered"], "expected": found["half_hours"]},
            resolution=text_of(register.resolution),
            boundaries=[shown_mark(register, first, zone), shown_mark(register, last, zone)],
            changes=[shown_mark(register, mark, zone) for mark in changes],
            installations=[shown_installation(each, zone) for each in found["installed"]],
        )

    def factor_of_electricity(self) -> str:
        """The factor of the fiscal year, or a stand-in."""
        series, year = self.series, self.fiscal_year
        rows = {int(row["fiscal_year"]): row for row in self.evidence.table("inputs/electricity_factors.csv")}
        newest = max(rows, default=None)
        row, why, reason = rows.get(year), f"{series['id']} has FY{year}", None
        exact = row is not None
        if row is not None and self.closed and row["confidence"] == "C":
            named = f"{row['series']}.FY{year}"
            row, reason = None, f"the factor {named} is not verified and cannot make a month final"
        elif row is None:
            reason = f"no factor of {series['id']} for FY{year}"
            if newest is not None and newest < year <= newest + series["stand_in_years"] and not self.closed:
                row, why = rows[newest], f"FY{newest} stands in until FY{year} is published"
        if row is None:
            name = f"factor.{series['id']}.FY{year}"
            self.statuses[name] = "provisional"
            return self.add("factor", name, series["name"], None, "kg/kWh", None, reasons=[reason or ""])
        taken = int(row["fiscal_year"])
        status = row["status"] if exact and row["confidence"] != "C" else "provisional"
        name = f"factor.{row['series']}.FY{taken}"
        self.statuses[name] = status
        return self.add(
            "factor",
            name,
            series["name"],
            Fraction(row["kg_per_kwh"]),
            "kg/kWh",
            None,
            source=row["source"],
            locator=row["locator"],
            validity={"from": f"{taken}-04-01", "to": f"{taken + 1}-03-31"},
            confidence=row["confidence"],
            status=status,
            basis=row["basis"],
            definition=series["definition"],
            as_published=row["as_published"],
            note=row["note"],
            why=why,
            exact=exact,
        )

    def co2_of(self, kwh: Fraction | None) -> Fraction | None:
        """Tonnes of CO2 of electricity."""
        factor = self.values[self.grid]
        return None if kwh is None or factor is None else kwh * factor / 1000

    def factor_of_fuel(self, fuel: str) -> tuple[str, dict[str, str] | None]:
        """The figure of a fuel's factor and its row; the row is None where there is none."""
        year = self.fiscal_year
        rows = [row for row in self.evidence.table("inputs/fuel_factors.csv") if row["fuel"] == fuel]
        fits = [r for r in rows if int(r["fy_from"]) <= year and (not r["fy_to"] or year <= int(r["fy_to"]))]
        reason = None
        if len(fits) != 1:
            reason = f"{'more than one' if fits else 'no'} factor of {fuel} for FY{year}"
        elif self.closed and fits[0]["confidence"] == "C":
            named = f"{fuel}.{fits[0]['regime']}"
            reason = f"the factor {named} is not verified and cannot make a month final"
        if reason:
            name = f"factor.{fuel}.FY{year}"
            self.statuses[name] = "provisional"
            both = {"ja": fuel, "en": fuel}
            return self.add("factor", name, both, None, "t", None, reasons=[reason]), None
        row = fits[0]
        name = f"factor.{fuel}.{row['regime']}"
        status = "provisional" if row["confidence"] == "C" else row["status"]
        self.statuses[name] = status
        last = int(row["fy_to"]) if row["fy_to"] else None
        years = f"FY{row['fy_from']} " + ("onward" if last is None else f"to FY{last}")
        self.add(
            "factor",
            name,
            {"ja": row["name_ja"], "en": row["name_en"]},
            Fraction(row["gcv"]) * Fraction(row["carbon"]) * 44 / 12,
            f"t/{row['unit']}",
            5,
            gcv=row["gcv"],
            carbon=row["carbon"],
            published=row["published"] or None,
            regime=row["regime"],
            source=row["source"],
            locator=row["locator"],
            validity={
                "from": f"{row['fy_from']}-04-01",
                "to": None if last is None else f"{last + 1}-03-31",
            },
            confidence=row["confidence"],
            status=status,
            note=row["note"],
            why=f"{row['regime']} is for {years}",
            exact=True,
        )
        return name, row

    def fuel_figures(self) -> None:
        """CO2 of each fuel of each site, and of each process."""
        self.burned = []
        lines = sorted(self.fuels, key=lambda line: (line["date"], line["document"], line["id"]))
        for site, fuel in sorted({(line["site"], line["fuel"]) for line in lines}):
            own = [line for line in lines if (line["site"], line["fuel"]) == (site, fuel)]
            factor, row = self.factor_of_fuel(fuel)
            unit = row["unit"] if row else own[0]["unit"]
            label = {"ja": row["name_ja"], "en": row["name_en"]} if row else {"ja": fuel, "en": fuel}
            amount, unfit = Fraction(0), list[str]()
            by_process: dict[str, Fraction] = {}
            for line in own:
                try:
                    quantity = converted(line, unit)
                except Misfit as error:
                    unfit.append(f"{label['en']}, {line['document']}: {error}")
                    continue
                amount += quantity
                if row:
                    tonnes = quantity * Fraction(row["gcv"]) * Fraction(row["carbon"]) * 44 / 12
                    by_process[line["process"]] = by_process.get(line["process"], Fraction(0)) + tonnes
            known = row is not None and not unfit
            named = ("id", "date", "process", "quantity", "unit", "document", "source")
            used = self.add(
                "fuel",
                f"fuel.{site}.{fuel}",
                label,
                None if unfit else amount,
                unit,
                1,
                reasons=unfit,
                site=site,
                fuel=fuel,
                lines=[{key: line[key] for key in named} for line in own],
            )
            emission = self.add(
                "emission",
                f"co2.scope1.{site}.{fuel}",
                {"ja": f"{label['ja']}のCO2", "en": f"CO2 of {label['en']}"},
                sum(by_process.values(), Fraction(0)) if known else None,
                "t",
                0,
                (used, factor),
                self.missing((used, factor)),
                site=site,
                amount=used,
                factor=factor,
            )
            processes = sorted({line["process"] for line in own})
            self.burned.append((site, emission, processes, by_process if known else {}))

    def balance_figures(self, site: Facts) -> list[str]:
        """Each meter that feeds others, less those."""
        names = {meter["id"]: meter for meter in site["meters"]}
        made = []
        for parent in sorted(names):
            below = [meter["id"] for meter in site["meters"] if meter["parent"] == parent]
            if not below:
                continue
            dc = names[parent]["current"] == "ac" and any(names[c]["current"] == "dc" for c in below)
            all_of = [self.energies[meter] for meter in (parent, *below)]
            absent = sorted(m for m in (parent, *below) if self.energies[m]["wh"] is None)
            difference = limit = ok = None
            if not absent:
                difference = all_of[0]["wh"] - sum(each["wh"] for each in all_of[1:])
                limits = [limit_of(each) for each in all_of]
                known = [each for each in limits if each is not None]
                if len(known) == len(limits):
                    limit = sum(known)
                    ok = difference >= -limit and (dc or difference <= limit)
            whole = all_of[0]["wh"]
            percent = Fraction(100 * difference, whole) if difference is not None and whole else None
            allowed = Fraction(100 * limit, whole) if limit is not None and whole else None
            label = names[parent]["name"]
            made.append(
                self.add(
                    "balance",
                    f"balance.{parent}",
                    {"ja": f"{label['ja']}－下位計の合計", "en": f"{label['en']} - children"},
                    None if difference is None else Fraction(difference, 1000),
                    "kWh",
                    0,
                    [f"energy.{meter}" for meter in (parent, *sorted(below))],
                    [f"{meter} ({names[meter]['name']['en']}): no energy" for meter in absent],
                    site=site["id"],
                    balance_kind="rectifier" if dc else "remainder",
                    parent=parent,
                    children=sorted(below),
                    difference_wh=difference,
                    limit_wh=limit,
                    percent=text_or_none(percent),
                    percent_printed=None if percent is None else shortened(percent, 2, "half"),
                    limit_percent=text_or_none(allowed),
                    limit_percent_printed=None if allowed is None else shortened(allowed, 2, "half"),
                    ok=ok,
                )
            )
        return made

    def completeness(self, boundary: list[str]) -> None:
        """Time that is covered, and what is unproven, of the boundary set."""
        found = [self.energies[meter] for meter in boundary]
        covered, expected = sum(each["covered"] for each in found), len(found) * self.half_hours
        bounds = [each["unproven"] for each in found]
        unproven = None if None in bounds else sum(bounds)
        kwh = None if unproven is None else Fraction(unproven, 1000)
        tonnes = self.co2_of(kwh)
        self.add(
            "completeness",
            "completeness",
            {"ja": "カバー率と未確認", "en": "completeness"},
            Fraction(100 * covered, expected),
            "%",
            2,
            sorted(f"energy.{meter}" for meter in boundary),
            way="down",
            half_hours={"covered": covered, "expected": expected},
            share=text_of(Fraction(covered, expected)),
            unproven_wh=unproven,
            unproven_kwh_printed=None if kwh is None else shortened(kwh, 0, "up"),
            unproven_t=text_or_none(tonnes),
            unproven_t_printed=None if tonnes is None else shortened(tonnes, 2, "up"),
        )

    def production_figures(self) -> list[str]:
        """What was made of each product."""
        made = []
        for product, name in sorted(self.plan["products"].items()):
            lines = sorted((e for e in self.production if e["product"] == product), key=lambda e: e["id"])
            tonnes = Fraction(0)
            reasons = [] if lines else [f"production of {name['en']}: no line of {self.month}"]
            for line in lines:
                try:
                    tonnes += converted(line, "t")
                except Misfit as error:
                    reasons.append(f"production of {name['en']}, {line['document']}: {error}")
            named = ("id", "site", "quantity", "unit", "document", "source")
            made.append(
                self.add(
                    "production",
                    f"production.{product}",
                    name,
                    None if reasons else tonnes,
                    "t",
                    1,
                    reasons=reasons,
                    lines=[{key: line[key] for key in named} for line in lines],
                )
            )
        return made

    def unreported(self, site: Facts) -> Iterator[tuple[str, str]]:
        """Processes that burn fuel and of which there is no line."""
        told = {line["process"] for line in self.fuels if line["site"] == site["id"]}
        rules = (site["allocation"] or {}).get("fuels") or {}
        for process in sorted(set(rules) - told):
            yield process, f"fuel of process {process} at {site['id']}: no line of {self.month}"

    def remainder(self, site: Facts, rule: Facts) -> str:
        """What the boundary set took in and no allocated meter measured."""
        boundary, allocated = sorted(site["boundary"]), sorted(rule["meters"])
        names = [f"energy.{meter}" for meter in (*boundary, *allocated)]
        lacks = self.missing(names)
        taken = [self.values[f"energy.{meter}"] or 0 for meter in boundary]
        borne = [self.values[f"energy.{meter}"] or 0 for meter in allocated]
        label = site["name"]
        shares = rule["remainder"]
        return self.add(
            "remainder",
            f"remainder.{site['id']}",
            {
                "ja": f"{label['ja']}の残り（算定境界－配分した計器）",
                "en": f"remainder of {label['en']}",
            },
            None if lacks else Fraction(sum(taken) - sum(borne)),
            "kWh",
            0,
            list(dict.fromkeys(names)),
            lacks,
            site=site["id"],
            boundary=boundary,
            allocated=allocated,
            shares=None
            if shares is None
            else {product: text_of(Fraction(shares[product])) for product in shares},
        )

    def shared(self) -> Iterator[Part]:
        """Yield what products share."""
        for site in self.sites:
            rule = site["allocation"]
            if rule is None:
                continue
            remainder = self.remainder(site, rule)
            for meter, shares in sorted(rule["meters"].items()):
                name = f"energy.{meter}"
                kwh = self.values[name]
                yield [name, self.grid], shares, kwh, self.co2_of(kwh), None, []
            if rule["remainder"] is not None:
                kwh = self.values[remainder]
                yield [remainder, self.grid], rule["remainder"], kwh, self.co2_of(kwh), None, []
            everyone = {
                product: 0
                for shares in (*rule["meters"].values(), *rule["fuels"].values(), rule["remainder"] or {})
                for product in shares
            }
            for burning, emission, processes, by_process in self.burned:
                for process in processes if burning == site["id"] else ():
                    if process in rule["fuels"]:
                        yield [emission], rule["fuels"][process], None, by_process.get(process), process, []
                    else:
                        lack = f"fuel of process {process} at {burning}: no rule says which product bears it"
                        yield [emission], everyone, None, None, process, [lack]
            for process, lack in self.unreported(site):
                yield [], rule["fuels"][process], None, None, process, [lack]

    def intensity(self, product: str, produced: str, parts: list[Part]) -> str:
        """What a tonne of a product bears."""
        own = [part for part in parts if product in part[1]]
        names = [produced, *(name for part in own for name in part[0])]
        reasons = [*self.missing(names), *(lack for part in own for lack in part[5])]
        label = self.figures[produced]["label"]
        if not own:
            reasons.append(f"no rule gives anything to {label['en']}")
        made = self.values[produced]
        if made == 0:
            reasons.append(f"production of {label['en']} is 0")
        terms, tonnes, kwh = [], Fraction(0), Fraction(0)
        for figures, shares, part_kwh, part_t, process, _ in own:
            share = Fraction(shares[product])
            borne_kwh = None if part_kwh is None else part_kwh * share
            borne_t = None if part_t is None else part_t * share
            tonnes, kwh = tonnes + (borne_t or 0), kwh + (borne_kwh or 0)
            terms.append(
                {
                    "figure": figures[0] if figures else None,
                    "process": process,
                    "share": text_of(share),
                    "kwh": text_or_none(borne_kwh),
                    "co2_t": text_or_none(borne_t),
                }
            )
        known = made if made and not reasons else None
        each = kwh / known if known else None
        return self.add(
            "intensity",
            f"intensity.{product}",
            {"ja": f"{label['ja']}のCO2原単位", "en": f"CO2 intensity of {label['en']}"},
            tonnes / known if known else None,
            "t/t",
            3,
            sorted(set(names)),
            list(dict.fromkeys(reasons)),
            product=product,
            production=produced,
            terms=terms,
            co2_t=text_of(tonnes) if known else None,
            kwh=text_of(kwh) if known else None,
            kwh_per_t=text_or_none(each),
            kwh_per_t_printed=None if each is None else shortened(each, 0, "half"),
        )

    def target(self, aim: Fraction) -> str:
        """The month's target, and how far from it the month is."""
        actual = self.values["co2"]
        delta = None if actual is None else actual - aim
        percent = None if delta is None else delta / aim * 100
        return self.add(
            "target",
            "target.month",
            {"ja": "月目標", "en": "target of the month"},
            aim,
            "t",
            0,
            ["co2"],
            month=self.month,
            actual="co2",
            delta=text_or_none(delta),
            delta_printed=None if delta is None else shortened(delta, 0, "half", plus=True),
            delta_percent=text_or_none(percent),
            delta_percent_printed=None if percent is None else shortened(percent, 1, "half", plus=True),
        )

    def tree(self, site: Facts) -> Iterator[str]:
        """Energies of a site: boundary set first, each before what it feeds, the largest first."""

        def below(meters: Iterable[str]) -> Iterator[str]:
            for name in sorted((f"energy.{meter}" for meter in meters), key=self.by_size):
                yield name
                fed = name[len("energy.") :]
                yield from below(m["id"] for m in site["meters"] if m["parent"] == fed)

        tops = [meter["id"] for meter in site["meters"] if meter["parent"] is None]
        yield from below(meter for meter in tops if meter in site["boundary"])
        yield from below(meter for meter in tops if meter not in site["boundary"])

    def by_size(self, name: str) -> tuple[bool, Fraction, str]:
        value = self.values[name]
        return value is None, -(value or Fraction(0)), name

    def document(self) -> Facts:
        """The whole statement."""
        self.grid = self.factor_of_electricity()
        self.fuel_figures()
        boundary = [meter for site in self.sites for meter in sorted(site["boundary"])]
        bought = []
        for site in self.sites:
            for meter in site["boundary"]:
                name = f"energy.{meter}"
                label = self.figures[name]["label"]
                bought.append(
                    self.add(
                        "emission",
                        f"co2.scope2.{meter}",
                        {"ja": f"{label['ja']}のCO2", "en": f"CO2 of {label['en']}"},
                        self.co2_of(self.values[name]),
                        "t",
                        0,
                        (name, self.grid),
                        self.missing((name, self.grid)),
                        site=site["id"],
                        amount=name,
                        factor=self.grid,
                    )
                )
        emissions = [emission for _, emission, _, _ in self.burned]
        absent = [lack for site in self.sites for _, lack in self.unreported(site)]
        scope1, scope2 = (
            {"ja": "スコープ1（燃料）", "en": "scope 1, fuel"},
            {
                "ja": "スコープ2（電力）",
                "en": "scope 2, electricity",
            },
        )
        self.total("scope", "co2.scope1", scope1, emissions, absent)
        self.total("scope", "co2.scope2", scope2, bought)
        whole = {"ja": "CO2排出量（スコープ1＋2）", "en": "CO2, scope 1 and 2"}
        self.total("total", "co2", whole, ["co2.scope1", "co2.scope2"])
        self.completeness(boundary)
        balances = [name for site in self.sites for name in self.balance_figures(site)]
        production = self.production_figures()
        parts = list(self.shared())
        intensities = [self.intensity(name[len("production.") :], name, parts) for name in production]
        aims = self.plan["targets"]
        targets = [self.target(Fraction(aims[self.month]))] if self.month in aims else []
        return {
            **self.header(),
            "figures": self.figures,
            "tables": {
                "scopes": ["co2.scope2", "co2.scope1"],
                "electricity": [name for site in self.sites for name in self.tree(site)],
                "fuels": sorted(emissions, key=self.by_size),
                "intensities": intensities,
                "balances": balances,
                "targets": targets,
                "production": production,
            },
        }

    def header(self) -> Facts:
        """What stands above the figures."""
        provisional = sorted(name for name, status in self.statuses.items() if status == "provisional")
        reasons = [] if self.closed else [{"ja": "活動量が受付中", "en": "the activity is open"}]
        reasons += [{"ja": f"{name}が未確定", "en": f"{name} is not final"} for name in provisional]
        return {
            "schema": "seiren.statement/1",
            "method": "seiren.method/1",
            "month": self.month,
            "fiscal_year": self.fiscal_year,
            "interval": {
                "start": local(self.start, self.zone),
                "end": local(self.end, self.zone),
                "time_zone": self.zone.key,
            },
            "company": self.plan["company"],
            "sites": {site["id"]: site["name"] for site in self.sites},
            "synthetic": self.plan["synthetic"],
            "as_of": None if self.newest is None else local(self.newest, self.zone),
            "status": {
                "activity": "closed" if self.closed else "open",
                "factors": "provisional" if provisional else "final",
                "month": "provisional" if reasons else "final",
                "reasons": reasons,
            },
            "basis": {"id": self.series["id"], **self.series["name"]},
        }


def limit_of(found: Facts) -> int | None:
    """What a meter's class and brackets may be off [Wh]; None where a class is not known."""
    classes = [each["accuracy_class"] for each in found["installed"]]
    if not all(classes):
        return None
    percents = {"A": Fraction(2), "B": Fraction(1), "C": Fraction(1, 2)}
    worst = max(percents[each] if each in percents else Fraction(each.rstrip("S")) for each in classes)
    return int(-(-found["wh"] * worst / 100 // 1)) + int(found["unproven"])


def shown_mark(register: Register, mark: Facts, zone: ZoneInfo) -> Facts:
    """A boundary as the statement has it."""
    sides = {}
    for side in ("before", "after"):
        held = mark[side]
        sides[side] = held and {
            "time": local(held[0], zone),
            "time_ms": held[0],
            "count": held[1] if isinstance(held[1], int) else text_of(held[1]),
        }
    total, known = mark["total"], mark["segment"] is not None
    method = "missing"
    if known:
        method = "exact" if mark["low"] == mark["high"] else "interpolated"
    wrap = register.wrap_steps
    return {
        "time": local(mark["ms"], zone),
        "time_ms": mark["ms"],
        "method": method,
        "count": total % wrap if known and wrap else total,
        "accumulated": total,
        "lower": mark["low"] if known else None,
        "upper": mark["high"] if known else None,
        **sides,
    }


def shown_installation(each: Facts, zone: ZoneInfo) -> Facts:
    """An installation as the statement has it."""
    return {
        "from": local(each["from"], zone),
        "serial": each["serial"],
        "ct": each["ct_text"],
        "vt": each["vt_text"],
        "side": each["side"],
        "profile": each["profile"],
        "accuracy_class": each["accuracy_class"] or None,
        "full_scale_kw": text_or_none(each["full_scale_kw"]),
        "calibration_until": each["calibration_until"] or None,
        "wh_per_count": text_of(each["wh_per_count"]),
        "multiplier_wh": text_of(each["multiplier"]),
        "evidence": each["evidence"],
    }


# -------------------------------------------------------------------------------------------- the checks


def packed(start: int, rows: list[Reading]) -> bytes:
    """The readings of one half-hour as bytes, as docs/audit.md lays them out."""
    rows = sorted(set(rows), key=by_time)
    texts = [text_of(Fraction(count)) for _, count, _ in rows if count is not None]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    shifted = [None if count is None else int(count * 10**decimals) for _, count, _ in rows]
    base = min((count for count in shifted if count is not None), default=0)
    above = [0 if count is None else count - base for count in shifted]
    gaps = [later - earlier for earlier, later in pairwise((start, *(row[0] for row in rows)))]
    grades = bytes(3 if count is None else quality for _, count, quality in rows)
    base_width = base.bit_length() // 8 + 1
    gap_width = 2 if max(gaps, default=0) < 65536 else 4
    needed = (max(above, default=0).bit_length() + 7) // 8
    count_width = next((width for width in (0, 1, 2, 4, 8) if width >= needed), needed)
    graded = any(grades)
    head = struct.pack("<BBBIHHH", 1, int(graded), gap_width, len(rows), decimals, base_width, count_width)
    return b"".join(
        (
            head,
            base.to_bytes(base_width, "little", signed=True),
            b"".join(gap.to_bytes(gap_width, "little") for gap in gaps),
            b"".join(count.to_bytes(count_width, "little") for count in above) if count_width else b"",
            grades if graded else b"",
        )
    )


def content_hash(point: str, readings: list[Reading]) -> tuple[int, str]:
    """How many half-hours some readings are in, and the SHA-256 of all of them."""
    cells: dict[int, list[Reading]] = {}
    for row in readings:
        cells.setdefault(row[0] - row[0] % HALF_HOUR, []).append(row)
    digest, name = hashlib.sha256(), point.encode()
    for start in sorted(cells):
        data = packed(start, cells[start])
        digest.update(b"%d %d %d\n" % (len(name), start, len(data)) + name + data)
    return len(cells), digest.hexdigest()


def canonical(document: Any) -> bytes:
    """The one JSON text of a document."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def statement_text(document: Facts) -> str:
    """A statement as it is written down."""
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def by_time(row: Reading) -> tuple[int, bool, Number, int]:
    """The order of readings, also of those of one instant."""
    return row[0], row[1] is not None, row[1] or 0, row[2]


class Check:
    """One look at some evidence: what was found, and what differs."""

    def __init__(self, path: Path, head: str = "") -> None:
        self.wrong: list[str] = []
        self.found: list[str] = []
        self.evidence = Evidence.at(path)
        names = self.evidence.names
        self.readings: dict[str, list[Reading]] = {}
        for step in (self.manifest, self.decisions, self.closing, self.lines, self.cells, self.statement):
            try:
                step()
            except Wrong as error:
                self.wrong.append(str(error))
            except BROKEN as error:
                self.wrong.append(f"{step.__name__}: it cannot be worked out: {error!r:.200}")
        if head:
            self.compare_head(head)
        self.names = names

    def differs(self, name: str, line: int, what: str) -> None:
        self.wrong.append(str(Wrong(name, line, what)))

    def manifest(self) -> None:
        """Each file is the one that the manifest names, and there is no other."""
        listed: dict[str, tuple[int, str]] = {}
        text = self.evidence.text(MANIFEST)
        lines = text.split("\n")
        if lines.pop():
            self.differs(MANIFEST, len(lines) + 1, "its last line does not end")
        for number, line in enumerate(lines, 1):
            found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
            if found is None or found[2] in listed:
                self.differs(MANIFEST, number, f"not a hash and a name of its own: {line[:80]!r}")
            else:
                listed[found[2]] = number, found[1]
        present = [name for name in self.evidence.names if name != MANIFEST]
        for name in sorted({name for name in present if present.count(name) > 1}):
            self.differs(name, 0, "it is there twice")
        for name in sorted(set(present) - listed.keys()):
            self.differs(name, 0, f"it is not in {MANIFEST}")
        for name, (number, due) in listed.items():
            try:
                is_ = sha256(self.evidence.read(name))
            except Wrong as error:
                self.wrong.append(str(error))
                continue
            if is_ != due:
                self.differs(
                    name,
                    0,
                    f"it is not what {MANIFEST} line {number} says: SHA-256 {is_[:16]}..., not {due[:16]}...",
                )
        self.found.append(f"{len(listed)} files, each with its hash")

    def decisions(self) -> None:
        """Each decision holds the hash of the one before it."""
        name = "decisions.jsonl"
        self.chain: list[dict[str, Any]] = []
        before = "0" * 64
        lines = self.evidence.text(name).split("\n")
        if lines.pop():
            self.differs(name, len(lines) + 1, "its last line does not end")
        for number, line in enumerate(lines, 1):
            try:
                each = json.loads(line)
                body = json.loads(each["body"])
                whole = [
                    each[key]
                    for key in ("number", "time_ms", "person", "account", "kind", "reason", "body", "prev")
                ]
            except BROKEN as error:
                self.differs(name, number, f"not a decision: {error!r:.100}")
                continue
            if canonical(each).decode() != line or len(each) != 9:
                self.differs(name, number, "not a decision as it is written")
            if each["number"] != number:
                self.differs(name, number, f"decision {each['number']} stands where {number} belongs")
            if each["prev"] != before:
                self.differs(name, number, "it does not follow from the decision before it")
            if each["hash"] != sha256(canonical(whole)):
                self.differs(name, number, "it is not what was decided: its hash is another")
            before = each["hash"]
            self.chain.append({**each, "facts": body})
        self.head = f"{len(lines)} {before}"
        self.found.append(f"{len(lines)} decisions, head {len(lines)} {before[:32]}")

    def closing(self) -> None:
        """A closed month is what was approved."""
        self.files = {
            name: self.evidence.text(name) for name in self.evidence.names if name.startswith("inputs/")
        }
        month = json.loads(self.files["inputs/month.json"])
        self.month, self.closed = month["month"], month["closed"]
        name, bound = "decisions.jsonl", None
        for number, each in enumerate(self.chain, 1):
            about = each["facts"]["months"] if each["kind"] == "restate" else [each["facts"]]
            for one in about if each["kind"] in ("approve", "restate", "reopen") else ():
                if one["month"] == self.month:
                    bound = None if each["kind"] == "reopen" else (number, each, one)
        if bound is None:
            if self.closed:
                raise Wrong(name, 0, f"{self.month} is said to be closed, and nobody approved it")
            self.found.append(f"{self.month} is open: nothing is approved")
            return
        if not self.closed:
            self.differs("inputs/month.json", 0, f"{self.month} is said to be open, and was approved")
        number, each, facts = bound
        due = {
            "statement.json": ("statement", sha256(self.evidence.read("statement.json"))),
            "inputs/": ("inputs", sha256(canonical(self.files))),
        }
        for file, (key, is_) in due.items():
            if facts[key] != is_:
                self.differs(file, 0, f"it is not what {name} line {number} approved")
        when = (EPOCH + timedelta(milliseconds=each["time_ms"])).isoformat(timespec="seconds")
        self.found.append(
            f"{self.month} closed by {each['person']} on {when}, decision {each['number']}, "
            f"revision {facts['revision']}"
        )

    def lines(self) -> None:
        """Each line of fuel and production has the id that its contents give."""
        kinds = {
            "fuel": ("site", "process", "fuel", "date", "quantity", "unit", "document"),
            "production": ("month", "site", "product", "quantity", "unit", "document"),
        }
        count = 0
        for kind, fields in kinds.items():
            name = "inputs/fuels.csv" if kind == "fuel" else "inputs/production.csv"
            for number, row in enumerate(self.evidence.table(name), 2):
                count += 1
                if row["id"] != sha256(canonical([kind, *(row[field] for field in fields)]))[:32]:
                    self.differs(name, number, "its id is not that of its contents")
        self.found.append(f"{count} lines of fuel and production, each with its id")

    def cells(self) -> None:
        """All readings of each point are those that were hashed."""
        name, total = "inputs/cells.csv", 0
        self.whole: dict[str, list[Reading]] = {}
        for number, row in enumerate(self.evidence.table(name), 2):
            point, file = row["point"], f"cells/{row['point']}.csv"
            readings = self.evidence.readings(file)
            total += len(readings)
            self.whole[point] = readings
            cells, hashed = content_hash(point, readings)
            if hashed == row["sha256"]:
                if [row["cells"], row["readings"]] != [str(cells), str(len(readings))]:
                    self.differs(name, number, f"there are {cells} half-hours and {len(readings)} readings")
                continue
            more = len(readings) - int(row["readings"])
            if not self.closed or more <= 0:
                self.differs(file, 0, f"these are not the readings that {name} line {number} tells of")
            else:
                self.found.append(
                    f"{more} readings of {point} came after the closing; the statement rests on none of them"
                )
                self.whole[point] = []
        self.found.append(f"{total} readings of {len(self.whole)} points")

    def statement(self) -> None:
        """The statement follows from the readings it rests on, and from all of them."""
        is_ = self.evidence.text("statement.json")
        used = {name: self.evidence.readings(f"inputs/readings/{name}.csv") for name in self.whole}
        self.compare("the readings it rests on", is_, used)
        put_right = self.corrected()
        for point, readings in used.items():
            lacking = set(readings) - set(put_right[point]) if self.whole[point] else ()
            for at, count, _ in sorted(lacking)[:3]:
                self.differs(
                    f"inputs/readings/{point}.csv",
                    0,
                    f"{count} at {at} is neither among all readings nor entered",
                )
        self.compare("all readings", is_, {p: put_right[p] if self.whole[p] else used[p] for p in used})

    def compare(self, what: str, is_: str, readings: dict[str, list[Reading]]) -> None:
        """Work the statement out, and name the lines that differ."""
        due = statement_text(Statement(self.evidence, readings).document())
        if due == is_:
            self.found.append(f"the statement follows from {what}, to the last byte")
            return
        figure, told = "", 0
        for number, (line, right) in enumerate(
            zip_longest(is_.split("\n"), due.split("\n"), fillvalue=""), 1
        ):
            if line.startswith('  "'):
                figure = ""
            if re.match(r'    "[^"]+": {$', line):
                figure = line.strip()[1:-4]
            if line != right:
                where = f" in {figure}" if figure else ""
                self.differs(
                    "statement.json", number, f"{line.strip()[:60]}{where}, from {what}: {right.strip()[:60]}"
                )
                told += 1
                if told == 5:
                    self.differs("statement.json", 0, "and so on")
                    return

    def corrected(self) -> dict[str, list[Reading]]:
        """All readings, less those that people excluded, with those that they entered."""
        history = [each for each in self.chain if each["kind"] == "correction"]
        undone: set[int] = set()
        for each in reversed(history):
            if each["facts"]["what"] == "undo" and each["number"] not in undone:
                undone.add(each["facts"]["number"])
        found = {point: set(readings) for point, readings in self.whole.items()}
        for each in history:
            facts = each["facts"]
            if each["number"] in undone or facts.get("point") not in found:
                continue
            rows = found[facts["point"]]
            if facts["what"] == "exclude":
                start = facts["time_ms"] if "time_ms" in facts else facts["start_ms"]
                end = start + 1 if "time_ms" in facts else facts["end_ms"]
                rows = {row for row in rows if not start <= row[0] < end}
            elif facts["what"] == "enter":
                at = facts["time_ms"]
                rows = {row for row in rows if row[0] != at} | {(at, number_of(facts["count"]), 0)}
            found[facts["point"]] = rows
        return {point: sorted(rows, key=by_time) for point, rows in found.items()}

    def compare_head(self, head: str) -> None:
        """The chain ends as it is printed beside the statement: with this hash, or what it begins with."""
        if len(head) < 16 or not self.head.split()[1].startswith(head):
            self.differs("decisions.jsonl", 0, f"the chain ends with {self.head[:40]}, not with {head}")


def own_text() -> bytes:
    """This file."""
    return Path(__file__).read_bytes()


def main(arguments: list[str]) -> int:
    """Check evidence and say what was found; the exit code."""
    words, head = list(arguments), ""
    if "--head" in words[:-1]:
        at = words.index("--head")
        head = words.pop(at + 1)
        del words[at]
    if len(words) > 1 or any(word.startswith("-") for word in words):
        sys.stdout.write(__doc__ or "")
        return 2
    try:
        check = Check(Path(words[0]) if words else Path(__file__).parent, head)
    except Unreadable as error:
        sys.stderr.write(f"the evidence cannot be read: {error}\n")
        return 3
    for line in check.found:
        sys.stdout.write(f" {line}\n")
    for line in check.wrong:
        sys.stdout.write(f"DIFFERS {line}\n")
    sys.stdout.write("something differs\n" if check.wrong else "all is as it should be\n")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
