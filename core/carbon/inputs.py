"""What a month's statement is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from core import timeline
from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.allocation import Allocation
from core.carbon.factors import ElectricitySeries, FuelFactor
from core.carbon.labels import Label
from core.carbon.targets import MonthTarget
from core.errors import DataError
from core.metering.energy import IntervalEnergy
from core.metering.network import Network


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """The monitoring plan that a statement follows.

    Attributes
    ----------
    version
        Its number [1]; `None` while nobody has adopted it.
    digest
        SHA-256 of its canonical JSON, hexadecimal.
    """

    version: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Meter:
    """What a meter is called, and which process it feeds."""

    id: str
    name: Label
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInputs:
    """One site's month.

    Attributes
    ----------
    tz
        Time zone; the same for all sites of a statement.
    network
        Its meters as a tree, as they stand in the month, and the boundary set.
    meters
        Names and processes, one for each node of the network.
    energies
        Energy of the month by id of point, of the part in which the meter is in the network; a point may
        be missing, which is no energy of 0. Of a meter that was moved also by `Network.key` of each place.
    allocation
        Who bears it; `None` where no intensity is asked for.
    """

    id: str
    name: Label
    tz: ZoneInfo
    network: Network
    meters: tuple[Meter, ...]
    energies: Mapping[str, IntervalEnergy]
    allocation: Allocation | None = None

    def meter(self, meter_id: str) -> Meter:
        """Return a meter's name and process.

        Raises
        ------
        DataError
            If it has none.
        """
        for meter in self.meters:
            if meter.id == meter_id:
                return meter
        raise DataError("a meter of the network has no name", where=meter_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementInputs:
    """Everything a statement depends on; nothing else does.

    Attributes
    ----------
    month
        ``2024-02``.
    synthetic
        Where invented data come from, ``seed 1``; `None` for real data.
    products
        Id → name of each product that gets an intensity.
    fuels, production
        Lines of the month, in any order.
    fuel_factors
        Rows to choose from, in any order.
    electricity
        The series of electricity factors to count with.
    targets
        By month; other months than this one are passed over.
    closed
        Whether the month's activity is closed. A closed month refuses unverified factors.
    plan
        The monitoring plan; `None` where there is none.
    """

    month: str
    company: Label
    synthetic: str | None
    sites: tuple[SiteInputs, ...]
    products: Mapping[str, Label]
    fuels: tuple[FuelLine, ...]
    production: tuple[ProductionLine, ...]
    fuel_factors: tuple[FuelFactor, ...]
    electricity: ElectricitySeries
    targets: tuple[MonthTarget, ...] = ()
    closed: bool = False
    plan: PlanVersion | None = None

    @property
    def fiscal_year(self) -> int:
        """Fiscal year of the month."""
        return timeline.fiscal_year(self.month)

    @property
    def tz(self) -> ZoneInfo:
        """Time zone of the statement, that of its sites."""
        return self.sites[0].tz

    @property
    def interval(self) -> timeline.Interval:
        """The month in its sites' time zone."""
        return timeline.month(self.month, self.tz)

    @property
    def half_hours(self) -> int:
        """How many half-hours the month has [1]."""
        return len(timeline.half_hours(self.interval)) - 1

    def check(self) -> None:
        """Check that the parts belong together.

        Raises
        ------
        DataError
            If there is no site or one stands twice, the sites' time zones differ, an energy is of another
            interval, a line is of another month or an unknown site, two lines share an id, a product of the
            production is unknown, or the month has more than one target.
        UsageError
            If the month is not a month.
        """
        if not self.sites:
            raise DataError("a statement needs a site", next="add one to hq.yaml")
        _once("site", self.sites, lambda site: site.id)
        _once("fuel line", self.fuels, lambda line: line.id)
        _once("production line", self.production, lambda line: line.id)
        _once("target", (each for each in self.targets if each.month == self.month), lambda each: each.month)
        if len({site.tz.key for site in self.sites}) > 1:
            raise DataError(
                "the sites of one statement are in different time zones",
                evidence=", ".join(sorted(f"{site.id} {site.tz.key}" for site in self.sites)),
                next="make a statement of each",
            )
        for site in self.sites:
            spans = site.network.keyed(self.interval)
            for key, energy in site.energies.items():
                if energy.interval != spans.get(key, self.interval):
                    raise DataError("an energy is not of the statement's month", where=energy.point)
            if site.allocation is not None:
                site.allocation.check(site.network)
        known = {site.id for site in self.sites}
        lines: tuple[FuelLine | ProductionLine, ...] = (*self.fuels, *self.production)
        for line in lines:
            if line.month != self.month:
                raise DataError(f"a line is of {line.month}, not {self.month}", where=line.source)
            if line.site not in known:
                raise DataError(f"a line is of an unknown site {line.site}", where=line.source)
        for produced in self.production:
            if produced.product not in self.products:
                raise DataError(f"a line is of an unknown product {produced.product}", where=produced.source)


T = TypeVar("T")


def _once(what: str, items: Iterable[T], key: Callable[[T], str]) -> None:
    seen: set[str] = set()
    for item in items:
        if key(item) in seen:
            raise DataError(f"a {what} stands twice", evidence=key(item))
        seen.add(key(item))
