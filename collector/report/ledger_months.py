"""Statements of a ledger, made when asked for and kept until the ledger changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from collector.closing import status
from collector.energies import Grid, amounts
from collector.figures import inputs_at, months_with_data
from collector.ledger import closings, decisions, open_ledger
from collector.ledger.record_tables import decisions as decided
from collector.ledger.tables import frames
from collector.proposals import proposals
from collector.records import find_energy
from collector.report.sheet import Sheet
from collector.report.standing import Standing
from collector.view import View, viewing
from config.hq import HqConfig, load_hq
from core.carbon.closing import MonthStatus
from core.carbon.statement import build, to_json
from core.chain import Head
from core.delivery.count import Count
from core.timeline import month

_State = tuple[int, ...]


class LedgerMonths:
    """The months of one ledger. It only reads, and every call sees the ledger as it is now.

    Parameters
    ----------
    folder
        The ledger's folder, with its ``hq.yaml``.

    Raises
    ------
    ConfigError
        If ``hq.yaml`` is missing or wrong.
    Unreachable, OutsideError
        If the database does not answer or there is no ledger.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hq = load_hq(folder)
        self._ledger = open_ledger(folder, self._hq)
        self._lock = threading.Lock()
        self._state: _State = ()
        self._months: tuple[str, ...] | None = None
        self._sheets: dict[str, Sheet] = {}
        self._standings: dict[str, Standing] = {}
        self._days: dict[tuple[str, str], tuple[Fraction | None, ...]] = {}

    @property
    def folder(self) -> str:
        """The ledger's folder, as commands take it."""
        return str(self._folder)

    def months(self) -> tuple[str, ...]:
        """Return the months with data, oldest first."""
        with self._lock:
            hq = self._refresh()
            if self._months is None:
                self._months = months_with_data(self._ledger, hq)
            return self._months

    def sheet(self, month_text: str) -> Sheet:
        """Return a month's statement: of a closed month the bytes that were approved.

        Raises
        ------
        UsageError
            If the text is not a month.
        ConfigError, DataError
            If records, cells or activity contradict each other.
        Unreachable, OutsideError
            If the ledger failed.
        """
        with self._lock:
            hq = self._refresh()
            if month_text not in self._sheets:
                with viewing(self._ledger, hq) as view:
                    content = _statement(view, month_text)
                self._sheets[month_text] = Sheet.parse(content)
            return self._sheets[month_text]

    def standing(self, month_text: str) -> Standing:
        """Return how far a month is, and what is proposed for it.

        Raises
        ------
        UsageError
            If the text is not a month.
        ConfigError, DataError
            If records, cells or activity contradict each other.
        Unreachable, OutsideError
            If the ledger failed.
        """
        with self._lock:
            hq = self._refresh()
            if month_text not in self._standings:
                with self._ledger.reading() as connection:
                    self._standings[month_text] = _standing(connection, hq, month_text)
            return self._standings[month_text]

    def statuses(self, months: Sequence[str]) -> dict[str, MonthStatus]:
        """Return how far some months are."""
        with self._ledger.reading() as connection:
            found = closings.statuses(connection)
        return {month: found.get(month, MonthStatus(month)) for month in months}

    def head(self) -> Head:
        """Return the newest decision."""
        with self._ledger.reading() as connection:
            return decisions.head(connection)

    @property
    def zone(self) -> ZoneInfo:
        """In which times are written, that of the sites."""
        with self._lock:
            return self._refresh().sites[0].time_zone

    def days(self, month_text: str, meter_id: str) -> tuple[Fraction | None, ...]:
        """Return a meter's energy of each day of a month [kWh], None where it is missing.

        Raises
        ------
        UsageError
            If the text is not a month or the meter is not on record.
        """
        with self._lock:
            hq = self._refresh()
            if (month_text, meter_id) not in self._days:
                site, _ = find_energy(hq, meter_id)
                whole = month(month_text, site.time_zone)
                found, _ = amounts(self._ledger, hq, meter_id, whole, Grid.DAY)
                kwh = tuple(None if each.wh is None else Fraction(each.wh, 1000) for each in found)
                self._days[month_text, meter_id] = kwh
            return self._days[month_text, meter_id]

    def counts(self) -> tuple[Count, ...]:
        """Return the count of readings per agent, lane and epoch."""
        return self._ledger.counts()

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def _refresh(self) -> HqConfig:
        """Forget what was made from an older ledger or configuration."""
        state = self._newest()
        if state != self._state:
            self._hq = load_hq(self._folder)
            self._months = None
            self._sheets.clear()
            self._standings.clear()
            self._days.clear()
            self._state = state
        return self._hq

    def _newest(self) -> _State:
        """Return what differs whenever a figure may: frames and decisions are only ever added."""
        numbers = (
            select(func.coalesce(func.max(frames.c.number), 0)),
            select(func.coalesce(func.max(decided.c.number), 0)),
        )
        configured_ns = (self._folder / "hq.yaml").stat().st_mtime_ns
        with self._ledger.reading() as connection:
            return (configured_ns, *(connection.execute(each).scalar_one() for each in numbers))


def _statement(view: View, month_text: str) -> bytes:
    closing = status(view.connection, month_text).closing
    if closing is not None:
        return closings.statement(view.connection, closing)
    return to_json(build(inputs_at(view, month_text)))


def _standing(connection: Connection, hq: HqConfig, month_text: str) -> Standing:
    found = status(connection, month_text)
    before = None
    if found.restated:
        before = Sheet.parse(closings.statement(connection, found.revisions[-2]))
    return Standing(
        status=found,
        head=decisions.head(connection),
        zone=hq.sites[0].time_zone,
        before=before,
        proposals=() if found.closing is None else proposals(connection, hq, (month_text,)),
    )
