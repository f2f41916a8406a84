"""Corrections in force: what the chain's decisions of that kind say, less what was undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection

from collector.ledger import cells, decisions
from config.meters import MeterRecord
from core.chain import Json
from core.errors import DataError
from core.metering.cells import Cell
from core.metering.corrections import (
    ChangeInstallation,
    Correction,
    Enter,
    Exchange,
    Exclude,
    Substitute,
    corrected_cells,
)
from core.metering.readings import Count, canonical_count
from core.timeline import HALF_HOUR_MS, Interval

KIND = "correction"

_EVER = Interval(-(1 << 62), 1 << 62)


class Corrections:
    """What corrections are in force, by meter.

    Parameters
    ----------
    history
        Number and body of each decision of this kind, in their order.

    Raises
    ------
    DataError
        An undo names no correction before it.
    """

    def __init__(self, history: Iterable[tuple[int, Mapping[str, Any]]] = ()) -> None:
        self._history = tuple(history)
        known = dict(self._history)
        undone: set[int] = set()
        for number, body in reversed(self._history):
            if body["what"] != "undo" or number in undone:
                continue
            if body["number"] not in known or body["number"] >= number:
                raise DataError(
                    "an undo names no correction", where=f"decision {number}", evidence=str(body["number"])
                )
            undone.add(body["number"])
        self.undone = frozenset(undone)
        """Numbers of what was undone, and not done again by undoing the undo."""
        self._live = tuple(
            (number, body)
            for number, body in self._history
            if number not in undone and body["what"] != "undo"
        )

    @classmethod
    def in_force(cls, connection: Connection) -> Corrections:
        """Return those of a ledger."""
        return cls((each.number, each.facts) for each in decisions.read(connection, {KIND}))

    def also(self, body: Mapping[str, Json]) -> Corrections:
        """Return what would be in force after one more decision.

        Raises
        ------
        DataError
            An undo names no correction.
        """
        number = self._history[-1][0] + 1 if self._history else 1
        return Corrections((*self._history, (number, body)))

    def body(self, number: int) -> Mapping[str, Any] | None:
        """Return what a decision said, in force or not; None where it is no correction."""
        return dict(self._history).get(number)

    def numbers(self, meter: MeterRecord) -> tuple[int, ...]:
        """Return the numbers of the decisions that bear on a meter, in their order."""
        return tuple(number for number, _ in self._on(meter))

    def of(self, meter: MeterRecord) -> tuple[Correction, ...]:
        """Return what bears on a meter, in the order in which it was decided.

        Raises
        ------
        DataError
            A body says nothing that is known.
        """
        return tuple(correction(body, meter.point, number) for number, body in self._on(meter))

    def _on(self, meter: MeterRecord) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, body in self._live:
            if body.get("point") == meter.point or body.get("meter") == meter.id:
                yield number, body


def correction(body: Mapping[str, Any], point: str, number: int = 0) -> Correction:
    """Return the correction that a decision's body says.

    Parameters
    ----------
    point
        Id of the point that it bears on; facts of a meter are decided by meter.
    number
        Of the decision, for people [1].

    Raises
    ------
    DataError
        The body says nothing that is known.
    """
    try:
        match body["what"]:
            case "exclude":
                if "time_ms" in body:
                    return Exclude(point, Interval(body["time_ms"], body["time_ms"] + 1))
                return Exclude(point, Interval(body["start_ms"], body["end_ms"]))
            case "enter":
                return Enter(
                    point=point,
                    time_ms=body["time_ms"],
                    count=count_of(body["count"]),
                    reader=body["reader"],
                    document=body["document"],
                    sha256=body.get("sha256", ""),
                )
            case "installation":
                facts = tuple(sorted(body["set"].items()))
                return ChangeInstallation(point, body["from_ms"], body["to_ms"], facts)
            case "exchange":
                return Exchange(
                    point=point,
                    at_ms=body["at_ms"],
                    closing=_known(body["closing"]),
                    opening=_known(body["opening"]),
                    serial=body["serial"],
                    facts=tuple(sorted(body["set"].items())),
                    document=body["document"],
                )
            case "substitute":
                interval = Interval(body["start_ms"], body["end_ms"])
                return Substitute(point, interval, body["wh"], body["method"], body["document"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            "a correction that is not whole", where=f"decision {number}", evidence=repr(error)
        ) from error
    raise DataError("a correction of no known kind", where=f"decision {number}", evidence=str(body["what"]))


def count_of(text: str) -> Count:
    """Return the count that a text says.

    Raises
    ------
    DataError
        It is no number that a register can hold.
    """
    try:
        return canonical_count(Decimal(text))
    except InvalidOperation as error:
        raise DataError("not a number", evidence=text) from error


def around(
    connection: Connection, point: str, interval: Interval, corrections: tuple[Correction, ...]
) -> tuple[Cell, ...]:
    """Return the cells of a point that bear on an interval, as corrections leave them, in time order.

    These are the cells of the interval, and on both sides those up to the nearest usable reading; what was
    entered there among them.

    Raises
    ------
    DataError
        A cell cannot be read: the database is damaged.
    """
    if not any(isinstance(each, Exclude | Enter) for each in corrections):
        return cells.around(connection, point, interval)
    usable = usable_by(corrections)
    before = cells.before(connection, point, interval.start_ms, usable)
    after = cells.after(connection, point, interval.end_ms, usable)
    reaches = Interval(
        before[0].start_ms if before and usable(before[0]) else _EVER.start_ms,
        after[-1].start_ms + HALF_HOUR_MS if after and usable(after[-1]) else _EVER.end_ms,
    )
    found = (*before, *cells.read(connection, point, interval), *after)
    return corrected_cells(found, corrections, reaches)


def usable_by(corrections: tuple[Correction, ...]) -> Callable[[Cell], bool]:
    """Return what tells whether corrections leave a usable reading in a cell."""

    def usable(cell: Cell) -> bool:
        within = Interval(cell.start_ms, cell.start_ms + HALF_HOUR_MS)
        return any(each.usable for each in corrected_cells((cell,), corrections, within))

    return usable


def _known(text: str | None) -> Count | None:
    return None if text is None else count_of(text)
