"""What a ledger holds, read for people: the count of each lane, how new it is, what was set aside."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, func, literal, literal_column, select

from collector.facts import Aside, Happened, LaneRecord, Record
from collector.ledger import Ledger, cells, counts, projection
from collector.ledger.tables import blocks, events, frames, quarantine, streams
from core.delivery.count import Count, total
from core.delivery.holdings import FrameState

_ASIDE_SHOWN = 20
_EVENTS_SHOWN = 20
_FRAMES_ASIDE = (
    select(
        literal("frames of ") + streams.c.agent + literal(" ") + streams.c.lane,
        frames.c.reason,
        func.count(),
        func.count(),
        func.max(frames.c.last_ms),
    )
    .join(streams)
    .where(frames.c.state == literal_column(f"'{FrameState.QUARANTINED}'"))  # as its index is written
    .group_by(streams.c.agent, streams.c.lane, frames.c.reason)
    .order_by(func.count().desc())
    .limit(_ASIDE_SHOWN)
)


def by_lane(counted: Iterable[Count]) -> tuple[Count, ...]:
    """Return one count for each agent and lane, over all epochs."""
    counted = tuple(counted)
    lanes = dict.fromkeys((count.agent, count.lane) for count in counted)
    return tuple(total(counted, agent, lane) for agent, lane in lanes)


def read_record(ledger: Ledger, store: str, now_ms: int) -> Record:
    """Return what a ledger holds, from one snapshot.

    Parameters
    ----------
    store
        Identity of its reading store.
    now_ms
        Now [ms since 1970 UTC].

    Raises
    ------
    Unreachable, OutsideError
        The ledger failed.
    """
    began_s = time.monotonic()
    with ledger.reading() as connection:
        sites, heads, newest = _streams(connection)
        lanes = tuple(
            LaneRecord(
                site=sites.get(count.agent, ""),
                agent=count.agent,
                lane=count.lane.value,
                head_frames=heads.get((count.agent, count.lane), 0),
                taken=count.taken,
                stored=count.stored,
                quarantined=count.quarantined,
                lost=dict(count.lost),
                waiting=count.waiting,
                owed=count.owed,
                owed_frames=count.owed_frames,
                extra=count.extra,
                newest_ms=newest.get((count.agent, count.lane)),
                adds_up=count.adds_up,
            )
            for count in by_lane(counts.counts(connection))
        )
        return Record(
            points=len(cells.points(connection)),
            store=store,
            behind=_behind(connection, store),
            lanes=lanes,
            set_aside=connection.scalar(select(func.count()).select_from(quarantine)) or 0,
            aside=_aside(connection),
            events=_events(connection),
            read_ms=now_ms,
            took_s=time.monotonic() - began_s,
        )


def _streams(
    connection: Connection,
) -> tuple[dict[str, str], dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Site of each agent; newest epoch's frames, and time of the newest reading, of each agent and lane."""
    sites: dict[str, str] = {}
    heads: dict[tuple[str, str], int] = {}
    newest: dict[tuple[str, str], int] = {}
    for row in connection.execute(select(streams).order_by(streams.c.number)).all():
        sites[row.agent] = row.site
        place = row.agent, row.lane
        heads[place] = row.frames
        last_ms = newest_ms(connection, row.number)
        if last_ms is not None:
            newest[place] = max(last_ms, newest.get(place, last_ms))
    return sites, heads, newest


def newest_ms(connection: Connection, stream: int) -> int | None:
    """Return the time of the newest reading of an epoch's lane [ms since 1970 UTC], or None."""
    last = (
        select(frames.c.last_ms)
        .where(frames.c.stream == stream, frames.c.last_ms.is_not(None))
        .order_by(frames.c.idx.desc())
        .limit(1)
    )
    found: int | None = connection.scalar(last)
    if found is None:
        found = connection.scalar(select(func.max(blocks.c.to_ms)).where(blocks.c.stream == stream))
    return found


def _behind(connection: Connection, store: str) -> int:
    newer = select(func.count()).where(frames.c.number > projection.position(connection, store))
    return connection.scalar(newer) or 0


def _aside(connection: Connection) -> tuple[Aside, ...]:
    last = func.max(quarantine.c.time_ms)
    columns = (quarantine.c.source, quarantine.c.reason, func.count(), func.sum(quarantine.c.times), last)
    kinds = select(*columns).group_by(quarantine.c.source, quarantine.c.reason).order_by(last.desc())
    messages = connection.execute(kinds.limit(_ASIDE_SHOWN)).all()
    found = [*messages, *connection.execute(_FRAMES_ASIDE).all()]
    return tuple(
        Aside(source=source, reason=reason, things=things, times=int(times), last_ms=last_ms or 0)
        for source, reason, things, times, last_ms in found
    )


def _events(connection: Connection) -> tuple[Happened, ...]:
    """The newest events, oldest first; an agent's daily account of its rounds is none for people."""
    columns = select(events.c.time_ms, events.c.agent, events.c.kind, events.c.text)
    newest = columns.where(events.c.kind != "polled").order_by(events.c.time_ms.desc(), events.c.digest)
    return tuple(
        Happened(time_ms=time_ms, agent=agent, kind=kind, text=text)
        for time_ms, agent, kind, text in reversed(connection.execute(newest.limit(_EVENTS_SHOWN)).all())
    )
