"""The count as rows of a reading store, so that a dashboard needs no other source."""

from __future__ import annotations

from collector.facts import Record
from collector.stores.base import DeliveryRow


def delivery_rows(record: Record) -> list[DeliveryRow]:
    """Return one row for each lane of each agent that was ever heard."""
    return [
        DeliveryRow(
            agent=lane.agent,
            lane=lane.lane,
            time_ms=record.read_ms,
            taken=lane.taken,
            stored=lane.stored,
            quarantined=lane.quarantined,
            lost=sum(lane.lost.values()),
            waiting=lane.waiting,
            owed=lane.owed,
            age_ms=None if lane.newest_ms is None else record.read_ms - lane.newest_ms,
        )
        for lane in record.lanes
    ]
