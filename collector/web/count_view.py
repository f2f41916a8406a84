"""The count of readings as the page shows it: one row per agent and lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from collector.web.language import Language
from collector.web.words import reason_name
from core.delivery.count import Count


@dataclass(frozen=True, slots=True)
class CountRow:
    """Readings of one agent's lane, all epochs together; `remarks` says what the columns do not."""

    agent: str
    lane: str
    taken: int
    stored: int
    waiting: int
    lost: int
    remarks: str


def count_rows(counts: Sequence[Count], language: Language) -> Iterator[CountRow]:
    """Yield the count per agent and lane."""
    ordered = sorted(counts, key=_place)
    for (agent, lane), group in groupby(ordered, key=_place):
        epochs = tuple(group)
        yield CountRow(
            agent,
            lane,
            sum(count.taken for count in epochs),
            sum(count.stored for count in epochs),
            sum(count.waiting for count in epochs),
            sum(sum(count.lost.values()) for count in epochs),
            _remarks(epochs, language),
        )


def _place(count: Count) -> tuple[str, str]:
    return count.agent, str(count.lane)


def _remarks(counts: Sequence[Count], language: Language) -> str:
    t, number = language.gettext, language.whole
    reasons: dict[str, int] = {}
    for count in counts:
        for reason, readings in count.lost.items():
            reasons[str(reason)] = reasons.get(str(reason), 0) + readings
    remarks = [
        t("%(readings)s lost: %(reason)s", readings=number(readings), reason=reason_name(reason, language))
        for reason, readings in sorted(reasons.items())
    ]
    if quarantined := sum(count.quarantined for count in counts):
        remarks.append(t("%(readings)s set aside in quarantine", readings=number(quarantined)))
    if owed := sum(count.owed for count in counts):
        remarks.append(t("%(readings)s not accounted for yet", readings=number(owed)))
    return t(", ").join(remarks)
