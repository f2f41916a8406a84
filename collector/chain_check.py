"""Whether a ledger still says what was decided: its chain, and every row that a decision binds."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Table, select

from collector.evidence import readings
from collector.ledger import bills, cells, closings, decisions, values
from collector.ledger.binding import row_digest
from collector.ledger.closings import FrozenRow
from collector.ledger.record_tables import bills as bills_table
from collector.ledger.record_tables import frozen, interval_values, statements
from collector.ledger.tables import fuel_lines, production_lines
from core.carbon.closing import Step, fold, months_of
from core.chain import Decision, problems
from core.errors import DataError
from core.timeline import HALF_HOUR_MS, Interval

_SHOWN = 3
_NOT_WHOLE = (KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A table whose rows come with imports.

    Parameters
    ----------
    name
        For people.
    brought
        What the imports say that they bring.
    named
        Makes a row's id from its contents; None where the decision holds each row's hash.
    """

    table: Table
    name: str
    brought: tuple[str, ...]
    named: Callable[[Row[Any]], str] | None = None


_BOUND = (
    _Bound(fuel_lines, "fuel line", ("fuel",)),
    _Bound(production_lines, "production line", ("production",)),
    _Bound(interval_values, "run of values", ("values", "readings"), lambda row: values.run_of(row).id),
    _Bound(bills_table, "bill", ("bills",), lambda row: bills.bill_of(row).id),
)


def differences(connection: Connection) -> list[str]:
    """Return what is not as it was decided, each thing by name; empty where all is.

    Checked are the chain itself; each fuel and production line, bill and run of values against the import
    that brought it; each statement, what it was made from, and each frozen register against the decision
    that closed the month; and that every reading a closed month rests on is still among the cells.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    """
    history = decisions.read(connection)
    found = [str(each) for each in problems(history)]
    readable = [each for each in history if _readable(each)]
    try:
        fold(readable)
    except DataError as error:
        found.append(f"{error.where}: {error.what}: {error.evidence}")
    except _NOT_WHOLE as error:
        found.append(f"a decision about a month is not whole: {error!r}")
    for bound in _BOUND:
        found += _rows(connection, bound, [each for each in readable if each.kind == "import"])
    return [*found, *_closed(connection, readable)]


def _readable(decision: Decision) -> bool:
    """Tell whether a decision's body can be read at all; one that cannot is named with the chain."""
    try:
        return isinstance(decision.facts, dict)
    except ValueError:
        return False


def _rows(connection: Connection, bound: _Bound, imports: Iterable[Decision]) -> Iterator[str]:
    due: dict[str, tuple[Decision, str | None]] = {}
    for decision in imports:
        facts = decision.facts
        if facts.get("what") in bound.brought:
            due |= dict.fromkeys(facts.get("ids", ()), (decision, None))
            due |= {name: (decision, digest) for name, digest in facts.get("lines", {}).items()}
    for row in connection.execute(select(bound.table).order_by(bound.table.c.id)):
        told = f"{bound.name} {row.id}"
        if row.id not in due:
            yield f"{told}: no import brought it"
            continue
        decision, digest = due.pop(row.id)
        columns = dict(row._mapping)
        where = (
            f"{told}, of decision {decision.number} ({decision.facts.get('file') or 'an earlier release'})"
        )
        if (digest is not None and row_digest(columns) != digest) or (
            bound.named is not None and _named(bound.named, row) != row.id
        ):
            yield f"{where}: it is not what was imported"
        if columns.get("decision", decision.number) != decision.number:
            yield f"{where}: it stands under decision {columns['decision']}"
    for name, (decision, _) in due.items():
        yield f"{bound.name} {name}, of decision {decision.number}: it is not there"


def _named(name: Callable[[Row[Any]], str], row: Row[Any]) -> str:
    try:
        return name(row)
    except (ArithmeticError, ValueError, DataError) as error:
        return repr(error)


def _closed(connection: Connection, history: Iterable[Decision]) -> Iterator[str]:
    kept = {
        (row.month, row.revision): row
        for row in connection.execute(select(statements).order_by(statements.c.month, statements.c.revision))
    }
    registers: dict[tuple[str, int], list[Row[Any]]] = {}
    for row in connection.execute(select(frozen)):
        registers.setdefault((row.month, row.revision), []).append(row)
    for decision in history:
        if decision.kind not in (Step.APPROVE, Step.RESTATE):
            continue
        try:
            for text, facts in months_of(decision):
                key = (text, facts["revision"])
                told = f"{text}, revision {facts['revision']}, of decision {decision.number}"
                for wrong in _revision(
                    connection, decision, facts, kept.pop(key, None), registers.pop(key, [])
                ):
                    yield f"{told}: {wrong}"
        except _NOT_WHOLE as error:
            yield f"decision {decision.number}: it is not whole: {error!r}"
    for text, revision in kept:
        yield f"{text}, revision {revision}: nobody approved this statement"
    for text, revision in registers:
        yield f"{text}, revision {revision}: nobody approved these frozen registers"


def _revision(
    connection: Connection,
    decision: Decision,
    facts: Mapping[str, Any],
    row: Row[Any] | None,
    rows: Sequence[Row[Any]],
) -> Iterator[str]:
    """Yield what of a closed month is not as a decision binds it."""
    if row is None:
        yield "its statement is not there"
        return
    if any(each.decision != decision.number for each in (row, *rows)):
        yield "it stands under another decision"
    if sha256(row.statement).hexdigest() != facts["statement"]:
        yield "the statement is not what was approved"
    if closings.frozen_digest(_frozen(rows)) != facts["frozen"]:
        yield "the frozen registers are not what was approved"
    inputs = _inflated(row.inputs)
    if inputs is None or sha256(inputs).hexdigest() != facts["inputs"]:
        yield "what the statement was made from is not what was approved"
    else:
        yield from _lost(connection, json.loads(inputs))


def _frozen(rows: Iterable[Row[Any]]) -> list[FrozenRow]:
    return [FrozenRow(row.point, row.time_ms, row.boundary) for row in rows]


def _inflated(packed: bytes) -> bytes | None:
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return None


def _lost(connection: Connection, inputs: Mapping[str, str]) -> Iterator[str]:
    """Yield the readings that a closed month rests on and that are not in the cells any more."""
    entered = {
        (row["point"], row["time"])
        for row in csv.DictReader(io.StringIO(inputs.get("inputs/entered.csv", "")))
    }
    for site in json.loads(inputs["inputs/plan.json"])["sites"]:
        zone = ZoneInfo(site["time_zone"])
        for meter in site["meters"]:
            point = f"{meter['id']}.{meter['quantity']}"
            lines = inputs.get(f"inputs/readings/{point}.csv", "").splitlines()[1:]
            try:
                gone = _gone(connection, point, lines, zone)
            except DataError as error:
                yield f"{point}: {error}"
                continue
            gone = [line for line in gone if (point, line.partition(",")[0]) not in entered]
            if gone:
                more = f", and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
                yield f"{point}: readings are not there any more: {'; '.join(gone[:_SHOWN])}{more}"


def _gone(connection: Connection, point: str, lines: Sequence[str], zone: ZoneInfo) -> list[str]:
    if not lines:
        return []
    first_ms, last_ms = (_time_ms(line) for line in (lines[0], lines[-1]))
    within = Interval(first_ms // HALF_HOUR_MS * HALF_HOUR_MS, last_ms + 1)
    present = set(readings.to_csv(cells.read(connection, point, within), zone).splitlines())
    return [line for line in lines if line not in present]


def _time_ms(line: str) -> int:
    return round(datetime.fromisoformat(line.partition(",")[0]).timestamp() * 1000)
