"""Restatements that are proposed: what closed months would be by what is known now, and why.

A closed month stays as it was approved. Whatever came later makes a proposal: months that share a register
that would change are proposed together, so that what leaves one arrives in the other. A person accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection

from collector.causes import Cause, Version, causes
from collector.closing import decided, permit, refuse_incomplete
from collector.ledger import Ledger, closings, decisions
from collector.ledger.closings import Kept
from collector.month_draft import Draft, amounts, bound, draft, keep
from collector.people import Who
from collector.report.sheet import Sheet
from collector.view import View
from config.hq import HqConfig, SiteRecord
from core.carbon.closing import Closing, Step, allow, same_person
from core.carbon.differences import (
    Difference,
    co2_t,
    differences,
    purchased_kwh,
    standing_differs,
)
from core.chain import Decision, Json
from core.errors import AnswerIsNo
from core.metering.energy import energy
from core.metering.frozen import frozen_boundary
from core.timeline import add_months
from core.timeline import month as month_interval


@dataclass(frozen=True, slots=True)
class Move:
    """Energy that a register at the end of a closed month moves over it.

    Parameters
    ----------
    point
        Of the register.
    time_ms
        End of the earlier month [ms since 1970 UTC].
    earlier, later
        The months that meet there.
    wh
        What the earlier one gains and the later one loses [Wh], of any sign; None where it is not known.
    """

    point: str
    time_ms: int
    earlier: str
    later: str
    wh: int | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One closed month as it would be restated.

    Parameters
    ----------
    closing
        The one in force.
    old, new
        What was approved, and what would be by what is known now.
    differences
        Figures that would not be what they were.
    moves
        Energy that crosses its two ends.
    causes
        What came after the closing and explains the differences.
    together
        Months that can only be restated with it, itself among them, in order.
    """

    closing: Closing
    old: Sheet
    new: Draft
    differences: tuple[Difference, ...]
    moves: tuple[Move, ...]
    causes: tuple[Cause, ...]
    together: tuple[str, ...]

    @property
    def month(self) -> str:
        return self.closing.month

    @property
    def co2_t(self) -> Fraction | None:
        """How much CO2 the month gains [t]; None where one of the two is not summed."""
        return _less(co2_t(self.new.sheet.document), co2_t(self.old.document))

    @property
    def kwh(self) -> Fraction | None:
        """How much purchased energy it gains [kWh]; None where one of the two is not summed."""
        return _less(purchased_kwh(self.new.sheet.document), purchased_kwh(self.old.document))


def proposals(
    connection: Connection, hq: HqConfig, months: Collection[str] | None = None
) -> tuple[Proposal, ...]:
    """Return the restatements that are proposed, in order; those of some months only, where some are asked.

    Raises
    ------
    ConfigError, DataError
        Records, cells, activity or what was closed contradict each other.
    """
    return _Now(connection, hq).proposals(months)


def restate(ledger: Ledger, hq: HqConfig, month: str, *, who: Who, reason: str, time_ms: int) -> Decision:
    """Accept what is proposed for a closed month, and for the months that can only change with it.

    Raises
    ------
    AnswerIsNo
        Nothing is proposed, something is missing, no reason is given, or who accepts is who corrected.
    ConfigError, DataError
        Records, cells, activity or what was closed contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    if not reason.strip():
        raise AnswerIsNo(
            f"nobody can restate {month} without a reason",
            next=f'seiren month restate {month} --yes --reason "why it may change"',
        )

    def prepare(connection: Connection) -> Callable[[Connection], Decision]:
        permit(connection, hq, who, Step.RESTATE)
        statuses = closings.statuses(connection)
        if month not in statuses or statuses[month].closing is None:
            raise AnswerIsNo(
                f"{month} is not closed, so it needs no restatement",
                next=f"seiren month show {month}",
            )
        now = _Now(connection, hq)
        asked = {each.month: each for each in now.proposals((month,))}
        if month not in asked:
            raise AnswerIsNo(f"nothing that came later changes {month}", next=f"seiren month show {month}")
        together = asked[month].together
        accepted = [each for each in now.proposals(together) if each.month in together]
        kept: dict[str, Kept] = {}
        facts: list[Json] = []
        for each in accepted:
            allow(statuses[each.month], Step.RESTATE, who.person)
            _four_eyes(each, who)
            drawn = draft(connection, hq, each.month, thawed=together)
            refuse_incomplete(connection, hq, drawn, Step.RESTATE, time_ms)
            kept[each.month] = keep(connection, hq, drawn, thawed=together)
            why: dict[str, Json] = {
                "old": amounts(each.old),
                "causes": [str(cause) for cause in each.causes],
            }
            facts.append(bound(drawn, kept[each.month], each.closing.revision + 1) | why)

        def write(writing: Connection) -> Decision:
            decision = decisions.decide(
                writing, kind=Step.RESTATE, who=who, reason=reason, body={"months": facts}, time_ms=time_ms
            )
            for each in accepted:
                closings.add(writing, each.month, each.closing.revision + 1, kept[each.month], decision)
            return decision

        return write

    return decided(ledger, prepare)


class _Now:
    """Closed months as they would be by what is known now, each computed once."""

    def __init__(self, connection: Connection, hq: HqConfig) -> None:
        self._connection = connection
        self._hq = hq
        self._closed = {
            month: status.closing
            for month, status in sorted(closings.statuses(connection).items())
            if status.closing is not None
        }
        self._view = View(connection, hq, thawed=self._closed)
        self._kept: dict[str, Kept] = {}
        self._drafts: dict[str, Draft] = {}

    def proposals(self, months: Collection[str] | None) -> tuple[Proposal, ...]:
        found: list[Proposal] = []
        seen: set[str] = set()
        for month in sorted(self._closed if months is None else months):
            if month in self._closed and month not in seen:
                together = self._together(month)
                seen.update(together)
                group = [self._proposal(each, together) for each in together]
                if any(each.differences or each.causes for each in group):
                    found += group
        return tuple(sorted(found, key=lambda each: each.month))

    def _proposal(self, month: str, together: tuple[str, ...]) -> Proposal:
        closing, kept, new = self._closed[month], self._was(month), self._is(month)
        old = Sheet.parse(kept.statement)
        found = differences(old.document, new.sheet.document)
        differs = bool(found) or standing_differs(old.document, new.sheet.document)
        return Proposal(
            closing=closing,
            old=old,
            new=new,
            differences=found,
            moves=tuple(self._moves(month)),
            causes=self._causes(month, found) if differs else (),
            together=together,
        )

    def _causes(self, month: str, found: tuple[Difference, ...]) -> tuple[Cause, ...]:
        kept, new = self._was(month), self._is(month)
        inputs = keep(self._connection, self._hq, new, thawed=self._closed).inputs
        was = Version.of(Sheet.parse(kept.statement), kept.inputs)
        return causes(self._connection, self._closed[month], was, Version.of(new.sheet, inputs), found)

    def _together(self, month: str) -> tuple[str, ...]:
        """Return the closed months that are tied to one by registers that would change."""
        found, waiting = {month}, [month]
        while waiting:
            at = waiting.pop()
            for beside, end in ((add_months(at, -1), 0), (add_months(at, 1), 1)):
                if beside in self._closed and beside not in found and self._changed(at, end):
                    found.add(beside)
                    waiting.append(beside)
        return tuple(sorted(found))

    def _changed(self, month: str, end: int) -> list[tuple[str, int]]:
        """Return point and instant of the registers that would change at a month's start (0) or end (1)."""
        instants = {_ends(month, site)[end] for site in self._hq.sites}
        old, new = (
            {row[:2]: row.boundary for row in rows} for rows in (self._was(month).rows, self._is(month).rows)
        )
        return sorted(
            key for key in old.keys() | new.keys() if key[1] in instants and old.get(key) != new.get(key)
        )

    def _moves(self, month: str) -> Iterable[Move]:
        for end, earlier, later in ((0, add_months(month, -1), month), (1, month, add_months(month, 1))):
            for point, time_ms in self._changed(month, end):
                yield Move(point, time_ms, earlier, later, self._moved(month, point, time_ms, end))

    def _moved(self, month: str, point: str, time_ms: int, end: int) -> int | None:
        """Return what the month before an instant gains there [Wh]."""
        old = {row[:2]: row.boundary for row in self._was(month).rows}.get((point, time_ms))
        found = [(site, meter) for site in self._hq.sites for meter in site.meters if meter.point == point]
        if old is None or not found:
            return None
        ((site, meter),) = found
        interval = month_interval(month, site.time_zone)
        counter = self._view.counter_at(site, meter, (interval.start_ms, interval.end_ms))
        installed = self._view.installations(site, meter)
        values = self._view.values(meter, interval)
        fixed = {time_ms: frozen_boundary(time_ms, old)}
        then = energy(counter, installed, interval, values=values, fixed=fixed).wh
        now = energy(counter, installed, interval, values=values).wh
        if then is None or now is None:
            return None
        return now - then if end else then - now

    def _was(self, month: str) -> Kept:
        if month not in self._kept:
            self._kept[month] = closings.read(self._connection, self._closed[month])
        return self._kept[month]

    def _is(self, month: str) -> Draft:
        if month not in self._drafts:
            self._drafts[month] = draft(self._connection, self._hq, month, thawed=self._closed)
        return self._drafts[month]


def _ends(month: str, site: SiteRecord) -> tuple[int, int]:
    interval = month_interval(month, site.time_zone)
    return interval.start_ms, interval.end_ms


def _four_eyes(proposal: Proposal, who: Who) -> None:
    """Check that nobody accepts what follows from their own correction or plan."""
    for cause in proposal.causes:
        if cause.decision is not None and same_person(cause.decision.person, who.person):
            raise AnswerIsNo(
                f"whoever caused the restatement of {proposal.month} cannot accept it",
                evidence=f"{cause}, by {cause.decision.person}",
                cause="a closed month changes by two people",
                next=f"let another person look at it: seiren month restate {proposal.month} --by NAME",
            )


def _less(new: Fraction | None, old: Fraction | None) -> Fraction | None:
    return None if new is None or old is None else new - old
