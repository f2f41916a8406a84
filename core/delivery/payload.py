"""Payload of a frame: counts by time and point, and the agent's events, as compact JSON.

``[[1709218800000,[[0,123456],[1,2301,1],[2,null,2]]],{"event":"clock_step","by_ms":400}]``

A group is an instant [ms since 1970 UTC] and its readings: number of the point in the frame's table,
count as the register held it, and the quality where it is not good. A count is null only where a
reading was due and the register could not be used; its quality is then bad. Decimals (float registers)
keep every digit. There are no quotes but in events, so the text costs nothing inside JSON.

While a machine does not know the time, a group is ``["6453a651587745ae",23423624,[[0,123456]]]``: which run
of the machine, and the time since its start [ms]. An event ``anchor`` says later what that was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple, Never

from core.delivery.frames import Frame
from core.delivery.tables import PointTable
from core.errors import WireError

GOOD, BAD = 0, 2
EVENT_CHARACTERS = 4_000
"""Longest event, as JSON [1]."""

_YEAR_2200_MS = 7_258_118_400_000
_BOOT = re.compile(r"[0-9a-f]{16}", re.ASCII)


class TimeUnknown(WireError):
    """A frame whose readings wait for the anchor of a run of their machine.

    Parameters
    ----------
    boot
        Names that run, 16 hex digits.
    """

    def __init__(self, boot: str) -> None:
        super().__init__(f"time unknown: no anchor has come for {boot}")
        self.boot = boot


class TakenReading(NamedTuple):
    """One point at one instant, as it travels.

    Parameters
    ----------
    point
        Id of the point.
    time_ms
        Instant of the reading [ms since 1970 UTC].
    count
        What the register held, unscaled [counts]; None where it was due and could not be used.
    quality
        0 good, 1 uncertain, 2 bad [1].
    """

    point: str
    time_ms: int
    count: int | Decimal | None  # type: ignore[assignment]  # hides tuple.count, which nobody asks a reading
    quality: int = GOOD


_taken = partial(tuple.__new__, TakenReading)  # a third of what a call with arguments takes

Event = Mapping[str, object]
"""An agent's event: ``event`` names its kind, ``time_ms`` its instant, the rest is its evidence."""


def event_text(event: Event) -> str:
    """Return an event as it travels.

    Raises
    ------
    WireError
        If it has no key ``event``, is no JSON, or is longer than `EVENT_CHARACTERS`.
    """
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise WireError("an event that is no JSON", evidence=_seen(event)) from error
    if not isinstance(event.get("event"), str) or len(text) > EVENT_CHARACTERS:
        raise WireError("an event without its kind, or too long", evidence=_seen(event))
    return text


def payload_of(groups: Iterable[str], events: Iterable[str] = ()) -> str:
    """Return the payload of a frame from the texts of its groups and events."""
    return f"[{','.join((*groups, *events))}]"


def since_start(group: str, time_ms: int, boot: str, start_ms: int) -> str:
    """Return a group's text with the time since the machine's start in place of its own.

    Parameters
    ----------
    time_ms
        The time that stands in it [ms].
    boot
        Names this run of the machine, 16 hex digits.
    start_ms
        Its start by the same clock as `time_ms` [ms].

    Examples
    --------
    >>> since_start("[1767225600500,[[0,5]]]", 1767225600500, "6453a651587745ae", 1767225600000)
    '["6453a651587745ae",500,[[0,5]]]'
    """
    return f'["{boot}",{time_ms - start_ms}{group[1 + len(str(time_ms)) :]}'


def anchor_of(event: Event) -> tuple[str, int] | None:
    """Return the run of a machine that an event anchors, and its start [ms since 1970 UTC]; or None."""
    match event:
        case {"event": "anchor", "boot": str(boot), "mono_ms": int(mono_ms), "time_ms": int(time_ms)}:
            start_ms = time_ms - mono_ms
            if _BOOT.fullmatch(boot) and mono_ms >= 0 and 0 <= start_ms < _YEAR_2200_MS:
                return boot, start_ms
    return None


def group_form(entries: Iterable[tuple[int, str]]) -> str:
    """Return the %-form of a group, to be filled with its time [ms] and its counts.

    Parameters
    ----------
    entries
        Number of each point, and how its count is written: ``%d`` or ``%s``.

    Examples
    --------
    >>> group_form([(0, "%d"), (1, "%s")]) % (1709218800000, 61205023, "null,2")
    '[1709218800000,[[0,61205023],[1,null,2]]]'
    """
    return "[%d,[" + ",".join(f"[{number},{count}]" for number, count in entries) + "]]"


def encode_payload(readings: Iterable[TakenReading], table: PointTable, events: Sequence[Event] = ()) -> str:
    """Return the payload of a frame; readings keep their order.

    Parameters
    ----------
    readings
        Readings of points of the table.
    table
        Says which number each point has.
    events
        JSON objects with the key ``event``, written after the readings.

    Raises
    ------
    WireError
        If a point is not in the table, a count is not finite, or null without bad quality.
    """
    groups: list[str] = []
    index = table.index
    for time_ms, group in groupby(readings, key=attrgetter("time_ms")):
        texts = []
        for reading in group:
            number = index.get(reading.point)
            if number is None:
                raise WireError("reading of a point that is not in its table", where=reading.point)
            mark = f",{reading.quality}" if reading.quality else ""
            texts.append(f"[{number},{_count_text(reading)}{mark}]")
        groups.append(f"[{time_ms},[{','.join(texts)}]]")
    return payload_of(groups, map(event_text, events))


def decode_payload(
    frame: Frame, table: PointTable, starts_ms: Mapping[str, int] = MappingProxyType({})
) -> tuple[tuple[TakenReading, ...], tuple[Event, ...]]:
    """Return the readings and events of a frame.

    Parameters
    ----------
    starts_ms
        When runs of the agent's machine began, as anchors tell [ms since 1970 UTC]; the frame's own
        anchors need not be among them.

    Raises
    ------
    TimeUnknown
        If it waits for an anchor.
    WireError
        If the payload is not of its form or does not hold as many entries as the frame says.
    """
    where = f"{frame.agent} {frame.lane} {frame.epoch[:8]}…/{frame.index}"
    try:
        content = json.loads(frame.payload, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:  # Decimal has exponents of 18 digits
        raise WireError("payload is not JSON", where=where, evidence=frame.payload[:120]) from error
    if not isinstance(content, list):
        raise WireError("payload is not a list", where=where, evidence=frame.payload[:120])
    readings: list[TakenReading] = []
    events: list[Event] = []
    points = table.points
    for part in content:
        match part:
            case [int(time_ms), list(group)] if 0 <= time_ms < _YEAR_2200_MS and type(time_ms) is int:
                _read(group, time_ms, points, readings, where)
            case [str(boot), int(since_ms), list(group)] if (
                _BOOT.fullmatch(boot) and type(since_ms) is int and 0 <= since_ms < _YEAR_2200_MS
            ):
                time_ms = _start_ms(boot, starts_ms, content) + since_ms
                if time_ms >= _YEAR_2200_MS:
                    raise WireError("payload holds a time after 2200", where=where, evidence=_seen(part))
                _read(group, time_ms, points, readings, where)
            case {"event": str()}:
                events.append(part)
            case _:
                raise WireError(
                    "payload holds neither readings nor an event", where=where, evidence=_seen(part)
                )
    if len(readings) + len(events) != frame.n:
        raise WireError(
            f"frame says {frame.n} readings, its payload holds {len(readings) + len(events)}", where=where
        )
    return tuple(readings), tuple(events)


def _start_ms(boot: str, starts_ms: Mapping[str, int], content: Sequence[object]) -> int:
    """When a run of the machine began [ms since 1970 UTC], by what is known or by the frame itself."""
    if boot in starts_ms:
        return starts_ms[boot]
    for part in content:
        if isinstance(part, dict) and (anchor := anchor_of(part)) is not None and anchor[0] == boot:
            return anchor[1]
    raise TimeUnknown(boot)


def _read(
    group: Sequence[object], time_ms: int, points: Sequence[str], readings: list[TakenReading], where: str
) -> None:
    """Add the readings of one instant; most are good and whole, and there are many of them."""
    most = len(points)
    for entry in group:
        if type(entry) is list and len(entry) == 2:
            number, count = entry
            if type(number) is int and type(count) is int and 0 <= number < most:
                readings.append(_taken((points[number], time_ms, count, GOOD)))
                continue
        readings.append(_reading(where, points, time_ms, entry))


def _reading(where: str, points: Sequence[str], time_ms: int, entry: object) -> TakenReading:
    """One entry ``[point, count]`` or ``[point, count, quality]``."""
    match entry:
        case [number, count, *rest] if len(rest) <= 1:
            quality = rest[0] if rest else GOOD
            if (
                type(number) is int
                and 0 <= number < len(points)
                and type(quality) is int
                and GOOD <= quality <= BAD
                and (type(count) is int or type(count) is Decimal or (count is None and quality == BAD))
            ):
                return TakenReading(points[number], time_ms, count, quality)
    raise WireError("payload holds a reading of the wrong form", where=where, evidence=_seen(entry))


def _count_text(reading: TakenReading) -> str:
    """The count of a reading as a JSON number or null."""
    if reading.count is None:
        if reading.quality != BAD:
            raise WireError("a reading without a count that is not marked bad", where=reading.point)
        return "null"
    return decimal_text(reading.count) if isinstance(reading.count, Decimal) else str(reading.count)


def decimal_text(count: Decimal) -> str:
    """Return a decimal count as a JSON number that is read as a decimal again.

    Raises
    ------
    WireError
        If it is not finite.
    """
    if not count.is_finite():
        raise WireError("a count that is not a number", evidence=str(count))
    text = str(count)
    return text if "." in text or "E" in text else f"{text}.0"


def _refuse_constant(text: str) -> Never:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{text} is no number")


def _seen(part: object) -> str:
    """A short look at what was found."""
    return repr(part)[:120]
