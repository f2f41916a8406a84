"""Closed months in the ledger: what was approved, byte for byte, and the registers at their two ends."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from collector.ledger import decisions
from collector.ledger.record_tables import frozen, statements
from core.carbon.closing import STEPS, Closing, MonthStatus, fold
from core.chain import Decision
from core.errors import DataError
from core.metering.boundaries import Boundary
from core.metering.frozen import frozen_boundary
from core.timeline import Interval

_LEVEL = 9
_OF_MONTH = select(statements.c.statement, statements.c.inputs).where(
    statements.c.month == bindparam("of_month"), statements.c.revision == bindparam("of_revision")
)
_FROZEN_OF_MONTH = (
    select(frozen.c.point, frozen.c.time_ms, frozen.c.boundary)
    .where(frozen.c.month == bindparam("of_month"), frozen.c.revision == bindparam("of_revision"))
    .order_by(frozen.c.point, frozen.c.time_ms)
)
_FROZEN_OF_POINT = (
    select(frozen.c.month, frozen.c.revision, frozen.c.time_ms, frozen.c.boundary)
    .where(
        frozen.c.point == bindparam("of_point"),
        frozen.c.time_ms >= bindparam("first_ms"),
        frozen.c.time_ms <= bindparam("last_ms"),
    )
    .order_by(frozen.c.decision)
)


class FrozenRow(NamedTuple):
    """A register at an end of a closed month: point, instant [ms since 1970 UTC], `frozen_text`."""

    point: str
    time_ms: int
    boundary: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one revision of a closed month.

    Parameters
    ----------
    statement
        Canonical JSON, byte for byte.
    inputs
        What it was made from, canonical JSON.
    rows
        Registers at its two ends, sorted.
    """

    statement: bytes
    inputs: bytes
    rows: tuple[FrozenRow, ...]


def statuses(connection: Connection) -> dict[str, MonthStatus]:
    """Return the status of every month that was ever decided about, by month.

    Raises
    ------
    DataError
        A decision could not have followed those before it: the ledger was changed.
    """
    return fold(decisions.read(connection, STEPS))


def add(connection: Connection, month: str, revision: int, kept: Kept, decision: Decision) -> None:
    """Write a revision of a month, in the transaction of the decision that closes it."""
    of = {"month": month, "revision": revision, "decision": decision.number}
    packed = zlib.compress(kept.inputs, _LEVEL)
    connection.execute(insert(statements).values(**of, statement=kept.statement, inputs=packed))
    rows = [of | row._asdict() for row in kept.rows]
    if rows:
        connection.execute(insert(frozen), rows)


def read(connection: Connection, closing: Closing) -> Kept:
    """Return what is kept of a revision.

    Raises
    ------
    DataError
        It is not there, or is damaged.
    """
    of = {"of_month": closing.month, "of_revision": closing.revision}
    found = connection.execute(_OF_MONTH, of).one_or_none()
    if found is None:
        raise _damaged(closing, "it is not there")
    try:
        inputs = zlib.decompress(found.inputs)
    except zlib.error as error:
        raise _damaged(closing, str(error)) from error
    rows = tuple(FrozenRow(*row) for row in connection.execute(_FROZEN_OF_MONTH, of))
    return Kept(found.statement, inputs, rows)


def statement(connection: Connection, closing: Closing) -> bytes:
    """Return the statement of a revision, byte for byte.

    Raises
    ------
    DataError
        It is not there, or is not what was approved.
    """
    content = read(connection, closing).statement
    if sha256(content).hexdigest() != closing.facts["statement"]:
        raise _damaged(closing, "it is not what was approved")
    return content


def fixed(
    connection: Connection, point: str, interval: Interval, in_force: Mapping[str, Closing]
) -> dict[int, Boundary]:
    """Return the registers of a point at the ends of closed months, from an interval's start to its end.

    Parameters
    ----------
    in_force
        The closings that count, by month.
    """
    asked = {"of_point": point, "first_ms": interval.start_ms, "last_ms": interval.end_ms}
    return {
        time_ms: frozen_boundary(time_ms, boundary)
        for month, revision, time_ms, boundary in connection.execute(_FROZEN_OF_POINT, asked)
        if (closing := in_force.get(month)) is not None and closing.revision == revision
    }


def frozen_digest(rows: Iterable[FrozenRow]) -> str:
    """Return the SHA-256, hexadecimal, of frozen registers: of a JSON list of them, sorted."""
    text = json.dumps(sorted(rows), ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _damaged(closing: Closing, evidence: str) -> DataError:
    return DataError(
        "what was closed cannot be read from the ledger",
        where=f"{closing.month}, revision {closing.revision}",
        evidence=evidence,
        cause="the ledger was changed by other means than Seiren's",
        next="seiren audit verify; restore the newest backup that it passes",
    )
