"""The count as people read it: taken = stored + waiting + named lost, or what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from collector.count_reading import CountRow, CountTable, NamedLoss
from collector.polled import Account
from collector.table import Form, as_csv, as_json, as_table
from core.runtime.words import folded, plain, stamp

_DEVICES_SHOWN = 3
_COLUMNS = ("taken", "stored", "waiting", "named lost", "unexplained")


def count_report(table: CountTable, form: Form) -> str:
    """Return what was counted as text."""
    if form is Form.JSON:
        return as_json(
            {
                "month": table.month or None,
                "adds_up": table.closes,
                "counts": [_facts(row) for row in table.rows],
                "days": [_facts(row) for row in table.of_days],
                "losses": [_loss(loss) for loss in table.losses],
                "silent": [{"agent": agent, "newest_ms": at} for agent, at in table.silent.items()],
            }
        )
    if form is Form.CSV:
        return as_csv([_cells(row) for row in table.of_days or table.rows])
    return "\n".join(_lines(table))


def _facts(row: CountRow) -> dict[str, object]:
    count = row.count
    return {
        "agent": row.agent,
        "lane": row.lane.value,
        "day": row.day or None,
        "taken": count.taken,
        "stored": count.stored,
        "quarantined": count.quarantined,
        "lost": dict(count.lost),
        "waiting": count.waiting,
        "owed": count.owed,
        "extra": count.extra,
        "waiting_frames": count.waiting_frames,
        "owed_frames": count.owed_frames,
        "adds_up": count.adds_up,
        "due": None if row.account is None else row.account.model_dump(),
    }


def _cells(row: CountRow) -> dict[str, object]:
    account = row.account
    due = {} if account is None else account.model_dump(include={"due", "skipped", "silent", "stopped"})
    return (
        _facts(row)
        | {"lost": sum(row.count.lost.values())}
        | {name: due.get(name) for name in ("due", "skipped", "silent", "stopped")}
    )


def _loss(loss: NamedLoss) -> dict[str, object]:
    return {
        "agent": loss.agent,
        "lane": loss.lane.value,
        "reason": loss.reason,
        "readings": loss.readings,
        "from_ms": loss.from_ms,
        "to_ms": loss.to_ms,
    }


def _lines(table: CountTable) -> Iterator[str]:
    if not table.rows:
        empty = f"nothing was taken in {table.month}, as far as heard"
        yield empty if table.month else "no agent has been heard yet"
        yield from _silent(table)
        return
    if table.of_days:
        yield from _days(table)
    silent = table.silent if table.month else {}
    cells = [(plain(row.agent), row.lane.value, *_numbers([row], row.agent in silent)) for row in table.rows]
    if len(table.rows) > 1:
        cells.append(("all", "", *_numbers(table.rows)))
    yield as_table(("agent", "lane", *_COLUMNS), cells, left=2)
    for loss in table.losses:
        yield from _told("named lost", loss.readings, _of_loss(loss, table.zone))
    for row in table.rows:
        yield from _remarks(row)
    aside = " + set aside" if any(row.count.quarantined for row in table.rows) else ""
    equation = f"taken = stored + waiting + named lost{aside}"
    yield f"YES  {equation}, as far as heard" if table.closes else f"NO   not {equation}"
    yield from _silent(table)


def _remarks(row: CountRow) -> Iterator[str]:
    count, of = row.count, f"{row.agent} {row.lane.value}"
    if count.quarantined:
        yield from _told("set aside", count.quarantined, f"{of}, raw bytes with their reason")
    if count.extra:
        yield from _told("second copies", count.extra, f"{of}, from a copied disk; outside the sum")
    if row.account is not None and row.account.not_taken:
        yield from _told("not taken", row.account.not_taken, f"{of}, {_why(row.account)}")
    if count.owed_frames:
        yield f" unexplained {count.owed_frames:,} frames  {plain(of)}"
    if not count.adds_up:
        yield f" {plain(of)}: what was taken and what was found differ"


def _told(what: str, readings: int, of: str) -> list[str]:
    return folded(f" {what} {readings:,}  ", of, indent=len(f" {what} {readings:,}  "))


def _of_loss(loss: NamedLoss, zone: ZoneInfo) -> str:
    when = ""
    if loss.from_ms is not None and loss.to_ms is not None:
        start, end = stamp(loss.from_ms, zone), stamp(loss.to_ms, zone)
        when = f", {start} - {end[11:] if end[:10] == start[:10] else end}"
    energy = "; no energy" if loss.lane.value == "samples" else ""
    return f"{loss.agent} {loss.lane.value}{when}, {loss.reason}{energy}"


def _why(account: Account) -> str:
    """Why readings that were due were not taken, and of which devices."""
    reasons = (
        (account.silent, "device silent"),
        (account.skipped, "skipped"),
        (account.stopped, "no agent ran"),
    )
    told = [f"{n:,} {reason}" for n, reason in reasons if n]
    most = sorted(account.missing.items(), key=lambda item: (-item[1], item[0]))
    devices = [f"{device} {n:,}" for device, n in most[:_DEVICES_SHOWN]]
    more = f" and {len(most) - _DEVICES_SHOWN} more" if len(most) > _DEVICES_SHOWN else ""
    if len(told) == 1:
        told = [told[0].partition(" ")[2]]
    return ", ".join(told) + (f": {', '.join(devices)}{more}" if devices else "")


def _silent(table: CountTable) -> Iterator[str]:
    for agent, newest_ms in table.silent.items():
        until = "" if newest_ms is None else stamp(newest_ms, table.zone)
        if table.month:
            since = f"silent since {until}" if until else "silent"
            yield from folded("     ", f"{agent} {since}: its own count comes when it returns", indent=5)
        else:
            yield from folded("     ", f"{agent} heard until {until or 'now without a reading'}", indent=5)


def _days(table: CountTable) -> Iterator[str]:
    """A table for each agent and lane."""
    for agent, lane in dict.fromkeys((row.agent, row.lane) for row in table.of_days):
        rows = [row for row in table.of_days if (row.agent, row.lane) == (agent, lane)]
        yield f"{plain(agent)} {lane.value}"
        cells = [
            (
                row.day,
                *_numbers([row]),
                "-" if row.account is None else f"{row.account.not_taken:,}",
            )
            for row in rows
        ]
        yield as_table(("day", *_COLUMNS, "not taken"), cells)
        yield ""


def _numbers(rows: Sequence[CountRow], silent: bool = False) -> tuple[str, ...]:
    taken = sum(row.count.taken for row in rows)
    waiting = sum(row.count.waiting for row in rows)
    return (
        f">= {taken:,}" if silent else f"{taken:,}",
        f"{sum(row.count.stored for row in rows):,}",
        "unknown" if silent and not waiting else f"{waiting:,}",
        f"{sum(sum(row.count.lost.values()) for row in rows):,}",
        f"{sum(row.count.owed for row in rows):,}",
    )
