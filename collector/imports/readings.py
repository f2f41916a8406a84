"""Registers and energies of intervals from files, into the ledger: looked at first, each thing once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from collector.imports import csv_readings, green_button, nem12, weigh
from collector.imports.entries import Energy, Index, placed
from collector.imports.findings import Findings, PointFindings, SetAside
from collector.imports.gather import Energies, Registers
from collector.ledger import Ledger, cells, decisions, values
from collector.people import Who
from collector.records import find_meters
from collector.tabular import TextFile, look_through
from collector.view import View
from config.hq import HqConfig, SiteRecord
from config.mapping import FileKind
from config.mapping import Mapping as FileMapping
from config.meters import MeterRecord
from core.errors import DataError, UsageError
from core.metering.interval_data import Run
from core.metering.quantities import Kind
from core.timeline import UTC_ZONE, Interval, parse_local

KIND = "import"
_CELLS_PER_MERGE = 5_000
_EVER = Interval(-(1 << 62), 1 << 62)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of a file.

    Parameters
    ----------
    mapping
        How a CSV file is to be read; None for files that tell it themselves.
    channels
        Channel → point, of files that tell the rest themselves.
    since, until
        Local time in the file's zone, or the site's: the part of the file that is brought, its end not
        included; empty for all.
    """

    mapping: FileMapping | None = None
    channels: Mapping[str, str] | None = None
    since: str = ""
    until: str = ""


def import_readings(
    path: Path, ledger: Ledger, hq: HqConfig, wanted: Wanted, *, who: Who, now_ms: int, dry: bool = False
) -> Findings:
    """Add a file's registers or energies to the ledger; doing it again adds nothing.

    Parameters
    ----------
    wanted
        How the file is to be read.
    who
        Who brings it.
    now_ms
        Now [ms since 1970 UTC].
    dry
        Only look, and write nothing.

    Raises
    ------
    UsageError
        The file needs a mapping, or points that nothing on record is called.
    ConfigError, DataError
        The file as a whole cannot be used, or the records contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    file = look_through(path)
    source = _Source(file, hq, wanted)
    with ledger.reading() as connection:
        view = View(connection, hq)
        aside, passed_over, within = SetAside(), Counter[str](), source.part()
        registers, energies = Registers(), Energies(path.name, file.sha256, who.person)
        for entry in source.entries(view):
            if isinstance(entry, DataError):
                aside.add(entry)
                if aside.hopeless and not registers.any and not energies.any:
                    break
            elif isinstance(entry, Index):
                if entry.time_ms in within:
                    registers.add(entry)
            elif entry.start_ms not in within:
                continue
            elif entry.channel not in source.points:
                passed_over[entry.channel] += 1
            else:
                try:
                    energies.add(source.points[entry.channel], entry)
                except DataError as error:
                    aside.add(placed(error, f"{path.name}:{entry.line}"))
        if passed_over and not source.points:
            raise _no_channels(path, passed_over)
        found: list[PointFindings] = []
        runs: list[Run] = []
        for point in registers.points():
            found.append(weigh.registers(view, *source.meters[point], registers))
        for point in energies.points():
            told, new = weigh.energies(view, *source.meters[point], energies, aside)
            found.append(told)
            runs += new
    findings = Findings(
        file=path.name,
        sha256=file.sha256,
        kind=source.kind.value,
        form=source.form,
        points=tuple(found),
        aside=aside,
        passed_over=dict(passed_over),
        dry=dry,
    )
    if dry or not findings.added:
        return findings
    body = _body(findings, source.told(), [wanted.since, wanted.until], [run.id for run in runs])
    with ledger.writing() as connection:
        decision = decisions.decide(connection, kind=KIND, who=who, reason="", body=body, time_ms=now_ms)
        values.add(connection, runs, decision)
        for point in registers.points():
            some: list[Any] = []
            for cell in registers.cells(point):
                some.append(cell)
                if len(some) == _CELLS_PER_MERGE:
                    cells.merge(connection, some)
                    some.clear()
            cells.merge(connection, some)
    findings.decision = decision.number
    return findings


class _Source:
    """A file, and how it is read."""

    def __init__(self, file: TextFile, hq: HqConfig, wanted: Wanted) -> None:
        self._file = file
        with file.open() as text:
            first = text.readline(2000).strip()
        self.form = "csv"
        if first.startswith("<"):
            self.form = "green button"
        elif nem12.looks_like(first) and wanted.mapping is None:
            self.form = "nem12"
        self._mapping = wanted.mapping
        if self.form == "csv" and wanted.mapping is None:
            raise UsageError(
                "what are the columns of this file?",
                where=file.path.name,
                evidence=first[:200],
                next="name them: --kind, --time, --column POINT=COLUMN; or give a --mapping",
            )
        if self.form != "csv" and wanted.mapping is not None:
            raise UsageError(
                f"a {self.form} file tells its columns itself",
                where=file.path.name,
                next="give only --column POINT=CHANNEL",
            )
        self.kind = FileKind.INTERVALS if self._mapping is None else self._mapping.kind
        self._hq, self._wanted = hq, wanted
        self.meters: dict[str, tuple[SiteRecord, MeterRecord]] = {}
        if self._mapping is not None:
            for each in self._mapping.points:
                self.name(each.point)
            self.points = {point: point for point in self.meters}
        else:
            self.points = {channel: self.name(point) for channel, point in (wanted.channels or {}).items()}

    def name(self, text: str) -> str:
        """Return the id of the point that a text names, and note its meter.

        Raises
        ------
        UsageError
            There is none, or several, or it does not accumulate.
        """
        found = find_meters(self._hq, text)
        site, meter = found[0]
        if len(found) > 1 or text == site.id or meter.quantity.kind is not Kind.COUNTER:
            raise UsageError(
                "energy belongs to a meter, not to a site",
                evidence=text,
                next=f"one of: {', '.join(meter.point for meter in site.meters)}",
            )
        self.meters[meter.point] = site, meter
        return meter.point

    def entries(self, view: View) -> Iterator[Index | Energy | DataError]:
        """Yield what the file holds."""
        if self.form == "nem12":
            return nem12.entries(self._file)
        if self.form == "green button":
            return green_button.entries(self._file.path)
        assert self._mapping is not None  # refused at the beginning
        return csv_readings.entries(
            self._file,
            self._mapping,
            self.zone,
            {point: view.installations(site, meter) for point, (site, meter) in self.meters.items()},
            self.name,
        )

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of times without an offset.

        Raises
        ------
        UsageError
            None is named, and the points' sites have several.
        """
        zones = {site.time_zone.key: site.time_zone for site, _ in self.meters.values()}
        if self._mapping is not None and self._mapping.zone is not None:
            return self._mapping.zone
        if len(zones) > 1:
            raise UsageError(
                "in which time zone are the times?",
                where=self._file.path.name,
                evidence=f"its points are in {' and '.join(sorted(zones))}",
                next="name it: --zone, or zone in the mapping",
            )
        return next(iter(zones.values()), UTC_ZONE)

    def part(self) -> Interval:
        """Return the time that is wanted of the file.

        Raises
        ------
        UsageError
            One of its ends is no time.
        """
        since, until = self._wanted.since, self._wanted.until
        start_ms = parse_local(since, self.zone) if since else _EVER.start_ms
        return Interval(start_ms, parse_local(until, self.zone) if until else _EVER.end_ms)

    def told(self) -> dict[str, Any]:
        """Return how the file was read, for the chain."""
        if self._mapping is None:
            return {"channels": dict(self.points)}
        return {"mapping": self._mapping.facts(self.zone)}


def _body(findings: Findings, told: dict[str, Any], part: list[str], ids: list[str]) -> dict[str, Any]:
    """Return what the decision says: the file, how it was read, and what it brought."""
    return {
        "what": "readings" if findings.kind == FileKind.REGISTERS else "values",
        "file": findings.file,
        "sha256": findings.sha256,
        "form": findings.form,
        **told,
        "part": part,
        "points": {
            each.point: {
                "added": each.added,
                "first_ms": each.first_ms,
                "last_ms": each.last_ms,
                "hash": each.hash,
            }
            for each in findings.points
        },
        "aside": findings.aside.count,
        "ids": sorted(ids),
    }


def _no_channels(path: Path, channels: Mapping[str, int]) -> UsageError:
    first = next(iter(channels))
    return UsageError(
        "which point is which channel of this file?",
        where=path.name,
        evidence=", ".join(f"{name} ({count:,} values)" for name, count in channels.items()),
        next=f"name them, such as --column POINT={first}",
    )
