"""Activity data that people hand in: fuel lines and production lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from core.metering.quantities import Unit


@dataclass(frozen=True, slots=True)
class FuelLine:
    """One document's worth of a fuel, burned or used as reductant.

    Attributes
    ----------
    id
        Identity of the line in the ledger.
    site, process, fuel
        Ids; the fuel's is that of its emission factor.
    date
        Day of use, in the site's time zone.
    quantity
        Exact, in `unit`; a month without use is a line of zero.
    document
        Slip or record that proves it.
    source
        Where it was read, ``file:line``.
    """

    id: str
    site: str
    process: str
    fuel: str
    date: date
    quantity: Fraction
    unit: Unit
    document: str
    source: str

    @property
    def month(self) -> str:
        """Month of use, ``2024-02``."""
        return f"{self.date:%Y-%m}"


@dataclass(frozen=True, slots=True)
class ProductionLine:
    """Metal produced in a month.

    Attributes
    ----------
    id
        Identity of the line in the ledger.
    month
        ``2024-02``.
    site, product
        Ids.
    quantity
        Exact, in `unit` (a mass).
    document, source
        Record that proves it; where it was read, ``file:line``.
    """

    id: str
    month: str
    site: str
    product: str
    quantity: Fraction
    unit: Unit
    document: str
    source: str
