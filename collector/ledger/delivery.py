"""Writing what the receiver decided: cells, frame rows, tables and heads, all in the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from collector.ledger import cells, engines
from collector.ledger.holdings import ARRIVING, BLOCKS, POINT_ROWS, LedgerHoldings, epoch_of, lane_of
from collector.ledger.tables import anchors, events, frames, gone, lanes, point_tables, streams
from core.delivery.frames import Lane, Stream
from core.delivery.holdings import Decision, EpochRow, FrameState, KeptFrame, LaneRow
from core.delivery.messages import Gone
from core.delivery.payload import Event
from core.delivery.tables import PointTable
from core.errors import DataError, Unreachable
from core.metering.cells import Row, cells_of_rows
from core.metering.readings import Quality, canonical_count
from core.timeline import HALF_HOUR_MS

_Rows = defaultdict[tuple[str, int], set[Row]]

_GRADES = tuple(Quality)
_PLAIN = 1 << 64  # what nearly all registers hold
_TIME = attrgetter("time_ms")
_STREAM = select(streams).where(
    streams.c.agent == bindparam("agent"),
    streams.c.lane == bindparam("lane"),
    streams.c.epoch == bindparam("epoch"),
)
_RAISE = update(streams).where(streams.c.number == bindparam("of_number"))
_INSERT_FRAMES = insert(frames)
_DROP_FRAME = delete(frames).where(frames.c.id == bindparam("frame_id"))
_LOWER = (
    update(anchors)
    .where(
        anchors.c.agent == bindparam("of_agent"),
        anchors.c.boot == bindparam("of_boot"),
        anchors.c.start_ms > bindparam("of_start_ms"),
    )
    .values(start_ms=bindparam("of_start_ms"))
)


def write(connection: Connection, decision: Decision, now_ms: int) -> None:
    """Write a decision.

    Rows of epochs and lanes only ever rise, so a decision may rest on an older snapshot than this
    transaction: another lane of the same agent may have been heard in between.

    Parameters
    ----------
    now_ms
        When it was decided [ms since 1970 UTC]; it stands beside events and nowhere else.

    Raises
    ------
    DataError
        A cell in the ledger cannot be read: the database is damaged.
    Unreachable
        Another collector has written meanwhile what this decision should have known.
    """
    _write_tables(connection, decision.tables)
    _write_anchors(connection, decision)
    numbers = _write_epochs(connection, decision)
    rows = _Rows(set)
    for kept in decision.merged:
        _gathered(kept, rows)
    arrived = [_gathered(kept, rows) for kept in (*decision.frames, *decision.decoded)]
    cells.merge(connection, cells_of_rows(rows))
    _write_lanes(connection, decision.lanes)
    _write_gone(connection, decision.gone, numbers)
    _write_events(connection, decision, now_ms)
    if arrived or decision.tables or decision.anchors:
        engines.lock_numbers(connection)  # last, because others wait for it
        _refuse_if_overtaken(connection, decision)
    if decision.decoded:
        # Written anew, so that a projection that has passed the old number sees the readings.
        connection.execute(_DROP_FRAME, [{"frame_id": _id(kept)} for kept in decision.decoded])
    if arrived:
        connection.execute(_INSERT_FRAMES, [_frame_row(kept, numbers[kept.frame.stream]) for kept in arrived])


def _refuse_if_overtaken(connection: Connection, decision: Decision) -> None:
    """Let the agents ask again where another collector has just brought what their registers wait for.

    Neither of the two has seen the other: the frame would wait for ever.
    """
    if not engines.is_postgres(connection):
        return  # one writer at a time
    holdings = LedgerHoldings(connection)
    decoded = {kept.frame.id for kept in decision.decoded}
    waiting = [
        kept
        for kept in (*decision.frames, *decision.decoded)
        if kept.state is FrameState.UNDECODED and kept.frame.lane is Lane.REGISTERS
    ]
    come = holdings.tables({kept.frame.table for kept in waiting if not kept.boot})
    missed = [frame for table in decision.tables for frame in holdings.undecoded(table.digest)]
    missed += [frame for anchor in decision.anchors for frame in holdings.untimed(anchor.agent, anchor.boot)]
    if come or any(frame.id not in decoded for frame in missed):
        raise Unreachable(
            "another collector has just brought a point table that this one waits for",
            next="nothing: agents send again what was not acknowledged",
        )


def _gathered(kept: KeptFrame, rows: _Rows) -> KeptFrame:
    """Add a register frame's readings to the rows of cells, or set the frame aside if one is impossible."""
    if kept.state is not FrameState.HELD or kept.frame.lane is not Lane.REGISTERS:
        return kept
    try:
        counts = [
            count
            if (type(count) is int and -_PLAIN < count < _PLAIN) or count is None
            else canonical_count(count)
            for _, _, count, _ in kept.readings
        ]
    except DataError as error:
        return KeptFrame(kept.frame, FrameState.QUARANTINED, reason=f"{error.what}: {error.evidence}")
    for (point, time_ms, _, quality), count in zip(kept.readings, counts, strict=True):
        rows[point, time_ms - time_ms % HALF_HOUR_MS].add((time_ms, count, _GRADES[quality]))
    return kept


def _frame_row(kept: KeptFrame, stream: int) -> dict[str, object]:
    frame, held = kept.frame, kept.state is FrameState.HELD
    times = set(map(_TIME, kept.readings))
    return {
        "stream": stream,
        "idx": frame.index,
        "n": frame.n,
        "id": _id(kept),
        "state": kept.state.value,
        "point_table": frame.table,
        "first_ms": min(times, default=None),
        "last_ms": max(times, default=None),
        "raw": None if held else frame.payload.encode(),
        "reason": None if held else engines.plain(kept.reason),
        "boot": kept.boot,
    }


def _id(kept: KeptFrame) -> bytes:
    return bytes.fromhex(kept.frame.id)


def _write_tables(connection: Connection, tables: Sequence[PointTable]) -> None:
    rows = [
        {"digest": table.digest, "text": POINT_ROWS.dump_json(table.rows).decode()}
        for table in sorted(tables, key=lambda table: table.digest)
    ]
    engines.add_new(connection, point_tables, rows)


def _write_anchors(connection: Connection, decision: Decision) -> None:
    """Insert or lower when runs of machines began: which anchor counts depends on the set alone."""
    rows = [row._asdict() for row in sorted(decision.anchors)]
    engines.add_new(connection, anchors, rows)
    if rows:
        connection.execute(_LOWER, [{f"of_{name}": value for name, value in row.items()} for row in rows])


def _write_epochs(connection: Connection, decision: Decision) -> dict[Stream, int]:
    """Insert or raise the epochs of a decision; return the row number of every stream that it touches."""
    told = {row.stream: row for row in decision.epochs}
    touched = dict.fromkeys(
        (
            *told,
            *(kept.frame.stream for kept in (*decision.frames, *decision.decoded)),
            *(stream for stream, _ in decision.gone),
        )
    )
    numbers: dict[Stream, int] = {}
    for stream in touched:
        known = connection.execute(_STREAM, stream._asdict()).first()
        if known is not None:
            numbers[stream] = known.number
            before = epoch_of(known)
            raised = _raised(before, told.get(stream))
            if raised != before:
                connection.execute(_RAISE, {"of_number": known.number, **_epoch_values(raised)})
        else:
            made = connection.execute(
                insert(streams).values(**stream._asdict(), **_epoch_values(told[stream]))
            )
            assert made.inserted_primary_key is not None
            numbers[stream] = made.inserted_primary_key.number
    return numbers


def _raised(known: EpochRow, told: EpochRow | None) -> EpochRow:
    if told is None:
        return known
    link = known if known.linked else told
    return replace(
        known,
        frames=max(known.frames, told.frames),
        readings=max(known.readings, told.readings),
        linked=link.linked,
        prev=link.prev,
        clean=link.clean,
        finished=known.finished or told.finished,
        judged_frames=max(known.judged_frames, told.judged_frames),
        judged_readings=max(known.judged_readings, told.judged_readings),
    )


def _epoch_values(row: EpochRow) -> dict[str, object]:
    return {
        "site": row.site,
        "frames": row.frames,
        "readings": row.readings,
        "linked": row.linked,
        "prev": row.prev,
        "clean": row.clean,
        "finished": row.finished,
        "judged_frames": row.judged_frames,
        "judged_readings": row.judged_readings,
    }


def _write_lanes(connection: Connection, rows: Iterable[LaneRow]) -> None:
    for row in rows:
        of_lane = and_(lanes.c.agent == row.agent, lanes.c.lane == row.lane)
        found = connection.execute(select(lanes).where(of_lane)).first()
        known = None if found is None else lane_of(found)
        values = {
            "process": row.process,
            "sequence": row.sequence,
            "listed": BLOCKS.dump_json(row.listed).decode(),
            "total_readings": max(row.total_readings, known.total_readings if known else 0),
            "arriving": None if row.arriving is None else ARRIVING.dump_json(row.arriving).decode(),
        }
        if known is None:
            connection.execute(insert(lanes).values(agent=row.agent, lane=row.lane, **values))
        else:
            connection.execute(update(lanes).where(of_lane).values(**values))


def _write_gone(
    connection: Connection, ranges: Iterable[tuple[Stream, Gone]], numbers: dict[Stream, int]
) -> None:
    rows = [
        {**entry._asdict(), "stream": numbers[stream], "digest": entry.digest or ""}
        for stream, entry in ranges
    ]
    for row in rows:
        del row["epoch"]
    engines.add_new(connection, gone, rows)


def _write_events(connection: Connection, decision: Decision, now_ms: int) -> None:
    """Keep what the receiver noticed and what agents recorded, each once."""
    told = [(event.agent, event.lane, event.kind, now_ms, event.evidence) for event in decision.events]
    for kept in (*decision.frames, *decision.decoded):
        told += ((kept.frame.agent, kept.frame.lane, *_agent_event(event, now_ms)) for event in kept.events)
    rows: dict[str, dict[str, object]] = {}
    for agent, lane, kind, time_ms, text in told:
        digest = hashlib.sha256("\n".join((agent, lane, kind, text)).encode()).hexdigest()
        values = {"agent": agent, "lane": lane, "kind": engines.plain(kind), "text": engines.plain(text)}
        rows.setdefault(digest, {"digest": digest, "time_ms": time_ms, **values})
    engines.add_new(connection, events, list(rows.values()))


def _agent_event(event: Event, now_ms: int) -> tuple[str, int, str]:
    """Kind, time and text of an agent's event, of a form that every database takes."""
    kind = str(event["event"]).encode("ascii", "backslashreplace").decode()
    time_ms = event.get("time_ms")
    if not isinstance(time_ms, int) or not 0 <= time_ms < 2**53:
        time_ms = now_ms
    return kind, time_ms, json.dumps(event, sort_keys=True, default=str)  # a fraction is exact text
