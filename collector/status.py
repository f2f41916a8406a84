"""What a ledger holds, how far its reading store is, and what was set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from collector.counting import by_lane
from collector.ledger import Ledger, cells, counts, projection, quarantine
from collector.ledger.quarantine import Quarantined
from collector.ledger.tables import events, frames
from collector.stores import make_store
from collector.table import Form, as_csv, as_json, as_table
from config.hq import HqConfig
from core.delivery.count import Count
from core.timeline import UTC_ZONE, format_local

_EVENTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Event:
    time_ms: int
    agent: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Seen:
    points: int
    lanes: tuple[Count, ...]
    behind: int
    aside: tuple[Quarantined, ...]
    events: tuple[_Event, ...]


def status_report(ledger: Ledger, hq: HqConfig, folder: Path, form: Form) -> str:
    """Return the state of a ledger as text, from one snapshot.

    Raises
    ------
    ConfigError
        The reading store's token cannot be read.
    Unreachable, OutsideError
        The ledger failed.
    """
    store = make_store(hq.store, folder).identity
    with ledger.reading() as connection:
        seen = _Seen(
            points=len(cells.points(connection)),
            lanes=by_lane(counts.counts(connection)),
            behind=_behind(connection, store),
            aside=quarantine.read(connection),
            events=_events(connection),
        )
    if form is Form.CSV:
        return as_csv([_lane(count) for count in seen.lanes])
    if form is Form.JSON:
        return as_json(
            {
                "ledger": {
                    "name": hq.ledger.name,
                    "id": ledger.id,
                    "where": ledger.where,
                    "points": seen.points,
                },
                "store": {"name": store, "frames_behind": seen.behind},
                "lanes": [_lane(count) for count in seen.lanes],
                "quarantine": [
                    {"source": each.source, "reason": each.reason, "times": each.times} for each in seen.aside
                ],
                "events": [
                    {"time_ms": each.time_ms, "agent": each.agent, "kind": each.kind, "text": each.text}
                    for each in seen.events
                ],
            }
        )
    return "\n".join(_lines(ledger, hq, store, seen))


def _lines(ledger: Ledger, hq: HqConfig, store: str, seen: _Seen) -> Iterator[str]:
    yield f"ledger {hq.ledger.name}, id {ledger.id[:8]}   {ledger.where}   {seen.points} points"
    behind = f"{seen.behind:,} frames behind the ledger" if seen.behind else "up to date"
    yield f"reading store {store}   {behind}"
    header = ("agent", "lane", "stored", "waiting", "owed", "set aside")
    rows = [
        (
            each.agent,
            each.lane.value,
            f"{each.stored:,}",
            f"{each.waiting:,}",
            f"{each.owed:,}",
            f"{each.quarantined:,}",
        )
        for each in seen.lanes
    ]
    yield as_table(header, rows, left=2) if rows else "no agent has been heard yet"
    for each in seen.aside:
        times = f" ({each.times} times)" if each.times > 1 else ""
        yield f"set aside  {each.source}: {each.reason}{times}"
    for event in seen.events[-_EVENTS_SHOWN:]:
        yield f"event      {format_local(event.time_ms, UTC_ZONE)} {event.agent} {event.kind}: {event.text}"


def _lane(count: Count) -> dict[str, object]:
    return {
        "agent": count.agent,
        "lane": count.lane.value,
        "stored": count.stored,
        "waiting": count.waiting,
        "owed": count.owed,
        "quarantined": count.quarantined,
    }


def _behind(connection: Connection, store: str) -> int:
    newer = select(func.count()).where(frames.c.number > projection.position(connection, store))
    return connection.scalar(newer) or 0


def _events(connection: Connection) -> tuple[_Event, ...]:
    columns = select(events.c.time_ms, events.c.agent, events.c.kind, events.c.text)
    return tuple(_Event(*row) for row in connection.execute(columns.order_by(events.c.time_ms)))
