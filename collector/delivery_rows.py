"""The count as rows of a reading store, so that a dashboard needs no other source."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from collector.counting import by_lane
from collector.ledger.counts import counts
from collector.ledger.tables import frames, streams
from collector.stores.base import DeliveryRow


def delivery_rows(connection: Connection, now_ms: int) -> list[DeliveryRow]:
    """Return one row for each lane of each agent that was ever heard.

    Parameters
    ----------
    now_ms
        The present [ms since 1970 UTC].
    """
    newest_ms = _newest_ms(connection)
    return [
        DeliveryRow(
            agent=count.agent,
            lane=count.lane.value,
            time_ms=now_ms,
            taken=count.taken,
            stored=count.stored,
            quarantined=count.quarantined,
            lost=sum(count.lost.values()),
            waiting=count.waiting,
            owed=count.owed,
            age_ms=None
            if (last_ms := newest_ms.get((count.agent, count.lane))) is None
            else now_ms - last_ms,
        )
        for count in by_lane(counts(connection))
    ]


def _newest_ms(connection: Connection) -> dict[tuple[str, str], int | None]:
    """Return the last time of the newest frame of each lane: seeks, where a maximum would walk."""
    found: dict[tuple[str, str], int | None] = {}
    newest = select(streams.c.agent, streams.c.lane, func.max(streams.c.number)).group_by(
        streams.c.agent, streams.c.lane
    )
    for agent, lane, stream in connection.execute(newest).all():
        last = (
            select(frames.c.last_ms).where(frames.c.stream == stream).order_by(frames.c.idx.desc()).limit(1)
        )
        found[agent, lane] = connection.scalar(last)
    return found
