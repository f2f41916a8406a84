"""Interval data of North America's utilities, Green Button: an ESPI feed, read as it streams by.

No document type is let in, so no entity can be declared, expanded or fetched.

References
----------
NAESB REQ.21, Energy Services Provider Interface (ESPI): UsagePoint, MeterReading, ReadingType,
IntervalBlock, IntervalReading; times are seconds since 1970 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from xml.parsers import expat

from collector.imports.entries import MEASURED, Energy, Grade, placed
from core.errors import DataError
from core.metering.sources import Origin

_CHUNK = 1 << 16
_DEEPEST = 40
_LONGEST_TEXT = 10_000
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_WATT_HOURS = "72"
_DELTA = "4"
_FLOWS = {"1": "forward", "19": "reverse"}
_MEASURED = {"0", "14", "17", "18", "19"}
_METHODS = {
    "7": (Origin.MANUAL, "edited by hand"),
    "8": (Origin.SUBSTITUTED, "estimate by a reference day"),
    "9": (Origin.SUBSTITUTED, "estimate, linear"),
    "10": (Origin.SUBSTITUTED, "substitute, questionable"),
    "11": (Origin.SUBSTITUTED, "substitute, derived"),
    "12": (Origin.SUBSTITUTED, "estimate, projected"),
    "13": (Origin.SUBSTITUTED, "substitute, mixed"),
    "15": (Origin.SUBSTITUTED, "substitute, normalised for weather"),
    "16": (Origin.SUBSTITUTED, "substitute, other"),
}
_KEPT = {"uom", "powerOfTenMultiplier", "flowDirection", "accumulationBehaviour"}


@dataclass
class _Reading:
    """One IntervalReading as it stands in the file."""

    line: int
    start: str = ""
    duration: str = ""
    value: str = ""
    quality: str = ""


@dataclass
class _Entry:
    """One atom entry: its links, and what it holds."""

    links: dict[str, list[str]] = field(default_factory=dict)
    is_a: str = ""
    type: dict[str, str] = field(default_factory=dict)
    readings: list[_Reading] = field(default_factory=list)


class _Feed:
    """Takes what the parser meets, and keeps what energies are made of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[str] = []
        self._entry = _Entry()
        self._reading: _Reading | None = None
        self._held: list[str] = []
        self._length = 0
        self.types: dict[str, dict[str, str]] = {}
        self.type_of: dict[str, str] = {}
        self.blocks: list[tuple[str, list[_Reading]]] = []

    def read(self) -> None:
        try:
            with self._path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    self._parser.Parse(chunk, False)
                self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise DataError(
                "the file is not XML",
                where=f"{self._path.name}:{error.lineno}",
                evidence=expat.ErrorString(error.code),
            ) from error

    def _doctype(self, *_: object) -> None:
        raise DataError(
            "a document type in a Green Button file",
            where=f"{self._path.name}:{self._parser.CurrentLineNumber}",
            cause="no utility writes one; it may hide entities",
            next="get the file from the utility again",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        self._open.append(tag)
        if len(self._open) > _DEEPEST:
            raise DataError("elements too deep", where=f"{self._path.name}:{self._parser.CurrentLineNumber}")
        self._held, self._length = [], 0
        if tag == "entry":
            self._entry = _Entry()
        elif tag == "link":
            self._entry.links.setdefault(attributes.get("rel", ""), []).append(attributes.get("href", ""))
        elif tag in ("ReadingType", "MeterReading", "IntervalBlock"):
            self._entry.is_a = tag
        elif tag == "IntervalReading":
            self._reading = _Reading(self._parser.CurrentLineNumber)

    def _text(self, text: str) -> None:
        self._length += len(text)
        if self._length > _LONGEST_TEXT:
            raise DataError("a text too long", where=f"{self._path.name}:{self._parser.CurrentLineNumber}")
        self._held.append(text)

    def _end(self, name: str) -> None:
        tag, text = self._open.pop(), "".join(self._held).strip()
        above = self._open[-1] if self._open else ""
        self._held, self._length = [], 0
        if self._reading is not None:
            if above == "timePeriod" and tag in ("start", "duration"):
                setattr(self._reading, tag, text)
            elif tag == "value" and above == "IntervalReading":
                self._reading.value = text
            elif tag == "quality" and above == "ReadingQuality":
                self._reading.quality = text
            elif tag == "IntervalReading":
                self._entry.readings.append(self._reading)
                self._reading = None
        elif above == "ReadingType" and tag in _KEPT:
            self._entry.type[tag] = text
        elif tag == "IntervalBlock":
            self.blocks.append((self._of("up"), self._entry.readings))
            self._entry.readings = []
        elif tag == "entry":
            self._close()

    def _close(self) -> None:
        own = self._of("self")
        if self._entry.is_a == "ReadingType":
            self.types[own] = self._entry.type
        elif self._entry.is_a == "MeterReading":
            for other in self._entry.links.get("related", []):
                if "/ReadingType/" in other:
                    self.type_of[own] = other

    def _of(self, relation: str) -> str:
        return next(iter(self._entry.links.get(relation, [])), "")


def entries(path: Path) -> Iterator[Energy | DataError]:
    """Yield the energies of a file by channel, and an error in the place of each that cannot be used.

    A channel is ``forward`` (delivered to the customer) or ``reverse``; where a file has several usage
    points, its id stands before it: ``01:forward``.

    Raises
    ------
    DataError
        The file as a whole cannot be used.
    """
    feed = _Feed(path)
    feed.read()
    points = {point for up, _ in feed.blocks if (point := _usage_point(up))}
    for up, readings in feed.blocks:
        line = readings[0].line if readings else 0
        try:
            channel, unit = _channel(_type_of(feed, up))
        except DataError as error:
            yield placed(error, f"{path.name}:{line}")
            continue
        if len(points) > 1:
            channel = f"{_usage_point(up)}:{channel}"
        for reading in readings:
            try:
                yield _energy(reading, channel, unit)
            except DataError as error:
                yield placed(error, f"{path.name}:{reading.line}")


def _type_of(feed: _Feed, up: str) -> dict[str, str]:
    meter_reading = re.sub(r"/IntervalBlock(/.*)?$", "", up)
    named = feed.type_of.get(meter_reading)
    if named in feed.types:
        return feed.types[named]
    if len(feed.types) == 1:
        return next(iter(feed.types.values()))
    raise DataError("an interval block without its reading type", evidence=up or "no link up")


def _channel(about: dict[str, str]) -> tuple[str, Decimal]:
    if about.get("uom") != _WATT_HOURS:
        raise DataError(
            "interval data that is no active energy", evidence=f"uom {about.get('uom', 'not given')}, not 72"
        )
    if about.get("accumulationBehaviour", _DELTA) != _DELTA:
        raise DataError(
            "interval data that is no energy of its interval",
            evidence=f"accumulationBehaviour {about['accumulationBehaviour']}, not 4",
        )
    power = about.get("powerOfTenMultiplier") or "0"
    flow = _FLOWS.get(about.get("flowDirection", "1"))
    if flow is None or not re.fullmatch(r"-?\d", power):
        raise DataError(
            "a reading type that is not understood",
            evidence=f"flowDirection {about.get('flowDirection')}, powerOfTenMultiplier {power}",
        )
    return flow, Decimal(10) ** int(power)


def _energy(reading: _Reading, channel: str, unit: Decimal) -> Energy:
    for name in ("start", "duration", "value"):
        if not _WHOLE.fullmatch(getattr(reading, name)):
            raise DataError(f"an interval without {name}", evidence=repr(getattr(reading, name)))
    start_ms, duration_ms = int(reading.start) * 1000, int(reading.duration) * 1000
    if duration_ms <= 0 or start_ms < 0:
        raise DataError("an interval that is none", evidence=f"{reading.duration} s")
    if int(reading.value) < 0:
        raise DataError("a negative energy", evidence=reading.value)
    return Energy(
        reading.line, channel, start_ms, start_ms + duration_ms, int(reading.value) * unit, _grade(reading)
    )


def _grade(reading: _Reading) -> Grade:
    quality = reading.quality or "0"
    if quality in _MEASURED:
        return MEASURED
    if quality not in _METHODS:
        raise DataError("a quality that is not known", evidence=quality)
    origin, method = _METHODS[quality]
    return Grade(origin, f"{method} (ESPI {quality})")


def _usage_point(up: str) -> str:
    found = re.search(r"/UsagePoint/([^/]+)", up)
    return found[1] if found else ""
