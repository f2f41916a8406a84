"""The agents' own account of each day: what was due, and what was not taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, select

from collector.ledger.tables import events
from core.delivery.frames import Lane

Natural = Annotated[int, Field(ge=0, lt=2**53)]


class _Told(BaseModel):
    """Base of what an agent tells: strict; what a newer one tells besides is passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Account(_Told):
    """Readings of a lane [1]: due = taken + skipped + silent + stopped; `missing` names devices."""

    due: Natural = 0
    taken: Natural = 0
    skipped: Natural = 0
    silent: Natural = 0
    stopped: Natural = 0
    missing: dict[str, Natural] = {}

    @property
    def not_taken(self) -> int:
        """Due, and not taken [1]."""
        return max(0, self.due - self.taken)

    def __add__(self, other: Account) -> Account:
        """Return the account of both."""
        devices = dict.fromkeys((*self.missing, *other.missing))
        return Account(
            due=self.due + other.due,
            taken=self.taken + other.taken,
            skipped=self.skipped + other.skipped,
            silent=self.silent + other.silent,
            stopped=self.stopped + other.stopped,
            missing={name: self.missing.get(name, 0) + other.missing.get(name, 0) for name in devices},
        )


class _Polled(_Told):
    """The event of an agent."""

    event: Literal["polled"]
    time_ms: Natural
    since_ms: Natural
    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    lanes: dict[Annotated[Lane, Field(strict=False)], Account]


Accounts = Mapping[tuple[str, Lane, str], Account]
"""By agent, lane and local day ``YYYY-MM-DD``."""


def read_accounts(connection: Connection) -> Accounts:
    """Return the account of each agent, lane and day; an event that is none of ours counts for nothing."""
    polled = select(events.c.agent, events.c.text).where(events.c.kind == "polled")
    return accounts_of((agent, text) for agent, text in connection.execute(polled))


def accounts_of(told: Iterable[tuple[str, str]]) -> Accounts:
    """Return the account of each agent, lane and day.

    Parameters
    ----------
    told
        Agent and event, as JSON; the latest of those with one beginning counts.
    """
    latest: dict[tuple[str, str, int], _Polled] = {}
    for agent, text in told:
        try:
            event = _Polled.model_validate_json(text)
        except ValidationError:
            continue
        part = agent, event.day, event.since_ms
        if part not in latest or event.time_ms > latest[part].time_ms:
            latest[part] = event
    found: dict[tuple[str, Lane, str], Account] = {}
    for (agent, day, _), event in latest.items():
        for lane, account in event.lanes.items():
            found[agent, lane, day] = found.get((agent, lane, day), Account()) + account
    return found
