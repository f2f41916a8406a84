"""A ledger at one snapshot, seen through the plan: registers, and the energy between them.

Everything that asks what a meter counted asks here, so that a figure, a half-hour in a store and a line
for an auditor come from the same registers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType

from sqlalchemy import Connection

from collector import power, records
from collector.bills import billed
from collector.corrections import Corrections
from collector.ledger import Ledger, bills, closings, values
from collector.meter_counter import Asked, Gathered, gather, meter_counter
from collector.network_energies import network_series
from collector.register_days import RegisterDays
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.closing import Closing
from core.metering.boundaries import Boundary
from core.metering.corrections import corrected_installations, interval_values
from core.metering.counters import Counter, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.installations import Installation
from core.metering.network import Network
from core.metering.scaling import scaled, scaled_boundaries, scaled_values
from core.metering.sources import IntervalValue
from core.timeline import Interval


class View:
    """What a ledger says now.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    hq
        The plan.
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.
    corrections
        Those that are taken to be in force; None: those that are.
    by_meters
        Whether every meter counts by itself, also where the plan takes bills for authoritative.
    """

    def __init__(
        self,
        connection: Connection,
        hq: HqConfig,
        *,
        thawed: Collection[str] = (),
        corrections: Corrections | None = None,
        by_meters: bool = False,
    ) -> None:
        self.connection = connection
        self.hq = hq
        self._thawed = frozenset(thawed)
        self._supposed = corrections
        self._by_meters = by_meters
        self._networks: dict[str, Network] = {}
        self.days = RegisterDays(connection)

    @cached_property
    def corrections(self) -> Corrections:
        """What people put right."""
        return Corrections.in_force(self.connection) if self._supposed is None else self._supposed

    @cached_property
    def _of_meters(self) -> View:
        """The same, with every meter by itself."""
        if self._by_meters:
            return self
        return View(
            self.connection, self.hq, thawed=self._thawed, corrections=self.corrections, by_meters=True
        )

    @cached_property
    def _sites(self) -> Mapping[str, SiteRecord]:
        return {meter.id: site for site in self.hq.sites for meter in site.meters}

    def _site(self, meter: MeterRecord) -> SiteRecord:
        return self._sites[meter.id]

    @cached_property
    def closed(self) -> Mapping[str, Closing]:
        """The closings in force, by month."""
        found = closings.statuses(self.connection)
        return {
            month: status.closing
            for month, status in found.items()
            if status.closing is not None and month not in self._thawed
        }

    def fixed(self, meter: MeterRecord, interval: Interval) -> dict[int, Boundary]:
        """Return the registers of a meter that closed months have fixed, from an interval's start to its end.

        Raises
        ------
        DataError
            The ledger is damaged.
        """
        if not self.closed or (self._by_meters and self._site(meter).source(meter.id) == "bill"):
            return {}
        return closings.fixed(self.connection, meter.point, interval, self.closed)

    def installations(self, site: SiteRecord, meter: MeterRecord) -> tuple[Installation, ...]:
        """Return what stood behind a meter's point, corrected, in time order.

        Raises
        ------
        ConfigError
            A profile is unknown or does not hold the quantity.
        DataError
            A correction contradicts the records.
        """
        return corrected_installations(meter.dated(site.time_zone), self.corrections.of(meter))

    def values(self, meter: MeterRecord, interval: Interval) -> tuple[IntervalValue, ...]:
        """Return the energies of a meter from elsewhere than its register that bear on an interval.

        What a person substituted comes first, then what was imported, then what its power gives. Where the
        plan takes bills for authoritative, they stand in the place of all that the meter gives.
        """
        substituted = tuple(
            each
            for each in interval_values(self.corrections.of(meter))
            if each.interval.start_ms < interval.end_ms and each.interval.end_ms > interval.start_ms
        )
        imported = values.of(self.connection, meter.point, interval)
        return substituted + imported + power.values(self.connection, self.hq, meter, interval)

    def by_registers_alone(self, meter: MeterRecord, interval: Interval) -> bool:
        """Tell whether nothing but a meter's readings and records bears on its energy in an interval."""
        if self.billed(meter):
            return False
        return not (self.corrections.of(meter) or self.values(meter, interval) or self.fixed(meter, interval))

    def facts(self, site: SiteRecord, meter: MeterRecord) -> tuple[object, ...]:
        """Return all that a meter's energies are made of, besides its readings and closed months."""
        return (
            self.installations(site, meter),
            self.corrections.of(meter),
            values.names(self.connection, meter.point),
            bills.names(self.connection, meter.point) if self.billed(meter) else (),
        )

    def billed(self, meter: MeterRecord) -> bool:
        """Tell whether bills, and not the meter, say what its energy is."""
        return not self._by_meters and self._site(meter).source(meter.id) == "bill"

    def metered(
        self, site: SiteRecord, meter: MeterRecord, boundaries_ms: Sequence[int]
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies that a meter has by itself, whatever is authoritative; raises as `series`."""
        return self._of_meters.series(site, meter, boundaries_ms)

    def counter(self, site: SiteRecord, meter: MeterRecord, interval: Interval) -> Counter:
        """Return the register of a meter over an interval and its brackets, corrected.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        ends = (interval.start_ms, interval.end_ms)
        return self._counter(site, meter, ends, whole=True)

    def counter_at(self, site: SiteRecord, meter: MeterRecord, instants_ms: Sequence[int]) -> Counter:
        """Return the register of a meter for energies between successive instants alone.

        Parameters
        ----------
        instants_ms
            In time order [ms since 1970 UTC]. Of days that hold none of them few readings are given.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        return self._counter(site, meter, instants_ms)

    def _counter(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        instants_ms: Sequence[int],
        *,
        values: Iterable[IntervalValue] = (),
        fixed: Mapping[int, Boundary] = MappingProxyType({}),
        whole: bool = False,
    ) -> Counter:
        asked = self._asked(site, meter, instants_ms, values=values, fixed=fixed, whole=whole)
        if self.billed(meter):
            return counter_of_cells((), asked.spec)
        return meter_counter(self.connection, self.days, asked)

    def gathered(self, site: SiteRecord, meter: MeterRecord, instants_ms: Sequence[int]) -> Gathered:
        """Return the readings that a meter's energies between successive instants are made of.

        Parameters
        ----------
        instants_ms
            In time order [ms since 1970 UTC].

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = Interval(instants_ms[0], instants_ms[-1])
        values, fixed = self.values(meter, whole), self.fixed(meter, whole)
        asked = self._asked(site, meter, instants_ms, values=values, fixed=fixed)
        if self.billed(meter):
            none = frozenset[int]()
            return Gathered(whole, (), none, none, counter_of_cells((), asked.spec))
        return gather(self.connection, self.days, asked)

    def _asked(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        instants_ms: Sequence[int],
        *,
        values: Iterable[IntervalValue] = (),
        fixed: Mapping[int, Boundary] = MappingProxyType({}),
        whole: bool = False,
    ) -> Asked:
        installations = self.installations(site, meter)
        return Asked(
            spec=counter_spec(meter.point, installations),
            zone=site.time_zone,
            instants_ms=instants_ms,
            inside_ms={*_dates(installations), *_ends(each.interval for each in values)},
            brackets_ms=_brackets(fixed.values()),
            corrections=self.corrections.of(meter),
            whole=whole,
        )

    def network(self, site: SiteRecord) -> Network:
        """Return a site's tree of meters, whole.

        Raises
        ------
        DataError
            The tree contradicts itself.
        """
        if site.id not in self._networks:
            self._networks[site.id] = records.network(site)
        return self._networks[site.id]

    def series(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        boundaries_ms: Sequence[int],
        *,
        factor: Fraction = Fraction(1),
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies of a meter between successive instants; they add up to that of the whole.

        Parameters
        ----------
        boundaries_ms
            n + 1 instants in time order for n intervals [ms since 1970 UTC].
        factor
            What the energy is multiplied with [1]: losses are in it before it is rounded.

        Raises
        ------
        UsageError
            The instants are not in time order.
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = Interval(boundaries_ms[0], boundaries_ms[-1])
        values, fixed = self.values(meter, whole), self.fixed(meter, whole)
        return series(
            self._counter(site, meter, boundaries_ms, values=values, fixed=fixed),
            scaled(self.installations(site, meter), factor),
            boundaries_ms,
            values=scaled_values(values, factor),
            fixed=scaled_boundaries(fixed, factor),
        )

    def energies(self, site: SiteRecord, interval: Interval) -> dict[str, IntervalEnergy]:
        """Return the energy of every meter of a site, by point, while it is in the network.

        One that was moved within the interval also has one by `Network.key` of each place.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        ends = (interval.start_ms, interval.end_ms)
        return network_series(self, site, self.network(site), ends)[0]


@contextmanager
def viewing(ledger: Ledger, hq: HqConfig) -> Iterator[View]:
    """Give a ledger at one snapshot as the plan sees it; afterwards the ledger keeps the days thinned for it.

    Raises
    ------
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        view = View(connection, hq)
        yield view
    view.days.keep(ledger)


def _dates(installations: Iterable[Installation]) -> Iterator[int]:
    for each in installations:
        yield each.start_ms
        if each.end_ms is not None:
            yield each.end_ms


def _ends(intervals: Iterable[Interval]) -> Iterator[int]:
    for each in intervals:
        yield from (each.start_ms, each.end_ms)


def _brackets(boundaries: Iterable[Boundary]) -> set[int]:
    return {side.time_ms for mark in boundaries for side in (mark.before, mark.after) if side is not None}
