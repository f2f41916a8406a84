"""The count as people read it: taken = stored + waiting + named lost, or what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.table import Form, as_csv, as_json, as_table
from core.delivery.count import Count, total


def by_lane(counts: Sequence[Count]) -> tuple[Count, ...]:
    """Return one count for each agent and lane, over all epochs."""
    lanes = dict.fromkeys((count.agent, count.lane) for count in counts)
    return tuple(total(counts, agent, lane) for agent, lane in lanes)


def closes(counts: Sequence[Count]) -> bool:
    """Tell whether every reading that was taken is stored, waiting, or named: none is unexplained."""
    return all(count.adds_up and not count.owed and not count.owed_frames for count in counts)


def count_report(counts: Sequence[Count], form: Form) -> str:
    """Return the count of a ledger as text.

    Parameters
    ----------
    counts
        One count for each agent, lane and epoch.
    """
    rows = by_lane(counts)
    if form is Form.JSON:
        return as_json({"adds_up": closes(counts), "counts": [_facts(row) for row in rows]})
    if form is Form.CSV:
        return as_csv([_facts(row) | {"lost": sum(row.lost.values())} for row in rows])
    return "\n".join(_lines(rows, closes(counts)))


def _facts(count: Count) -> dict[str, object]:
    return {
        "agent": count.agent,
        "lane": count.lane.value,
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
    }


def _lines(rows: Sequence[Count], good: bool) -> Iterator[str]:
    if not rows:
        yield "no agent has been heard yet"
        return
    cells = [(row.agent, row.lane.value, *_numbers([row])) for row in rows]
    if len(rows) > 1:
        cells.append(("all", "", *_numbers(rows)))
    header = ("agent", "lane", "taken", "stored", "waiting", "named lost", "unexplained")
    yield as_table(header, cells, left=2)
    for row in rows:
        for reason, readings in sorted(row.lost.items()):
            yield f" named lost {readings:,}  {row.agent} {row.lane}, {reason}"
        if row.quarantined:
            yield f" set aside {row.quarantined:,}  {row.agent} {row.lane}, raw bytes with their reason"
        if row.extra:
            yield f" second copies {row.extra:,}  {row.agent} {row.lane}, from a copied disk; outside the sum"
        if row.owed_frames:
            yield f" unexplained {row.owed_frames:,} frames  {row.agent} {row.lane}"
        if not row.adds_up:
            yield f" {row.agent} {row.lane}: what was taken and what was found differ"
    aside = " + set aside" if any(row.quarantined for row in rows) else ""
    equation = f"taken = stored + waiting + named lost{aside}"
    yield f"YES  {equation}, as far as heard" if good else f"NO   not {equation}"


def _numbers(rows: Sequence[Count]) -> tuple[str, ...]:
    sums = (
        sum(row.taken for row in rows),
        sum(row.stored for row in rows),
        sum(row.waiting for row in rows),
        sum(sum(row.lost.values()) for row in rows),
        sum(row.owed for row in rows),
    )
    return tuple(f"{number:,}" for number in sums)
