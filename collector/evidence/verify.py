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
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, pairwise, zip_longest
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

MANIFEST = "MANIFEST.sha256"
HALF_HOUR = 1_800_000
HOUR = 3_600_000
RETURN, STILL, LUMP = 6 * HOUR, 7 * 24 * HOUR, 302_000
EVER = 1 << 62
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - an auditor's Python may be older
NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400}|/[0-9]{1,400})?")
READING = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:)(\d\d):(\d\d)(?:\.(\d{3}))?([+-]\d\d:\d\d),(-?\d{1,400}(?:\.\d{1,400})?)?,([012])",
    re.ASCII,
)

NO_BEFORE, NO_AFTER = "no reading at or before", "no reading at or after"
CUT = "the register fell or jumped, was exchanged or may have turned unseen at"
NO_INSTALLATION = "no installation is on record at"
NO_VALUE = "nothing was measured, billed or entered from"
ORIGINS = ("measured", "interpolated", "billed", "manual", "substituted", "integrated", "missing")

EXPLANATIONS = {
    "rollover": "the register passed its last count and went on from 0",
    "reset": "the register was set to 0, or lost its count in a power failure",
    "fall": "a meter that is not on record, a register set back, or a reset (without full scale)",
    "jump": "another meter that is not on record, or another scale or word order",
    "exchange": "another meter, by the installations on record",
    "silence": "nothing was read for as long as the register needs for a whole turn",
    "dip": "the meter was starting, or a wrong value was read",
    "spike": "a wrong value was read",
    "frozen": "the display stood still and made up for it at once",
    "open": "readings that are still to come will tell",
    "out_of_range": "a wrong value was read, or the wrap on record is wrong",
    "stood_still": "no load, a meter that is cut off, or a register that is frozen",
}

Number = int | Fraction
Count = int | Decimal
Reading = tuple[int, Count | None, int]
"""Instant [ms since 1970 UTC], count or None, quality: 0 good, 1 uncertain, 2 bad."""
Event = tuple[int, str, str]
"""Instant [ms since 1970 UTC], kind, evidence."""
Hole = tuple[int, int, str, int]
"""Where nothing is known: start, end [ms since 1970 UTC], why, the instant to name."""
Side = tuple[int, Count, str]
"""One side of a bracket: instant [ms since 1970 UTC], count, quality."""
Facts = dict[str, Any]
Label = dict[str, str]
Span = tuple[int, int, Fraction]
"""Start and end [ms since 1970 UTC], and what the energy is multiplied with."""
Term = tuple[int, Fraction, str]
"""+1 or -1, what the energy is multiplied with, and a meter."""
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


def count_of(text: str) -> Count:
    """What a register held."""
    if not re.fullmatch(r"-?[0-9]{1,400}(\.[0-9]{1,400})?", text):
        raise ValueError(f"not a count: {text[:40]!r}")
    return Decimal(text) if "." in text else int(text)


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
            held: Count | None = None
            if count:
                held = Decimal(count) if "." in count else int(count)
            rows.append((at, held, int(quality)))
        return rows


class Wrong(Exception):
    """Something that differs: in which file, at which line (0 for the whole), and what."""

    def __init__(self, name: str, line: int, what: str) -> None:
        super().__init__(f"{name}{f' line {line}' if line else ''}: {what}")


# ---------------------------------------------------------------- registers: what they did, by their readings


class Register:
    """One meter's register: consecutive installations of one serial number, resolution and turn."""

    def __init__(self, installed: list[Facts]) -> None:
        first: Facts = installed[0] if installed else {"from": 0, "wrap_at": None, "resolution": Fraction(1)}
        self.start: int = first["from"]
        self.wrap: int | None = first["wrap_at"]
        self.resolution: Fraction = first["resolution"]
        speeds = [each["counts_per_hour"] for each in installed] or [None]
        self.speed: Fraction | None = None if None in speeds else max(speeds)
        self.turn = None if self.wrap is None else int(self.wrap / self.resolution)
        self.indexes: list[tuple[int, Count]] = []
        for each in installed:
            for at, count in ((each["from"], each["opening"]), (each["to"], each["closing"])):
                if at is not None and count is not None and (at, count) not in self.indexes:
                    self.indexes.append((at, count))

    def steps(self, count: Count) -> int:
        if self.resolution == 1 and isinstance(count, int):
            return count
        return int(Fraction(count) // self.resolution)

    def most(self, ms: int) -> float:
        """How far it can rise in a time, with what a meter adds in a lump."""
        if self.speed is None:
            return inf
        return int(self.speed * Fraction(6, 5) * (ms + LUMP) // (HOUR * self.resolution)) + 1

    def carries(self, rise: int, ms: int) -> bool:
        """Whether the circuit can carry a rise in a time."""
        return rise <= self.most(ms)

    def reach(self, ms: int) -> int | None:
        """How far it comes in a time at full scale."""
        return None if self.speed is None else int(self.speed * ms // (HOUR * self.resolution)) + 1


class Walk:
    """A register from reading to reading: what it did, which readings do not count, where it is cut."""

    def __init__(self, register: Register, rows: list[tuple[int, Count]], others_follow: bool) -> None:
        self.register, self.others_follow = register, others_follow
        self.times = [at for at, _ in rows]
        self.counts = [count for _, count in rows]
        self.steps = [register.steps(count) for count in self.counts]
        self.held: set[int] = set()
        self.turns: list[int] = []
        self.cuts: dict[int, str] = {}
        self.lows: dict[int, int] = {}  # the first reading after a fall, by the one at which it is back
        self.events: list[Event] = []
        self.begin = 0
        self.still: int | None = None  # a silence as long as a turn
        if register.turn is not None and register.speed:
            self.still = int((register.turn - 1) * register.resolution * HOUR // register.speed)
        here, most = 1, register.most(0)
        while here < len(self.times):
            rise = self.steps[here] - self.steps[here - 1]
            silent = self.still is not None and self.times[here] - self.times[here - 1] >= self.still
            plain = 0 <= rise <= most and not silent
            here = (here if plain else self.decide(here - 1, here)) + 1

    def decide(self, last: int, here: int) -> int:
        """Say what happened between two readings; the reading up to which all is said."""
        change = self.change(last, here)
        if change is None:
            return here
        if change == "frozen":
            return self.thaw(last, here)
        if change == "silence":
            return self.cut(here, change, (last, here))
        back = self.back(last, here, change)
        if change == "rollover" and (back is None or self.climbs(here, back)):
            self.turns.append(here)
            self.tell("rollover", here, (last, here))
            return here
        if back is not None:
            return self.out(last, here, back, change)
        if not self.others_follow and self.times[-1] <= self.times[here] + RETURN:
            self.held.update(range(here, len(self.times)))
            self.tell("open", here, (last, here), len(self.times) - here)
            return len(self.times)
        if self.last_was_wrong(last, here, change):
            return here
        if change == "fall" and self.can_begin(last, here):
            change = "reset"
        return self.cut(here, change, (last, here))

    def change(self, last: int, here: int) -> str | None:
        """What it is, by two readings alone; None for a plain rise."""
        rise, turn = self.steps[here] - self.steps[last], self.register.turn
        if not self.climbs(last, here):
            since = self.times[self.moved(last)]
            return "frozen" if self.register.carries(rise, self.times[here] - since) else "jump"
        if turn is None:
            return "fall" if rise < 0 else None
        forward, reach = rise % turn, self.register.reach(self.times[here] - self.times[last])
        if reach is not None and forward + turn <= reach:
            return "silence"
        if rise >= 0:
            return None
        return "rollover" if forward <= (turn // 2 if reach is None else reach) else "fall"

    def climbs(self, last: int, here: int) -> bool:
        """Whether the circuit can carry what it rose from one reading to the other."""
        rise = self.steps[here] - self.steps[last]
        return self.register.carries(rise, self.times[here] - self.times[last])

    def moved(self, last: int) -> int:
        """The reading since which it may have stood still, at most seven days before."""
        since = last
        while (before := self.before(since)) is not None and self.times[before] >= self.times[last] - STILL:
            since = before
            if self.steps[before] != self.steps[last]:
                break
        return since

    def thaw(self, last: int, here: int) -> int:
        """Set aside what it showed while it stood still, and made up for at once."""
        moved = self.moved(last)
        flat = [each for each in range(moved + 1, last + 1) if each not in self.held]
        if flat:
            self.held.update(flat)
            self.tell("frozen", flat[0], (moved, flat[0], here), len(flat))
        return here

    def can_begin(self, last: int, here: int) -> bool:
        """Whether it can have begun at 0 between two readings and come so far."""
        count = self.steps[here]
        can = self.register.carries(count, self.times[here] - self.times[last])
        return self.register.speed is not None and count >= 0 and can

    def before(self, index: int) -> int | None:
        """The reading that counts before one, in its segment."""
        for each in range(index - 1, self.begin - 1, -1):
            if each not in self.held:
                return each
        return None

    def back(self, last: int, here: int, change: str) -> int | None:
        """The reading at which it is back on its way, within six hours or at the next reading."""
        steps = self.steps
        for each in range(here + 1, len(steps)):
            if each > here + 1 and self.times[each] > self.times[here] + RETURN:
                return None
            falls = change != "jump" or steps[each] < steps[each - 1]
            if steps[each] >= steps[last] and falls and self.change(last, each) in (None, "frozen"):
                return each
        return None

    def out(self, last: int, here: int, back: int, change: str) -> int:
        """Set aside what was out of its way; where it may have begun again instead, cut as well."""
        self.held.update(range(here, back))
        kind = "spike" if change == "jump" else "dip"
        self.tell(kind, here, (last, here, back), back - here)
        if kind == "dip" and self.register.speed is not None and self.climbs(here, back):
            self.lows[back] = here
            return self.cut(back, "dip", None)
        return self.thaw(last, back) if self.change(last, back) == "frozen" else back

    def last_was_wrong(self, last: int, here: int, change: str) -> bool:
        """Set the reading before a change aside, if without it there is none."""
        before = self.before(last)
        turned = bool(self.turns) and self.turns[-1] == last
        if before is None or self.change(before, here) is not None or (change == "jump" and not turned):
            return False
        if turned:
            self.turns.pop()
        self.held.add(last)
        if change == "fall" and self.can_begin(last, here):
            self.cut(here, "spike", None)
        self.tell("spike", last, (before, last, here), 1)
        return True

    def cut(self, here: int, kind: str, seen: tuple[int, ...] | None) -> int:
        self.cuts[here] = kind
        self.begin = here
        if seen:
            self.tell(kind, here, seen)
        return here

    def tell(self, kind: str, at: int, seen: tuple[int, ...], held: int = 0) -> None:
        text = ", then ".join(str(self.counts[each]) for each in seen)
        self.events.append((self.times[at], kind, text + (f" ({held} set aside)" if held else "")))


class Counter:
    """All readings of a point that count, register by register, in segments."""

    def __init__(
        self, readings: list[Reading], installed: list[Facts], entered: set[int], left_out: set[int]
    ) -> None:
        self.registers = registers_of(installed)
        self.times: list[int] = []
        self.counts: list[Count] = []
        self.total: list[int] = []
        self.segment: list[int] = []
        self.segments: list[Facts] = []
        self.events: list[Event] = []
        self.held: list[tuple[int, Count]] = []
        self.left_out = left_out
        rows, self.uncertain = usable(readings)
        starts = [bisect_left(rows, register.start, key=itemgetter(0)) for register in self.registers[1:]]
        for number, (first, end) in enumerate(pairwise((0, *starts, len(rows)))):
            self.follow(number, rows[first:end])
        self.events.sort(key=lambda event: event[:2])
        by_slip = {at for register in self.registers for at, _ in register.indexes}
        self.entered = (entered | by_slip) & set(self.times)

    def follow(self, number: int, rows: list[tuple[int, Count]]) -> None:
        """Add the readings of the next register, with the indexes on record."""
        register = self.registers[number]
        for on_slip in register.indexes:
            at = bisect_left(rows, on_slip[0], key=itemgetter(0))
            rows[at : at + (at < len(rows) and rows[at][0] == on_slip[0])] = [on_slip]
        if register.wrap is not None:
            for at, count in rows:
                if not 0 <= count < register.wrap:
                    text = f"{count} is set aside: the register wraps at {register.wrap}"
                    self.events.append((at, "out_of_range", text))
            rows = [row for row in rows if 0 <= row[1] < register.wrap]
        if not rows:
            return
        walk = Walk(register, rows, number + 1 < len(self.registers))
        self.events += walk.events
        kind = "first"
        if self.segments:
            kind = "exchange"
            text = f"{self.counts[-1]}, then {rows[0][1]} of another meter"
            self.events.append((rows[0][0], kind, text))
        turned = 0
        for index, (at, count) in enumerate(rows):
            if index in walk.turns or index in walk.cuts:
                turned += register.turn or 0
            if index in walk.held:
                self.held.append((at, count))
                continue
            if index in walk.cuts or index == 0:
                kind = walk.cuts.get(index, kind)
                turned = 0 if index in walk.cuts else turned
                low = walk.lows.get(index)
                fallen = None if low is None else (rows[low][0], walk.steps[low])
                fresh = {"kind": kind, "register": number, "first": len(self.times), "low": fallen}
                self.segments.append(fresh)
            self.segments[-1]["last"] = len(self.times)
            self.segment.append(len(self.segments) - 1)
            self.times.append(at)
            self.counts.append(count)
            self.total.append(walk.steps[index] + turned)

    def turn_of(self, segment: int) -> int | None:
        return self.registers[self.segments[segment]["register"]].turn

    def bracket(self, ms: int) -> tuple[int, int]:
        """The readings around an instant, by index; one beyond the ends where there is none."""
        left = bisect_right(self.times, ms) - 1
        return (left, left) if left >= 0 and self.times[left] == ms else (left, left + 1)

    def at(self, ms: int) -> Facts:
        """What the registers alone say of an instant."""
        left, right = self.bracket(ms)
        sides = [self.side(left), self.side(right)]
        mark: Facts = {"ms": ms, "before": sides[0], "after": sides[1], "method": "missing", "beyond": 0}
        mark |= dict.fromkeys(("total", "count", "low", "high", "segment"))
        if sides[0] is None or sides[1] is None or self.segment[left] != self.segment[right]:
            return mark
        low, high, segment = self.total[left], self.total[right], self.segment[left]
        total, method = low, "exact"
        if low != high:
            rise, wait = high - low, self.times[right] - self.times[left]
            total, method = low + rise * (ms - self.times[left]) // wait, "interpolated"
        if self.entered & {self.times[left], self.times[right]}:
            method = "manual"
        turn = self.turn_of(segment)
        mark |= {"total": total, "count": total % turn if turn else total, "low": low, "high": high}
        return mark | {"segment": segment, "method": method}

    def side(self, index: int) -> Side | None:
        """A reading as one side of a bracket."""
        if not 0 <= index < len(self.times):
            return None
        at = self.times[index]
        return at, self.counts[index], "uncertain" if at in self.uncertain else "good"

    def own(self, segment: int, ms: int) -> int:
        """What a segment has counted at an instant between its ends."""
        first, last = self.segments[segment]["first"], self.segments[segment]["last"]
        left = bisect_right(self.times, ms, first, last + 1) - 1
        low = self.total[left]
        if left == last or self.times[left] == ms:
            return low
        rise, wait = self.total[left + 1] - low, self.times[left + 1] - self.times[left]
        return low + rise * (ms - self.times[left]) // wait

    def known(self, ms: int) -> int | None:
        """The segment at an instant whose register is known to half an hour."""
        left, right = self.bracket(ms)
        if left < 0 or right >= len(self.times) or self.segment[left] != self.segment[right]:
            return None
        near = self.times[right] - self.times[left] <= HALF_HOUR or self.total[left] == self.total[right]
        return self.segment[left] if near or self.times[left] in self.left_out else None


def registers_of(installed: list[Facts]) -> list[Register]:
    """The registers behind a point, in time order."""
    groups = groupby(installed, key=lambda each: (each["serial"], each["resolution"], each["wrap_at"]))
    return [Register(list(group)) for _, group in groups] or [Register([])]


def usable(readings: list[Reading]) -> tuple[list[tuple[int, Count]], set[int]]:
    """The readings that may count, one per instant, and the instants of the uncertain ones among them."""
    best: dict[int, tuple[int, Count]] = {}
    for at, count, quality in readings:
        if count is not None and quality < 2:
            best[at] = min(best.get(at, (quality, count)), (quality, count))
    good = sorted(at for at, (quality, _) in best.items() if quality == 0)
    uncertain = set()
    for at in best.keys() - set(good):
        right = bisect_left(good, at)
        if not (0 < right < len(good) and good[right] - good[right - 1] <= HALF_HOUR):
            uncertain.add(at)
    kept = uncertain.union(good)
    return [(at, best[at][1]) for at in sorted(kept)], uncertain


# ------------------------------------------------------------- energy: a line that intervals are cut out of


class Line:
    """The whole Wh that went through a point, as far as registers, gaps with bounds, and values tell."""

    def __init__(self, counter: Counter, installed: list[Facts], values: list[Facts]) -> None:
        self.counter, self.installed = counter, installed
        self.gaps = [self.gap(number) for number in range(1, len(counter.segments))]
        self.pieces: list[Facts] = []
        self.holes: list[Hole] = []
        self.by_registers()
        if values:
            if not counter.segments:
                self.holes = [(-EVER, EVER, NO_VALUE, -EVER)]
            for value in values:
                self.fill(value)
            self.pieces.sort(key=lambda piece: (piece["start"], piece["end"]))
        reached = run = 0
        for number, piece in enumerate(self.pieces):
            own = self.own(piece, piece["start"])
            if not number or self.pieces[number - 1]["end"] < piece["start"]:
                run, reached = run + 1, own
            piece |= {"run": run, "offset": reached - own}
            reached += self.own(piece, piece["end"]) - own

    def gap(self, number: int) -> Facts:
        """What may have gone through before a segment."""
        counter = self.counter
        earlier, later = counter.segments[number - 1], counter.segments[number]
        start, end = counter.times[earlier["last"]], counter.times[later["first"]]
        gap: Facts = {"kind": later["kind"], "start": start, "end": end, "what": "gap"}
        gap |= {"least": Fraction(0), "most": None}
        within = standing(self.installed, start, end)
        if start == end:
            return gap | {"most": Fraction(0)}
        if gap["kind"] in ("fall", "jump") or not within:
            return gap
        register = counter.registers[later["register"]]
        first, last, steps = counter.total[later["first"]], counter.total[earlier["last"]], 0
        if gap["kind"] == "reset":
            steps = first
        elif gap["kind"] != "exchange":
            steps = (first - last) % register.turn if register.turn else first - last
        worths = [each["multiplier"] * register.resolution for each in within]
        gap["least"] = steps * min(worths)
        climbed, low = Fraction(0), later["low"]
        if low is not None:
            climbed = (first - low[1]) * max(worths)
        most = full_scale(within, start, end if low is None else low[0])
        if most is not None:
            begun = within[0]["multiplier"] * counter.registers[earlier["register"]].resolution
            if gap["kind"] == "reset":
                gap["least"] = min(gap["least"], most)
            gap["most"] = max(most + climbed + begun, gap["least"])
        return gap

    def by_registers(self) -> None:
        """What registers say, and where they say nothing."""
        counter, holes = self.counter, self.holes
        if not counter.segments:
            holes.append((-EVER, EVER, NO_BEFORE, -EVER))
            return
        holes.append((-EVER, counter.times[0], NO_BEFORE, counter.times[0]))
        for number, segment in enumerate(counter.segments):
            if number:
                gap = self.gaps[number - 1]
                if gap["most"] is None:
                    holes.append((gap["start"], gap["end"], CUT, gap["end"]))
                else:
                    self.pieces.append(dict(gap))
            start, end = counter.times[segment["first"]], counter.times[segment["last"]]
            register, reached = counter.registers[segment["register"]], start
            for each in standing(self.installed, start, end):
                first = max(each["from"], start)
                last = end if each["to"] is None else min(each["to"], end)
                if first > reached:
                    holes.append((reached, first, NO_INSTALLATION, reached))
                worth = each["multiplier"] * register.resolution
                piece = {"what": "register", "worth": worth, "turn": register.turn, "segment": number}
                before = self.pieces[-1] if self.pieces else {}
                if {key: before.get(key) for key in piece} == piece and before["end"] == first:
                    before["end"] = last
                else:
                    self.pieces.append({**piece, "start": first, "end": last})
                reached = last
            if reached < end:
                holes.append((reached, end, NO_INSTALLATION, reached))
        holes.append((counter.times[-1], EVER, NO_AFTER, counter.times[-1]))

    def fill(self, value: Facts) -> None:
        """Put a value where nothing is known."""
        left: list[Hole] = []
        for start, end, lack, at in self.holes:
            first, last = max(start, value["from"]), min(end, value["to"])
            if first >= last:
                left.append((start, end, lack, at))
                continue
            self.pieces.append({**value, "what": "value", "start": first, "end": last})
            left += [(a, b, lack, at) for a, b in ((start, first), (last, end)) if a < b]
        self.holes = left

    def own(self, piece: Facts, ms: int) -> int:
        """Wh of a piece at an instant, by its own source."""
        if piece["what"] == "register":
            return worth_of(piece, self.counter.own(piece["segment"], ms))
        if piece["what"] == "gap":
            whole, start, end = int(piece["least"] // 1), piece["start"], piece["end"]
        else:
            whole, start, end = piece["wh"], piece["from"], piece["to"]
        return int(whole * (ms - start) // (end - start)) if end > start else 0

    def index(self, ms: int) -> int | None:
        """The piece at an instant; of two that touch, the later."""
        index = bisect_right(self.pieces, ms, key=itemgetter("start")) - 1
        return index if index >= 0 and self.pieces[index]["end"] >= ms else None

    def wh(self, index: int, ms: int) -> int:
        return int(self.pieces[index]["offset"]) + self.own(self.pieces[index], ms)

    def mark(self, ms: int) -> Facts:
        """The line at an instant, and the boundary that shows it."""
        bare, index = self.counter.at(ms), self.index(ms)
        if index is None:
            return {"shown": bare, "bare": bare, "today": bare, "index": None, "run": 0, "wh": 0, "open": 0}
        piece = self.pieces[index]
        mark: Facts = {"shown": bare, "bare": bare, "index": index, "run": piece["run"], "open": 0}
        mark["today"] = bare
        if piece["what"] == "register" and bare["total"] is not None:
            return mark | {"wh": piece["offset"] + worth_of(piece, bare["total"])}
        mark["wh"] = self.wh(index, ms)
        if bare["method"] == "missing":
            mark["shown"] = self.beyond(bare, piece, mark["wh"])
        return mark

    def beyond(self, bare: Facts, piece: Facts, wh: int) -> Facts:
        """A boundary that registers do not reach, by the nearest reading of its run."""
        shown = bare | {"method": "interpolated" if piece["what"] == "gap" else "substituted"}
        for near in (bare["before"], bare["after"]):
            index = None if near is None else self.index(near[0])
            if index is None or self.pieces[index]["run"] != piece["run"]:
                continue
            reading = bisect_right(self.counter.times, near[0]) - 1
            total, segment = self.counter.total[reading], self.counter.segment[reading]
            turn = self.counter.turn_of(segment)
            shown |= {"total": total, "low": total, "high": total, "segment": segment}
            shown |= {"count": total % turn if turn else total, "beyond": wh - self.wh(index, near[0])}
            break
        return shown

    def frozen(self, ms: int, row: Facts) -> Facts:
        """The line at an instant by a register that a closed month has fixed."""
        today = self.mark(ms)
        near = row["before"] or row["after"]
        index = None if near is None else self.index(near[0])
        if index is None:
            return today
        wh, run = self.wh(index, near[0]) + row["beyond"], self.pieces[index]["run"]
        at = self.counter.at(near[0])
        shown = {**row, "ms": ms, "total": row["offset"], "low": 0, "high": row["width"]}
        shown["segment"] = 0
        if at["total"] is not None:
            for piece in (self.pieces[index], self.pieces[max(index - 1, 0)]):
                if piece["what"] == "register" and piece["end"] >= near[0]:
                    wh += worth_of(piece, at["total"] + row["offset"]) - worth_of(piece, at["total"])
                    break
            shown |= {"total": at["total"] + row["offset"], "low": at["total"]}
            shown |= {"high": at["total"] + row["width"], "segment": at["segment"]}
        if today["index"] is None or today["run"] != run:
            return today | {"shown": shown, "bare": shown, "index": index, "run": run, "wh": wh, "open": 0}
        return {**today, "shown": shown, "run": run, "wh": wh, "open": abs(wh - today["wh"])}

    def parts(self, start: int, end: int) -> list[Facts]:
        """What a span has of the pieces."""
        found = []
        for piece in self.pieces:
            a, b = max(piece["start"], start), min(piece["end"], end)
            if a < b:
                wh = 0 if piece["what"] == "register" else self.own(piece, b) - self.own(piece, a)
                found.append({**piece, "a": a, "b": b, "part": wh})
        return found

    def lacks(self, start: int, end: int, zone: ZoneInfo) -> Iterator[str]:
        """What is not known of a span, in words."""
        for first, last, lack, at in self.holes:
            if last < start or first > end:
                continue
            if lack in (NO_INSTALLATION, NO_VALUE):
                if max(first, start) < min(last, end) or start == end:
                    yield f"{lack} {local(max(first, start), zone)}"
                continue
            ends = [each for each in (start, end) if first < each < last]
            if ends or (start <= first and last <= end):
                yield from (f"{lack} {local(each, zone)}" for each in ends or [at])


def worth_of(piece: Facts, total: int) -> int:
    """Whole Wh of what a register has counted: of each turn, and within the turn."""
    turn, worth = piece["turn"], piece["worth"]
    turns, steps = divmod(total, turn) if turn else (0, total)
    return int(turns * ((turn or 0) * worth // 1) + steps * worth // 1)


def standing(installed: list[Facts], start: int, end: int) -> list[Facts]:
    """The installations in force in a span, or at an instant."""
    end = max(end, start + 1)
    return [each for each in installed if each["from"] < end and (each["to"] is None or each["to"] > start)]


def full_scale(installed: list[Facts], start: int, end: int) -> Fraction | None:
    """What the circuit can carry in a span [Wh]; None where that is not known of all of it."""
    reached, most = start, Fraction(0)
    for each in standing(installed, start, end):
        if each["full_scale_kw"] is None or each["from"] > reached:
            return None
        last = end if each["to"] is None else min(each["to"], end)
        most += each["full_scale_kw"] * 1000 * (last - reached) / HOUR
        reached = last
    return most if reached >= end else None


def up(number: Number) -> int:
    return int(-(-number // 1))


def near(mark: Facts) -> bool:
    """Whether registers give a boundary to half an hour."""
    if mark["method"] == "exact":
        return True
    if mark["method"] not in ("interpolated", "manual") or mark["beyond"]:
        return False
    if mark["before"] is None or mark["after"] is None:
        return False
    return bool(mark["low"] == mark["high"] or mark["after"][0] - mark["before"][0] <= HALF_HOUR)


def energy(
    counter: Counter,
    installed: list[Facts],
    values: list[Facts],
    fixed: dict[int, Facts],
    start: int,
    end: int,
    zone: ZoneInfo,
) -> Facts:
    """What is known of a span's energy: Wh or None, and what proves it."""
    line = Line(counter, installed, values)
    first, last = (line.frozen(ms, fixed[ms]) if ms in fixed else line.mark(ms) for ms in (start, end))
    lacks: list[str] = []
    parts = line.parts(start, end)
    wh = None
    if first["index"] is None or last["index"] is None or first["run"] != last["run"]:
        lacks = list(dict.fromkeys(line.lacks(start, end, zone)))
    else:
        wh = last["wh"] - first["wh"]
    pairs = [
        (earlier, later)
        for earlier, later in pairwise(parts)
        if earlier["what"] == later["what"] == "register"
        and (earlier["segment"], earlier["b"]) == (later["segment"], later["a"])
    ]
    changes = [counter.at(later["a"]) for _, later in pairs]
    marks = without_turns(counter, [first["shown"], *changes, last["shown"]], (first["shown"], last["shown"]))
    grid = [*range(start, end, HALF_HOUR), end]
    known = [counter.known(ms) for ms in grid]
    covered = sum(a is not None and a == b for a, b in pairwise(known))
    n = len(grid) - 1
    used = [part for part in parts if part["what"] == "value"]
    if used and covered < n:
        covered += by_values(used, start, end)
    found: Facts = {"wh": wh, "origin": "missing", "unproven": None, "lacks": lacks, "covered": covered}
    if wh is not None:
        origins = {"measured", *(part["origin"] for part in used)}
        for mark in marks:
            if mark["method"] == "manual":
                origins.add("manual")
            elif mark["method"] != "substituted" and not near(mark):
                origins.add("interpolated")
        found["origin"] = max(origins, key=ORIGINS.index)
        found["unproven"] = unproven(first, last, changes, pairs, parts, installed)
    register = counter.registers[0]
    for each in counter.registers[1:]:
        register = each if each.start <= max(start, end - 1) else register
    befores = [first[which]["before"] for which in ("shown", "today")]
    afters = [last[which]["after"] for which in ("shown", "today")]
    since = max(start if side is None else side[0] for side in befores)
    until = min(end if side is None else side[0] for side in afters)
    told = [event for event in counter.events if since <= event[0] <= until]
    return found | {
        "half_hours": n,
        "start": start,
        "end": end,
        "installed": standing(installed, start, end),
        "marks": marks,
        "resolution": register.resolution,
        "gaps": [each for each in line.gaps if each["start"] < end and each["end"] > start],
        "used": used,
        "events": sorted(told + stood_still(counter, installed, start, end), key=lambda event: event[:2]),
    }


def stood_still(counter: Counter, installed: list[Facts], start: int, end: int) -> list[Event]:
    """Each time of 26 hours or more in which a register stood still, if its step is fine enough to tell."""
    found: list[Event] = []
    for segment in counter.segments:
        indexes = range(segment["first"], segment["last"] + 1)
        for _, run in groupby(indexes, key=counter.total.__getitem__):
            flat = list(run)
            since, until = max(counter.times[flat[0]], start), min(counter.times[flat[-1]], end)
            there = standing(installed, since, until) if until - since >= 26 * HOUR else []
            if not there:
                continue
            step = counter.registers[segment["register"]].resolution
            watts = max(each["multiplier"] for each in there) * step * HOUR / (until - since)
            known = [each["full_scale_kw"] for each in there if each["full_scale_kw"] is not None]
            if len(known) < len(there) or watts <= min(known):
                hours = (until - since) // HOUR
                shown_then = max(each for each in flat if counter.times[each] <= since)
                text = f"{counter.counts[shown_then]} for {hours} h, by its step less than {up(watts)} W"
                found.append((since, "stood_still", text))
    return found


def without_turns(counter: Counter, marks: list[Facts], ends: tuple[Facts, Facts]) -> list[Facts]:
    """Boundaries without the turns that lie before all that is asked for."""
    made: list[Facts] = []
    for each in ends:
        if each["segment"] is not None and each["low"] is not None:
            turn, segment = counter.turn_of(each["segment"]), each["segment"]
            gone = each["low"] // turn * turn if turn else 0
            for mark in marks:
                if mark["segment"] == segment and mark["total"] is not None:
                    made.append(mark | {key: mark[key] - gone for key in ("total", "low", "high")})
                else:
                    made.append(mark)
            return made
    return marks


def unproven(
    first: Facts,
    last: Facts,
    changes: list[Facts],
    pairs: list[tuple[Facts, Facts]],
    parts: list[Facts],
    installed: list[Facts],
) -> int:
    """What an energy may be off [Wh]: brackets, changes of the multiplier, gaps and values."""
    total = int(first["open"] + last["open"])
    for mark, outer in ((first, parts[:1]), (last, parts[-1:])):
        for part in outer:
            if part["what"] == "register":
                total += up(part["worth"] * width(mark["bare"]))
    for change, (earlier, later) in zip(changes, pairs, strict=True):
        if width(change):
            total += up(abs(later["worth"] - earlier["worth"]) * width(change)) + 1
    for part in parts:
        wh, ms = part["part"], part["b"] - part["a"]
        if part["what"] == "gap":
            most = up(part["most"])
            sure = part["kind"] != "reset" and ms == part["end"] - part["start"]
            total += most - wh if sure else max(wh, most - wh)
        elif part["what"] == "value" and part["origin"] in ("substituted", "integrated"):
            carried = full_scale(installed, part["a"], part["b"])
            total += wh if carried is None else max(wh, up(carried) - wh)
        elif part["what"] == "value" and ms != part["to"] - part["from"]:
            total += max(wh, part["wh"] - wh)
    return total


def width(mark: Facts) -> int:
    return 0 if mark["low"] is None else int(mark["high"] - mark["low"])


def by_values(used: list[Facts], start: int, end: int) -> int:
    """Half-hours of a span that measured values of at most an hour give."""
    spans: list[list[int]] = []
    for part in used:
        if part["origin"] != "measured" or part["to"] - part["from"] > HOUR:
            continue
        if spans and spans[-1][1] == part["a"]:
            spans[-1][1] = part["b"]
        else:
            spans.append([part["a"], part["b"]])
    found = 0
    for a, b in spans:
        first = -(-(a - start) // HALF_HOUR)
        after = -(-(b - start) // HALF_HOUR) if b == end else (b - start) // HALF_HOUR
        found += max(0, after - first)
    return found


def installation(row: dict[str, str]) -> Facts:
    """A row of installations.csv with its numbers."""
    number: Facts = {key: Fraction(number_of(row[key])) for key in ("ct", "vt", "wh_per_count", "resolution")}
    full = Fraction(number_of(row["full_scale_kw"])) if row["full_scale_kw"] else None
    worth = number["wh_per_count"]
    if row["side"] == "secondary":
        worth = worth * number["ct"] * number["vt"]
    return {
        **row,
        **number,
        "from": instant(row["from"]),
        "to": instant(row["to"]) if row["to"] else None,
        "wrap_at": int(row["wrap_at"]) if row["wrap_at"] else None,
        "opening": count_of(row["opening"]) if row["opening"] else None,
        "closing": count_of(row["closing"]) if row["closing"] else None,
        "full_scale_kw": full,
        "multiplier": worth,
        "counts_per_hour": None if full is None else full * 1000 / worth,
    }


def times_factor(
    installed: list[Facts], values: list[Facts], fixed: dict[int, Facts], factor: Fraction
) -> tuple[list[Facts], list[Facts], dict[int, Facts]]:
    """Installations, values and fixed registers under which all is worth so many times as much."""
    if factor == 1:
        return installed, values, fixed
    return (
        [
            each
            | {
                "wh_per_count": each["wh_per_count"] * factor,
                "multiplier": each["multiplier"] * factor,
                "full_scale_kw": None if each["full_scale_kw"] is None else each["full_scale_kw"] * factor,
            }
            for each in installed
        ],
        [each | {"wh": int(each["wh"] * factor // 1)} for each in values],
        {ms: each | {"beyond": int(each["beyond"] * factor // 1)} for ms, each in fixed.items()},
    )


# --------------------------------------------------------------------- the network: who feeds whom, and when


class Network:
    """One site's meters in the places that they have within a month."""

    def __init__(self, site: Facts, zone: ZoneInfo, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.all: dict[str, list[Facts]] = {}
        direct = {meter["id"]: meter["current"] == "dc" for meter in site["meters"]}
        sums = {each["id"]: each for each in site.get("virtual", ())}
        for meter in site["meters"]:
            moves = [{"from": meter.get("from"), "parent": meter.get("parent")}, *meter.get("moves", ())]
            starts = [None if move["from"] is None else plan_time(move["from"], zone) for move in moves]
            last = plan_time(meter["to"], zone) if meter.get("to") else None
            self.all[meter["id"]] = [
                node_of(meter, direct[meter["id"]], move["parent"], begin, until)
                for move, begin, until in zip(moves, starts, [*starts[1:], last], strict=True)
            ]

        def is_direct(meter: str, seen: tuple[str, ...] = ()) -> bool:
            if meter not in sums or meter in seen:
                return bool(direct.get(meter, False))
            return all(is_direct(part, (*seen, meter)) for part in sums[meter]["plus"])

        for name, each in sums.items():
            whole = {**each, "quantity": "dc_energy" if is_direct(name) else "active_energy_import"}
            self.all[name] = [node_of(whole, is_direct(name), each.get("parent"), None, None)]
        self.places = {meter: [n for n in nodes if self.within(n)] for meter, nodes in self.all.items()}
        self.places = {meter: nodes for meter, nodes in self.places.items() if nodes}
        self.boundary = [meter for meter in site["boundary"] if meter in self.places]

    def within(self, node: Facts) -> tuple[int, int] | None:
        """The part of the month in which a meter has a place."""
        start = self.start if node["from"] is None else max(self.start, node["from"])
        end = self.end if node["to"] is None else min(self.end, node["to"])
        return (start, end) if start < end else None

    def span(self, meter: str) -> tuple[int, int] | None:
        """The part of the month in which a meter is in the network."""
        parts = [part for node in self.all[meter] if (part := self.within(node))]
        return (parts[0][0], parts[-1][1]) if parts else None

    def node(self, meter: str) -> Facts:
        return self.places[meter][-1]

    def key(self, node: Facts) -> str:
        """What names the energy of a place: the meter, and since when for one that was moved."""
        return f"{node['meter']}@{node['from']}" if len(self.places[node["meter"]]) > 1 else node["meter"]

    def fed_by(self, meter: str) -> list[Facts]:
        return [node for nodes in self.places.values() for node in nodes if node["parent"] == meter]

    def asked(self, meter: str) -> Iterator[tuple[str, int, str, Span]]:
        """What energies a meter's is made of: name, sign, the physical meter, and its span with a factor."""
        for sign, factor, part in self.terms(meter):
            span = self.span(part)
            if span:
                yield meter, sign, part, (*span, factor)
        for place in self.places[meter] if len(self.places[meter]) > 1 else ():
            within = self.within(place)
            if within:
                yield self.key(place), 1, meter, (*within, Fraction(1))

    def terms(self, meter: str, sign: int = 1, factor: Fraction | None = None) -> Iterator[Term]:
        """The physical meters of a meter: each with its sign, its losses and its id."""
        factor = Fraction(1) if factor is None else factor
        sum_of = self.node(meter)["sum"]
        if sum_of is None:
            yield sign, factor, meter
            return
        losses = factor * (1 + sum_of["losses"])
        for each, parts in ((1, sum_of["plus"]), (-1, sum_of["minus"])):
            for part in parts:
                if part in self.places:
                    yield from self.terms(part, sign * each, losses)


def node_of(meter: Facts, direct: bool, parent: str | None, start: int | None, end: int | None) -> Facts:
    """A meter in one place."""
    sum_of = None
    if "plus" in meter:
        losses = Fraction(number_of(meter.get("losses_percent", "0"))) / 100
        sum_of = {"plus": sorted(meter["plus"]), "minus": sorted(meter.get("minus", ())), "losses": losses}
    return {
        "meter": meter["id"],
        "point": f"{meter['id']}.{meter['quantity']}",
        "name": meter["name"],
        "process": meter.get("process"),
        "current": "dc" if direct else "ac",
        "parent": parent,
        "from": start,
        "to": end,
        "sum": sum_of,
    }


def plan_time(text: str, zone: ZoneInfo) -> int:
    """A local date or time of the plan."""
    at = datetime.fromisoformat(text)
    return (at.replace(tzinfo=zone) - EPOCH) // timedelta(milliseconds=1)


def added(terms: list[tuple[int, Facts]], start: int, end: int) -> Facts:
    """The energy of a sum of meters, which has no register."""
    known = [each["wh"] for _, each in terms if each["wh"] is not None]
    whole = bool(terms) and len(known) == len(terms)
    n = -(-(end - start) // HALF_HOUR)
    open_ = sum(each["half_hours"] - each["covered"] for _, each in terms)
    origins = [each["origin"] for _, each in terms]
    return {
        "wh": sum(sign * each["wh"] for sign, each in terms) if whole else None,
        "origin": max(origins, key=ORIGINS.index) if whole else "missing",
        "unproven": sum(each["unproven"] for _, each in terms) if whole else None,
        "lacks": list(dict.fromkeys(lack for _, each in terms for lack in each["lacks"])),
        "covered": max(n - open_, 0) if terms else 0,
        "half_hours": n,
        "start": start,
        "end": end,
        "installed": [],
        "marks": [],
        "resolution": None,
        "gaps": [],
        "used": [],
        "events": [],
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

    def __init__(
        self, evidence: Evidence, readings: Callable[[str], list[Reading]], versions: Mapping[str, int]
    ) -> None:
        self.evidence = evidence
        self.versions = versions
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
        self.networks: dict[str, Network] = {}
        self.tables = {
            name: evidence.table(f"inputs/{name}.csv")
            for name in ("installations", "values", "frozen", "entered", "left_out")
        }
        for site in self.sites:
            network = Network(site, self.zone, self.start, self.end)
            self.networks[site["id"]] = network
            by_bill = {name for name, source in site.get("sources", {}).items() if source == "bill"}
            asked = {meter: list(network.asked(meter)) for meter in network.places}
            spans: dict[str, dict[Span, Facts]] = {}
            for each in asked.values():
                for _, _, part, span in each:
                    spans.setdefault(part, {})[span] = {}
            for meter, of_meter in spans.items():  # one register after the other: a month of all is large
                name = network.all[meter][0]["point"]
                point = Point(self, name, [] if meter in by_bill else readings(name))  # bills instead of it
                for span in of_meter:
                    of_meter[span] = point.energy(*span)
            for meter, each in asked.items():
                terms = [(sign, spans[part][span]) for name, sign, part, span in each if name == meter]
                if network.node(meter)["sum"] is not None:
                    self.energies[meter] = added(terms, self.start, self.end)
                elif terms:
                    self.energies[meter] = terms[0][1]
                self.energies |= {name: spans[part][span] for name, _, part, span in each if name != meter}
            for nodes in network.places.values():
                for node in nodes:
                    self.energy_figure(site, network, node)
        for found in self.energies.values():
            for mark in found["marks"]:
                for side in (mark["before"], mark["after"]):
                    if side and (self.newest is None or side[0] > self.newest):
                        self.newest = side[0]

    def rows(self, name: str, point: str) -> list[dict[str, str]]:
        """Rows of one point of a table."""
        return [row for row in self.tables[name] if row["point"] == point]

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

    def energy_figure(self, site: Facts, network: Network, node: Facts) -> None:
        """A meter's energy, with all that it rests on."""
        zone, meter = self.zone, node["meter"]
        found = self.energies[meter]
        direct = network.node(meter)["current"] == "dc"
        role = "dc" if direct else "boundary" if meter in network.boundary else "sub"
        value = None if found["wh"] is None else Fraction(found["wh"], 1000)
        marks = [shown_mark(mark, zone) for mark in found["marks"]]
        facts: Facts = {"boundaries": [*marks[:1], *marks[-1:]], "changes": marks[1:-1]}
        facts["gaps"] = [shown_gap(gap, zone) for gap in found["gaps"]]
        facts["values"] = [shown_value(part, zone) for part in found["used"]]
        facts["events"] = [shown_event(event, zone) for event in found["events"]]
        facts["splits"] = list(splits(found, zone))
        inputs: list[str] = []
        sum_of = node["sum"]
        if sum_of is not None:
            losses = text_of(sum_of["losses"] * 100)
            facts["sum"] = {"plus": sum_of["plus"], "minus": sum_of["minus"], "losses_percent": losses}
            parts = [part for part in (*sum_of["plus"], *sum_of["minus"]) if part in network.places]
            inputs = [f"energy.{part}" for part in parts]
        self.add(
            "energy",
            f"energy.{meter}",
            node["name"],
            value,
            "kWh",
            0,
            inputs,
            [f"{meter} ({node['name']['en']}): {', '.join(found['lacks'])}"],
            site=site["id"],
            point=node["point"],
            role=role,
            parent=node["parent"],
            meter={
                "id": meter,
                "name": node["name"],
                "process": node["process"],
                "current": node["current"],
            },
            wh=found["wh"],
            origin=found["origin"],
            unproven_wh=found["unproven"],
            half_hours={"covered": found["covered"], "expected": found["half_hours"]},
            resolution=text_or_none(found["resolution"]),
            installations=[shown_installation(each, zone) for each in found["installed"]],
            **facts,
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
        network, made = self.networks[site["id"]], []
        for parent in sorted(network.places):
            fed = network.fed_by(parent)
            if not fed:
                continue
            top = network.node(parent)
            dc = top["current"] == "ac" and any(child["current"] == "dc" for child in fed)
            children = sorted({child["meter"] for child in fed})
            nodes = [(top, parent), *((child, network.key(child)) for child in fed)]
            pairs = [(node, self.energies.get(key, {"wh": None})) for node, key in nodes]
            absent = sorted({node["meter"] for node, each in pairs if each["wh"] is None})
            difference = limit = ok = None
            events: list[Facts] = []
            whole = pairs[0][1]["wh"]
            if not absent:
                difference = whole - sum(each["wh"] for _, each in pairs[1:])
                limits = [self.limit_of(network, node, each) for node, each in pairs]
                known = [each for each in limits if each is not None]
                if len(known) == len(limits):
                    limit = sum(known)
                    ok = difference >= -limit and (dc or difference <= limit)
                    for (child, each), own in zip(pairs[1:], known[1:], strict=True):
                        excess, allowed = each["wh"] - whole, known[0] + own
                        if excess > allowed:
                            events.append(impossible("child_above_parent", child["meter"], excess, allowed))
                    if difference < -limit:
                        events.append(impossible("negative_remainder", parent, -difference, limit))
            percents = [
                Fraction(100 * wh, whole) if wh is not None and whole else None for wh in (difference, limit)
            ]
            printed = [None if each is None else shortened(each, 2, "half") for each in percents]
            label = top["name"]
            names = {node["meter"]: node["name"]["en"] for node, _ in nodes}
            made.append(
                self.add(
                    "balance",
                    f"balance.{parent}",
                    {"ja": f"{label['ja']}－下位計の合計", "en": f"{label['en']} - children"},
                    None if difference is None else Fraction(difference, 1000),
                    "kWh",
                    0,
                    [f"energy.{meter}" for meter in (parent, *children)],
                    [f"{meter} ({names[meter]}): no energy" for meter in absent],
                    site=site["id"],
                    balance_kind="rectifier" if dc else "remainder",
                    parent=parent,
                    children=children,
                    difference_wh=difference,
                    limit_wh=limit,
                    percent=text_or_none(percents[0]),
                    percent_printed=printed[0],
                    limit_percent=text_or_none(percents[1]),
                    limit_percent_printed=printed[1],
                    ok=ok,
                    events=events,
                )
            )
        return made

    def limit_of(self, network: Network, node: Facts, found: Facts) -> int | None:
        """What classes and brackets may be off [Wh]; None where a class is not known."""
        terms = [(Fraction(1), found)]
        if node["sum"] is not None:
            parts = network.terms(node["meter"])
            terms = [(factor, self.energies.get(meter, {"wh": None})) for _, factor, meter in parts]
        share = Fraction(0)
        for factor, each in terms:
            error = None if each["wh"] is None else worst_class(each["installed"])
            if error is None:
                return None
            share += abs(each["wh"]) * error * factor
        return up(share) + int(found["unproven"])

    def completeness(self, boundary: list[str]) -> None:
        """Time that is covered, and what is unproven, of the boundary set."""
        found = [self.energies[meter] for meter in boundary]
        covered, expected = (sum(each[key] for each in found) for key in ("covered", "half_hours"))
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
        for product, name in sorted(self.plan.get("products", {}).items()):
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
        rules = site.get("allocation", {}).get("fuels", {})
        for process in sorted(set(rules) - told):
            yield process, f"fuel of process {process} at {site['id']}: no line of {self.month}"

    def remainder(self, site: Facts, rule: Facts) -> str:
        """What the boundary set took in and no allocated meter measured."""
        network = self.networks[site["id"]]
        boundary = sorted(network.boundary)
        allocated = sorted(meter for meter in rule.get("meters", {}) if meter in network.places)
        names = [f"energy.{meter}" for meter in (*boundary, *allocated)]
        lacks = self.missing(names)
        taken = [self.values[f"energy.{meter}"] or 0 for meter in boundary]
        borne = [self.values[f"energy.{meter}"] or 0 for meter in allocated]
        label = site["name"]
        shares = rule.get("remainder")
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
            rule = site.get("allocation")
            if rule is None:
                continue
            remainder = self.remainder(site, rule)
            places, fuels = self.networks[site["id"]].places, rule.get("fuels", {})
            meters = {meter: each for meter, each in rule.get("meters", {}).items() if meter in places}
            for meter, shares in sorted(meters.items()):
                name = f"energy.{meter}"
                kwh = self.values[name]
                yield [name, self.grid], shares, kwh, self.co2_of(kwh), None, []
            if rule.get("remainder") is not None:
                kwh = self.values[remainder]
                yield [remainder, self.grid], rule["remainder"], kwh, self.co2_of(kwh), None, []
            everyone = {
                product: 0
                for shares in (*meters.values(), *fuels.values(), rule.get("remainder") or {})
                for product in shares
            }
            for burning, emission, processes, by_process in self.burned:
                for process in processes if burning == site["id"] else ():
                    if process in fuels:
                        yield [emission], fuels[process], None, by_process.get(process), process, []
                    else:
                        lack = f"fuel of process {process} at {burning}: no rule says which product bears it"
                        yield [emission], everyone, None, None, process, [lack]
            for process, lack in self.unreported(site):
                yield [], fuels[process], None, None, process, [lack]

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
        network = self.networks[site["id"]]

        def below(meters: Iterable[str]) -> Iterator[str]:
            for name in sorted((f"energy.{meter}" for meter in meters), key=self.by_size):
                yield name
                fed = name[len("energy.") :]
                yield from below(node["meter"] for node in network.fed_by(fed))

        tops = [node["meter"] for nodes in network.places.values() for node in nodes if not node["parent"]]
        yield from below(meter for meter in tops if meter in network.boundary)
        yield from below(meter for meter in tops if meter not in network.boundary)

    def by_size(self, name: str) -> tuple[bool, Fraction, str]:
        value = self.values[name]
        return value is None, -(value or Fraction(0)), name

    def document(self) -> Facts:
        """The whole statement."""
        self.grid = self.factor_of_electricity()
        self.fuel_figures()
        boundary = [each for site in self.sites for each in sorted(self.networks[site["id"]].boundary)]
        bought = []
        for site in self.sites:
            for meter in self.networks[site["id"]].boundary:
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
        aims = self.plan.get("targets", {})
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
        digest = sha256(canonical(self.plan))
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
            "synthetic": self.plan.get("synthetic"),
            "as_of": None if self.newest is None else local(self.newest, self.zone),
            "status": {
                "activity": "closed" if self.closed else "open",
                "factors": "provisional" if provisional else "final",
                "month": "provisional" if reasons else "final",
                "reasons": reasons,
            },
            "plan": {"version": self.versions.get(digest), "digest": digest},
            "basis": {"id": self.series["id"], **self.series["name"]},
        }


class Point:
    """One point: its register, what stood behind it, and what else is known of it."""

    def __init__(self, statement: Statement, name: str, readings: list[Reading]) -> None:
        rows = statement.rows
        self.zone = statement.zone
        behind = (installation(row) for row in rows("installations", name))
        self.installed = sorted(behind, key=lambda each: each["from"])
        entered = {instant(row["time"]) for row in rows("entered", name)}
        left_out = {instant(row["time"]) for row in rows("left_out", name)}
        self.counter = Counter(readings, self.installed, entered, left_out)
        self.values: list[Facts] = [
            {**row, "from": instant(row["from"]), "to": instant(row["to"]), "wh": int(row["wh"])}
            for row in rows("values", name)
        ]
        self.fixed = {instant(row["time"]): fixed_row(row["boundary"]) for row in rows("frozen", name)}

    def energy(self, start: int, end: int, factor: Fraction) -> Facts:
        """What is known of its energy in a span."""
        values = [each for each in self.values if each["from"] < end and each["to"] > start]
        made = times_factor(self.installed, values, self.fixed, factor)
        return energy(self.counter, *made, start, end, self.zone)


def fixed_row(text: str) -> Facts:
    """A register that a closed month has fixed."""
    facts = json.loads(text)
    sides = {}
    for side in ("before", "after"):
        held = facts[side]
        sides[side] = held and (held[0], count_of(held[1]), "uncertain" if held[2:] else "good")
    kept = {key: facts[key] for key in ("method", "offset", "width", "count")}
    return {**kept, **sides, "beyond": facts.get("wh_beyond", 0)}


def worst_class(installed: list[Facts]) -> Fraction | None:
    """The error that the worst accuracy class allows [1]; None where one is not known."""
    classes = [each["accuracy_class"] for each in installed]
    if not classes or not all(classes):
        return None
    percents = {"A": Fraction(2), "B": Fraction(1), "C": Fraction(1, 2)}
    return max(percents[each] if each in percents else Fraction(each.rstrip("S")) for each in classes) / 100


def impossible(kind: str, meter: str, excess: int, limit: int) -> Facts:
    """Something that cannot be true of a network."""
    return {"kind": kind, "meter": meter, "excess_wh": excess, "limit_wh": limit}


def shown_mark(mark: Facts, zone: ZoneInfo) -> Facts:
    """A boundary as the statement has it."""
    sides = {}
    for side in ("before", "after"):
        held = mark[side]
        sides[side] = held and {
            "time": local(held[0], zone),
            "time_ms": held[0],
            "count": shown(held[1]),
            "quality": held[2],
        }
    return {
        "time": local(mark["ms"], zone),
        "time_ms": mark["ms"],
        "method": mark["method"],
        "count": mark["count"],
        "accumulated": mark["total"],
        "lower": mark["low"],
        "upper": mark["high"],
        "wh_beyond": mark["beyond"],
        **sides,
    }


def shown_gap(gap: Facts, zone: ZoneInfo) -> Facts:
    """A gap as the statement has it."""
    return {
        "kind": gap["kind"],
        "from": local(gap["start"], zone),
        "to": local(gap["end"], zone),
        "least_wh": text_of(gap["least"]),
        "most_wh": text_or_none(gap["most"]),
    }


def shown_value(part: Facts, zone: ZoneInfo) -> Facts:
    """What an energy takes from elsewhere, as the statement has it."""
    return {
        "from": local(part["a"], zone),
        "to": local(part["b"], zone),
        "wh": part["part"],
        "of_wh": part["wh"],
        "of_from": local(part["from"], zone),
        "of_to": local(part["to"], zone),
        **{key: part[key] for key in ("origin", "method", "document", "sha256", "reader", "note")},
    }


def shown_event(event: Event, zone: ZoneInfo) -> Facts:
    """A decision about readings, as the statement has it."""
    at, kind, evidence = event
    return {
        "kind": kind,
        "time": local(at, zone),
        "time_ms": at,
        "evidence": evidence,
        "explanation": EXPLANATIONS[kind],
    }


def splits(found: Facts, zone: ZoneInfo) -> Iterator[Facts]:
    """Yield what lay over an end of a span and was split there."""
    if found["wh"] is None or not found["marks"]:
        return
    linear = "linear in time"
    for at, mark, installed in (
        (found["start"], found["marks"][0], found["installed"][:1]),
        (found["end"], found["marks"][-1], found["installed"][-1:]),
    ):
        for part in found["used"]:
            if part["from"] < at < part["to"]:
                rule = f"{part['method'] or part['origin']}, {linear}"
                wh, start, end = part["wh"], part["from"], part["to"]
                yield split(rule, at, start, end, wh, wh * (at - start) // (end - start), zone)
        for gap in found["gaps"]:
            if gap["start"] < at < gap["end"] and mark["method"] == "interpolated":
                wh, start, end = int(gap["least"] // 1), gap["start"], gap["end"]
                yield split(linear, at, start, end, wh, wh * (at - start) // (end - start), zone)
        known = mark["before"] and mark["after"] and mark["low"] != mark["high"] and not near(mark)
        if installed and known:
            worth = installed[0]["multiplier"] * found["resolution"]
            whole, before = ((mark[key] - mark["low"]) * worth // 1 for key in ("high", "total"))
            yield split(linear, at, mark["before"][0], mark["after"][0], int(whole), int(before), zone)


def split(rule: str, at: int, start: int, end: int, wh: int, before: int, zone: ZoneInfo) -> Facts:
    """What was split, as the statement has it."""
    return {
        "at": local(at, zone),
        "from": local(start, zone),
        "to": local(end, zone),
        "rule": rule,
        "wh": wh,
        "wh_before": before,
        "wh_after": wh - before,
    }


def shown(count: Count) -> int | str:
    """A count as JSON has it: without floats."""
    return count if isinstance(count, int) else f"{count:f}"


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
        "resolution": text_of(each["resolution"]),
        "wrap_at": each["wrap_at"],
        "opening": None if each["opening"] is None else shown(each["opening"]),
        "closing": None if each["closing"] is None else shown(each["closing"]),
        "evidence": each["evidence"],
    }


# -------------------------------------------------------------------------------------------- the checks


def packed(start: int, rows: list[Reading]) -> bytes:
    """The readings of one half-hour as bytes, as docs/audit.md lays them out."""
    rows = sorted(set(rows), key=by_time)
    places = [-int(c.as_tuple().exponent) for _, c, _ in rows if isinstance(c, Decimal)]
    decimals = max(places, default=0)
    shifted = [
        count
        if count is None or (isinstance(count, int) and not decimals)
        else int(Fraction(count) * 10**decimals)
        for _, count, _ in rows
    ]
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
            column(gaps, gap_width),
            column(above, count_width),
            grades if graded else b"",
        )
    )


def column(numbers: list[int], width: int) -> bytes:
    """Numbers one after the other, each in so many bytes."""
    if width in (1, 2, 4, 8):
        return struct.pack(f"<{len(numbers)}{'BHIQ'[width.bit_length() - 1]}", *numbers)
    return b"".join(number.to_bytes(width, "little") for number in numbers)


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


def by_time(row: Reading) -> tuple[int, bool, Count, int]:
    """The order of readings, also of those of one instant."""
    return row[0], row[1] is not None, row[1] or 0, row[2]


class Check:
    """One look at some evidence: what was found, and what differs."""

    def __init__(self, path: Path, head: str = "") -> None:
        self.wrong: list[str] = []
        self.found: list[str] = []
        self.evidence = Evidence.at(path)
        self.until = EVER  # the decision that closed the month: none after it bears on it
        for step in (
            self.manifest,
            self.decisions,
            self.closing,
            self.lines,
            self.bills,
            self.cells,
            self.statement,
        ):
            try:
                step()
            except Wrong as error:
                self.wrong.append(str(error))
            except BROKEN as error:
                self.wrong.append(f"{step.__name__}: it cannot be worked out: {error!r:.200}")
        if head:
            self.compare_head(head)

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
        self.until = number
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
        """Each line of fuel and production has the id of its contents, and was brought by a decision."""
        kinds = {
            "fuel": ("site", "process", "fuel", "date", "quantity", "unit", "document"),
            "production": ("month", "site", "product", "quantity", "unit", "document"),
        }
        count = 0
        for kind, fields in kinds.items():
            brought: dict[str, str | None] = {}
            for each in self.chain:
                if each["kind"] == "import" and each["facts"].get("what") == kind:
                    brought |= dict.fromkeys(each["facts"].get("ids", ()))
                    brought |= each["facts"].get("lines", {})
            name = "inputs/fuels.csv" if kind == "fuel" else "inputs/production.csv"
            for number, row in enumerate(self.evidence.table(name), 2):
                count += 1
                line = {key: text for key, text in row.items() if key != "id"}
                if row["id"] != sha256(canonical([kind, *(row[field] for field in fields)]))[:32]:
                    self.differs(name, number, "its id is not that of its contents")
                if row["id"] not in brought:
                    self.differs(name, number, "no decision brought it")
                elif brought[row["id"]] not in (None, sha256(canonical(line))[:32]):
                    self.differs(name, number, "it is not what was brought")
        self.found.append(f"{count} lines of fuel and production, each as a decision brought it")

    def bills(self) -> None:
        """Each bill has the id of its contents, and was brought by a decision."""
        fields = (
            "point",
            "supplier",
            "menu",
            "first_day",
            "last_day",
            "kwh",
            "demand_kw",
            "amount",
            "document",
        )
        brought = {
            name
            for each in self.chain
            if each["kind"] == "import" and each["facts"].get("what") == "bills"
            for name in (*each["facts"].get("ids", ()), *each["facts"].get("lines", {}))
        }
        rows = self.evidence.table("bills.csv")
        for number, row in enumerate(rows, 2):
            known = {**row, "demand_kw": row["demand_kw"] or None, "amount": row["amount"] or None}
            told = ["bill", *(known[field] for field in fields), row["sha256"]]
            if row["id"] != sha256(canonical(told))[:32]:
                self.differs("bills.csv", number, "its id is not that of its contents")
            if row["id"] not in brought:
                self.differs("bills.csv", number, "no decision brought it")
        if rows:
            self.found.append(f"{len(rows)} bills, each as a decision brought it")

    def cells(self) -> None:
        """All readings of each point are those that were hashed."""
        name, total = "inputs/cells.csv", 0
        self.spans: dict[str, tuple[int, int]] = {}
        self.late: set[str] = set()
        for number, row in enumerate(self.evidence.table(name), 2):
            point, file = row["point"], f"cells/{row['point']}.csv"
            readings = self.evidence.readings(file)
            total += len(readings)
            self.spans[point] = instant(row["from"]), instant(row["to"])
            cells, hashed = content_hash(point, readings)
            if hashed == row["sha256"]:
                if [row["cells"], row["readings"]] != [str(cells), str(len(readings))]:
                    self.differs(name, number, f"there are {cells} half-hours and {len(readings)} readings")
                continue
            more = len(readings) - int(row["readings"])
            if not self.closed or more <= 0:
                self.differs(file, 0, f"these are not the readings that {name} line {number} tells of")
            else:
                self.late.add(point)
                self.found.append(
                    f"{more} readings of {point} came after the closing; the statement rests on none of them"
                )
        self.found.append(f"{total} readings of {len(self.spans)} points")

    def statement(self) -> None:
        """The statement follows from the readings it rests on, and from all of them."""
        is_ = self.evidence.text("statement.json")
        self.compare("the readings it rests on", is_, self.used)
        self.compare("all readings", is_, self.all)

    def used(self, point: str) -> list[Reading]:
        """The readings of a point that the statement rests on."""
        return self.evidence.readings(f"inputs/readings/{point}.csv")

    def all(self, point: str) -> list[Reading]:
        """All readings of a point as people put them right; those of the closing, where others came since."""
        used = self.used(point)
        found = self.corrected(point, self.evidence.readings(f"cells/{point}.csv"))
        for at, count, _ in sorted(set(used).difference(found), key=by_time)[:3]:
            what = f"{count} at {at} is neither among all readings nor entered"
            self.differs(f"inputs/readings/{point}.csv", 0, what)
        return used if point in self.late else found

    def compare(self, what: str, is_: str, readings: Callable[[str], list[Reading]]) -> None:
        """Work the statement out, and name the lines that differ."""
        due = statement_text(Statement(self.evidence, readings, self.versions()).document())
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

    def versions(self) -> dict[str, int]:
        """The version of the plan in force, by its digest."""
        adopted = [each["facts"] for each in self.chain[: self.until] if each["kind"] == "plan"]
        return {facts["digest"]: facts["version"] for facts in adopted[-1:]}

    def corrected(self, point: str, rows: list[Reading]) -> list[Reading]:
        """Readings of a point, less those that people excluded, with those that they entered."""
        history = [each for each in self.chain[: self.until] if each["kind"] == "correction"]
        undone: set[int] = set()
        for each in reversed(history):
            if each["facts"]["what"] == "undo" and each["number"] not in undone:
                undone.add(each["facts"]["number"])
        for each in history:
            facts = each["facts"]
            if each["number"] in undone or facts.get("point") != point:
                continue
            if facts["what"] == "exclude":
                start = facts["time_ms"] if "time_ms" in facts else facts["start_ms"]
                end = start + 1 if "time_ms" in facts else facts["end_ms"]
                rows = [row for row in rows if not start <= row[0] < end]
            elif facts["what"] == "enter":
                at = facts["time_ms"]
                if self.spans[point][0] <= at < self.spans[point][1]:
                    rows = [row for row in rows if row[0] != at] + [(at, count_of(facts["count"]), 0)]
        return rows

    def compare_head(self, head: str) -> None:
        """A decision from the closing on has the hash, or what it begins with, that was printed."""
        first = 0 if self.until == EVER else self.until - 1
        told = head.split()[-1] if head.split() else ""
        if len(told) < 16 or not any(each["hash"].startswith(told) for each in self.chain[first:]):
            since = f" since the month was closed by {self.until}" if first else ""
            what = f"the chain ends with {self.head[:40]}, and no decision{since} has the hash {told}"
            self.differs("decisions.jsonl", 0, what)


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
