"""Corrections as people ask for them, made into what the chain holds; and back into words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from collector.corrections import count_of
from collector.ledger import cells
from collector.view import View
from config.hq import SiteRecord
from config.meters import MeterRecord
from config.profile import load_profile
from core.carbon.rounding import exact_text
from core.chain import Json
from core.errors import DataError, UsageError
from core.metering.corrected import FACTS, corrected_installations, installed
from core.metering.installations import Installation
from core.metering.quantities import Unit
from core.metering.readings import Count
from core.timeline import HALF_HOUR_MS, Interval, format_local, parse_local

_FINENESS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d"), 60_000),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"), 1_000),
)
_DISPLAYED = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?) ?(Wh|kWh|MWh)", re.ASCII)
_COUNTED = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_SHOWN = 5

Body = dict[str, Json]


def one_reading(connection: Connection, meter: MeterRecord, text: str, zone: ZoneInfo) -> int:
    """Return the instant of the one reading of a point that a time means [ms since 1970 UTC].

    Parameters
    ----------
    text
        A time; written to the minute or the second it means all of that.

    Raises
    ------
    UsageError
        The text is no time, or it means no reading or several.
    """
    first_ms = parse_local(text, zone)
    fine_ms = next((width for form, width in _FINENESS if form.fullmatch(text.strip())), 1)
    meant = Interval(first_ms, first_ms + fine_ms)
    near = cells.read(connection, meter.point, Interval(first_ms - HALF_HOUR_MS, first_ms + HALF_HOUR_MS))
    times = sorted({row[0] for cell in near for row in cell.readings})
    found = [time_ms for time_ms in times if time_ms in meant]
    if len(found) == 1:
        return found[0]
    shown = found or sorted(times, key=lambda time_ms: abs(time_ms - first_ms))[:_SHOWN]
    raise UsageError(
        "that time means several readings" if found else "there is no reading at that time",
        where=meter.point,
        evidence=("there are " if found else "the nearest are ")
        + ", ".join(_clock(time_ms, zone) for time_ms in sorted(shown)[:_SHOWN])
        if shown
        else "none within half an hour",
        next="write the time with its milliseconds, or give --from and --to",
    )


def excluded(time_ms: int | None, interval: Interval | None, meter: MeterRecord) -> Body:
    """Return the correction that leaves one reading out, or those of an interval."""
    body: Body = {"what": "exclude", "point": meter.point}
    if interval is not None:
        return body | {"start_ms": interval.start_ms, "end_ms": interval.end_ms}
    assert time_ms is not None  # callers give one of the two
    return body | {"time_ms": time_ms}


def index(text: str, installation: Installation) -> Count:
    """Return the count that an index means.

    Parameters
    ----------
    text
        A count as the register holds it, or what the meter's display shows, with its unit: ``8412337.1 kWh``.

    Raises
    ------
    UsageError
        It is no index, or the register cannot hold it.
    """
    text = text.strip()
    if _COUNTED.fullmatch(text):
        return count_of(text)
    shown = _DISPLAYED.fullmatch(text)
    if shown is None:
        raise UsageError(
            "not an index of a meter",
            evidence=text,
            next='write a count, or what the display shows with its unit: "8412337.1 kWh"',
        )
    wh = Fraction(shown[1].replace(",", "")) * Unit(shown[2]).factor_to(Unit.WH)
    count = wh / installation.wh_per_count
    try:
        return count_of(exact_text(count))
    except DataError:
        steps = count // installation.resolution * installation.resolution
        return count_of(exact_text(steps))


def standing(view: View, site: SiteRecord, meter: MeterRecord, time_ms: int) -> Installation:
    """Return what is installed at an instant [ms since 1970 UTC].

    Raises
    ------
    UsageError
        Nothing is on record then.
    """
    for each in view.installations(site, meter):
        if each.overlaps(Interval(time_ms, time_ms)):
            return each
    raise UsageError(
        "nothing is installed there at that time",
        where=meter.point,
        evidence=_clock(time_ms, site.time_zone),
        next="correct the time, or the meter's installations in hq.yaml",
    )


def exchanged(
    view: View, site: SiteRecord, meter: MeterRecord, body: Mapping[str, Any]
) -> tuple[Installation, Installation]:
    """Return the old and the new installation of an exchange, as it would be on record.

    Raises
    ------
    DataError
        The exchange contradicts the records.
    """
    corrections = view.corrections.also(body)
    known = corrected_installations(meter.dated(site.time_zone), corrections.of(meter))
    at = [number for number, each in enumerate(known) if each.start_ms == body["at_ms"]]
    return known[at[0] - 1], known[at[0]]


def wh(kwh: str) -> int:
    """Return an energy [Wh] of kWh that a person wrote.

    Raises
    ------
    UsageError
        It is no energy of whole Wh, 0 or more.
    """
    text = kwh.replace(",", "").strip()
    found = Fraction(text) * 1000 if _COUNTED.fullmatch(text) else Fraction(-1)
    if found < 0 or found.denominator != 1:
        raise UsageError(
            "not an energy in kWh, to the Wh", where="--kwh", evidence=kwh, next="write it as 12345.678"
        )
    return int(found)


def facts(texts: Sequence[str], meter: MeterRecord) -> dict[str, Json]:
    """Return facts of an installation, ``ct=600/5``, as the chain holds them.

    A profile is taken apart into what its register counts by, so that a later edition of it changes nothing.

    Raises
    ------
    UsageError
        A text is no fact, or one stands twice.
    DataError
        There is no such fact, or it cannot be that.
    ConfigError
        There is no such profile, or it does not hold the quantity.
    """
    found: dict[str, Json] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value or name in found:
            raise UsageError(
                "not a fact of an installation" if name not in found else f"{name} is given twice",
                where="--set",
                evidence=text,
                next=f"write it as ct=600/5; there are {', '.join(FACTS)}",
            )
        found[name] = value
    if "profile" in found:
        profile = load_profile(str(found["profile"]))
        point = profile.points.get(meter.quantity.value)
        if point is None:
            raise UsageError(
                f"the profile {profile.id} does not hold {meter.quantity.value}", where="--set profile"
            )
        found = {
            "wh_per_count": exact_text(point.scale * point.unit.factor_to(Unit.WH)),
            "resolution": exact_text(point.resolution),
            "wrap_at": "none" if point.wrap_at is None else str(point.wrap_at),
        } | found
    installed((name, str(value)) for name, value in found.items())
    return found


def evidence(document: str | None, file: Path | None) -> Body:
    """Return what proves a correction: a document, and the hash of its file.

    Raises
    ------
    UsageError
        The file cannot be read.
    """
    body: Body = {}
    if file is not None:
        try:
            body["sha256"] = sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(
                "the document's file cannot be read", where=str(file), evidence=error.strerror or str(error)
            ) from error
        body["document"] = file.name
    if document is not None:
        body["document"] = document
    return body


def words(body: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return a correction in words, its times as local clocks show them."""
    match body["what"]:
        case "exclude" if "time_ms" in body:
            return f"the reading of {_clock(body['time_ms'], zone)} is left out"
        case "exclude":
            return f"readings are left out {_span(body['start_ms'], body['end_ms'], zone)}"
        case "enter":
            when = _clock(body["time_ms"], zone)
            return f"index {body['count']} entered for {when}, read by {body['reader']}"
        case "installation":
            return f"{_facts(body['set'])} {_span(body['from_ms'], body['to_ms'], zone)}"
        case "exchange":
            indexes = [
                f"{name} {body[name]}" for name in ("closing", "opening") if body[name] is not None
            ] or ["no index on the slip"]
            told = chain(indexes, [_facts(body["set"])] if body["set"] else [])
            return (
                f"exchanged for serial {body['serial']} at {_clock(body['at_ms'], zone)}; {', '.join(told)}"
            )
        case "substitute":
            kwh = exact_text(Fraction(body["wh"], 1000))
            return f"{kwh} kWh {_span(body['start_ms'], body['end_ms'], zone)}, method: {body['method']}"
        case _:
            return f"decision {body['number']} undone"


def _facts(given: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {given[name]}" for name in FACTS if name in given)


def _span(start_ms: int, end_ms: int | None, zone: ZoneInfo) -> str:
    until = "" if end_ms is None else f" to {_clock(end_ms, zone)}"
    return f"from {_clock(start_ms, zone)}{until}"


def _clock(time_ms: int, zone: ZoneInfo) -> str:
    """Local time without what is zero at its end: a midnight is a date."""
    text = format_local(time_ms, zone)[:23].replace("T", " ")
    text = text if time_ms % 1000 else text[:19]
    for nothing in (":00", " 00:00"):
        if time_ms % 1000 == 0 and text.endswith(nothing):
            text = text.removesuffix(nothing)
    return text
