"""Where the pages get statements from."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from collector.report.sheet import Sheet
from core.delivery.count import Count


class Statements(Protocol):
    """The months that pages can show; every call sees the ledger as it is now."""

    @property
    def folder(self) -> str:
        """The ledger's folder, as commands take it."""

    def months(self) -> tuple[str, ...]:
        """Return the months with data, oldest first."""

    def sheet(self, month: str) -> Sheet:
        """Return a month's statement."""

    def days(self, month: str, meter: str) -> tuple[Fraction | None, ...]:
        """Return a meter's energy of each day of a month [kWh], None where it is missing."""

    def counts(self) -> tuple[Count, ...]:
        """Return the count of readings per agent, lane and epoch."""
