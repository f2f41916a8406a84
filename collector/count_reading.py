"""What `seiren count` shows, read from a ledger in one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from collector.ledger import Ledger
from collector.ledger.counts import SiteCount, counts, counts_by_period
from collector.ledger.tables import gone, streams
from collector.polled import Account, Accounts, read_accounts
from collector.record import by_lane, newest_ms
from config.hq import HqConfig
from core.delivery.count import Count, total
from core.delivery.frames import Lane
from core.timeline import Interval, days, month

SILENT_MS = 600_000
"""An agent whose newest reading lies so long before the end of what is counted is silent [ms]."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """The count of an agent's lane, of one day where `day` is not empty."""

    agent: str
    lane: Lane
    day: str
    count: Count
    account: Account | None


@dataclass(frozen=True, slots=True)
class NamedLoss:
    """Readings lost for one reason [1], and from when to when, where that is known [ms since 1970 UTC]."""

    agent: str
    lane: Lane
    reason: str
    readings: int
    from_ms: int | None
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class CountTable:
    """All that is counted.

    Attributes
    ----------
    month
        The month, empty for all that the ledger holds.
    rows
        One for each agent and lane; `of_days` has one for each of its days besides.
    losses
        Named lost, with times.
    silent
        Agents that may have more, and when their newest reading is of [ms since 1970 UTC].
    zone
        In which times are shown.
    """

    month: str
    rows: tuple[CountRow, ...]
    of_days: tuple[CountRow, ...]
    losses: tuple[NamedLoss, ...]
    silent: dict[str, int | None]
    zone: ZoneInfo

    @property
    def closes(self) -> bool:
        """Whether every reading that was taken is stored, waiting, or named: none is unexplained."""
        counted = (row.count for row in (*self.rows, *self.of_days))
        return all(count.adds_up and not count.owed and not count.owed_frames for count in counted)


def read_counts(
    ledger: Ledger, hq: HqConfig, *, now_ms: int, of_month: str = "", by_day: bool = False
) -> CountTable:
    """Count all that a ledger holds, or a month by each site's own time.

    Parameters
    ----------
    now_ms
        Now [ms since 1970 UTC].
    of_month
        ``YYYY-MM``, or empty for everything.
    by_day
        Whether the month's days are counted too.

    Raises
    ------
    Unreachable, OutsideError
        The ledger failed.
    """
    zones = {site.id: site.time_zone for site in hq.sites}
    first = hq.sites[0].time_zone
    with ledger.reading() as connection:
        accounts = read_accounts(connection)
        sites, newest = _agents(connection)
        if not of_month:
            rows = _rows(by_lane(counts(connection)), accounts)
            losses = _losses(connection, rows, None)
            silent = {agent: at for agent, at in newest.items() if _is_silent(at, now_ms)}
            return CountTable("", rows, (), losses, silent, first)
        whole: list[Count] = []
        of_days: list[CountRow] = []
        end_ms = 0
        for zone in dict.fromkeys(zones.values()):
            interval = month(of_month, zone)
            bounds = days(interval, zone) if by_day else (interval.start_ms, interval.end_ms)
            counted = counts_by_period(connection, bounds)
            found = [each for each in counted if zones.get(each.site, first) == zone]
            whole += (each.count for each in found)
            if by_day:
                here = {agent for agent, site in sites.items() if zones.get(site, first) == zone}
                of_days += _days(found, f"{of_month}-", len(bounds) - 1, here, accounts)
            end_ms = max(end_ms, interval.end_ms)
        rows = _rows(by_lane(whole), accounts, of_month)
        losses = _losses(connection, rows, month(of_month, first))
    silent = {agent: at for agent, at in newest.items() if _is_silent(at, min(now_ms, end_ms))}
    return CountTable(of_month, rows, tuple(of_days), losses, silent, first)


def _is_silent(newest: int | None, end_ms: int) -> bool:
    return newest is None or newest < end_ms - SILENT_MS


def _rows(counted: Iterable[Count], accounts: Accounts, of_month: str = "") -> tuple[CountRow, ...]:
    """One row for each agent and lane, also where nothing came of what was due."""
    told: dict[tuple[str, Lane], Account] = {}
    for (agent, lane, day), account in accounts.items():
        if day.startswith(of_month) and account.due:
            told[agent, lane] = told.get((agent, lane), Account()) + account
    found = {(count.agent, count.lane): count for count in counted}
    lanes = sorted({*found, *told}, key=lambda of: (of[0], of[1].value))
    return tuple(
        CountRow(agent, lane, "", found.get((agent, lane)) or total((), agent, lane), told.get((agent, lane)))
        for agent, lane in lanes
    )


def _days(
    found: Sequence[SiteCount], prefix: str, length: int, agents: Collection[str], accounts: Accounts
) -> Iterator[CountRow]:
    """One row for each agent, lane and day on which something was taken or due."""
    for agent, lane in product(sorted(agents), Lane):
        of_lane = [each for each in found if (each.count.agent, each.count.lane) == (agent, lane)]
        for number in range(length):
            day = f"{prefix}{number + 1:02d}"
            counted = [each.count for each in of_lane if each.period == number]
            account = accounts.get((agent, lane, day))
            if counted or (account is not None and account.due):
                yield CountRow(agent, lane, day, total(counted, agent, lane), account)


def _agents(connection: Connection) -> tuple[dict[str, str], dict[str, int | None]]:
    """Site and newest reading of each agent."""
    sites: dict[str, str] = {}
    newest: dict[str, int | None] = {}
    for row in connection.execute(select(streams).order_by(streams.c.number)).all():
        sites[row.agent] = row.site
        found = newest_ms(connection, row.number)
        known = newest.get(row.agent)
        newest[row.agent] = found if known is None else max(known, found or 0)
    return sites, newest


def _losses(
    connection: Connection, rows: Sequence[CountRow], interval: Interval | None
) -> tuple[NamedLoss, ...]:
    """The named losses of the rows, with the times that agents told of them."""
    of_kind = (streams.c.agent, streams.c.lane, gone.c.reason)
    spans = (
        select(*of_kind, func.min(gone.c.from_ms), func.max(gone.c.to_ms)).join(streams).group_by(*of_kind)
    )
    if interval is not None:
        spans = spans.where(gone.c.from_ms >= interval.start_ms, gone.c.from_ms < interval.end_ms)
    times = {
        (agent, lane, "trimmed" if reason == "freed" else reason): (from_ms, to_ms)
        for agent, lane, reason, from_ms, to_ms in connection.execute(spans)
    }
    unknown = (None, None)
    return tuple(
        NamedLoss(row.agent, row.lane, reason, n, *times.get((row.agent, row.lane.value, reason), unknown))
        for row in rows
        for reason, n in sorted(row.count.lost.items())
    )
